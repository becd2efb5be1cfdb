/* Loops over samples and parameters, with OpenMP threads. See passes.c. */
#ifndef FASTSVM_PASSES_H
#define FASTSVM_PASSES_H

#include "kernels.h"

typedef struct {
    const fastsvm_kernels *kernels;
    ptrdiff_t n_classes, n_features;

    /* Samples: n rows of `storage`, and what standardises them (of T, both or neither). */
    const char *X;
    int storage;
    const fastsvm_csr *csr; /* instead of X; without a mean */
    const void *mean, *inverse_scale;
    const int64_t *y;            /* NULL: scores only */
    const double *sample_weight; /* NULL: all 1 */

    int loss;
    double delta, alpha, alpha_intercept;

    /* Update u takes the rows order[u * batch_size] ... of n_rows in all; order NULL is 0, 1, 2 ... */
    const int64_t *order;
    ptrdiff_t n_rows, batch_size;

    /* Parameters; changed only where there is a rule. */
    void *W, *b;
    int rule;
    const double *coefficients; /* one row for each update */
    void *slots_W[2], *slots_b[2];

    /* Wanted results; NULL where not. */
    void *scores; /* n_rows x n_classes */
    void *dX;     /* n_rows x n_features */
    void *dW, *db;
    double *losses; /* one for each update */

    /* Set by fastsvm_run. */
    ptrdiff_t updates_done;
    int64_t n_correct;
} fastsvm_job;

/* Run all updates of a job (a single one where there is no rule). 0, or -1 where memory was refused; nothing has
 * changed then. */
int fastsvm_run(fastsvm_job *job, int n_threads);

/* Mean loss of given scores, and its gradient in place where dscores is wanted. */
double fastsvm_score_loss(const fastsvm_kernels *kernels, int loss, double delta, void *scores, const int64_t *y,
                          const double *sample_weight, ptrdiff_t n_rows, ptrdiff_t n_classes, int want_gradient,
                          int n_threads);

#endif
