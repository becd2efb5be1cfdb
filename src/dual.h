/* Passes of block coordinate ascent over the dual. See dual.c. */
#ifndef FASTSVM_DUAL_H
#define FASTSVM_DUAL_H

#include "blocks.h"

typedef struct {
    const fastsvm_kernels *kernels;
    ptrdiff_t n_classes, n_features;

    /* Examples: rows of `storage`, x = (stored - shift) * factors with both or neither; or with X NULL, those of csr,
     * x = value * factors, factors or NULL. */
    const char *X;
    int storage;
    const void *shift, *factors;
    fastsvm_csr csr;
    const int64_t *y;
    const double *weight; /* NULL: all 1 */

    int loss;
    double delta;
    double scale;  /* 1 / (lambda N) */
    double square; /* of the constant feature, 0 without */

    /* The pass takes the rows order[0] ... order[n_rows - 1]. It changes nothing if it is only to certify. */
    const int64_t *order;
    ptrdiff_t n_rows;
    int certify;

    void *W;   /* n_features x fastsvm_dual_stride: a vector for each feature */
    double *b; /* n_classes, or NULL */
    void *a;   /* n_examples x n_classes of T */

    double *gaps;      /* of each row taken, times its weight */
    double gap, value; /* sums of these, and of weighted losses */
} fastsvm_dual;

/* 0, or -1 where memory was refused; nothing has changed then. A gap that is not finite ends the pass. */
int fastsvm_dual_pass(fastsvm_dual *job, int n_threads);

/* Numbers of T in a feature's vector of W. */
ptrdiff_t fastsvm_dual_stride(const fastsvm_kernels *kernels, ptrdiff_t n_classes, int dense);

#endif
