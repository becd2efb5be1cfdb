/* Losses at combinations of scores, and difference quotients of the objective. See combinations.c. */
#ifndef FASTSVM_COMBINATIONS_H
#define FASTSVM_COMBINATIONS_H

#include "passes.h"

/* out[p] = the mean loss at the scores base + sum_q coefficients[p][q] scores[q], of n_matrices matrices n_rows x
 * n_classes; base may be NULL. 0, or -1 where memory was refused. */
int fastsvm_combination_losses(const fastsvm_kernels *kernels, int loss, double delta, const void *base,
                               const void *scores, ptrdiff_t n_matrices, ptrdiff_t n_rows, ptrdiff_t n_classes,
                               const int64_t *y, const double *sample_weight, const double *coefficients,
                               ptrdiff_t n_points, double *out, int n_threads);

/* dW, db = difference quotients of step h of the job's objective without the penalty; all of double. The job's scores
 * hold those of its W. 0, or -1 where memory was refused. */
int fastsvm_numerical_gradient(const fastsvm_job *job, double h, int central, int n_threads);

#endif
