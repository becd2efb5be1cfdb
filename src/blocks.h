/* What the dual solver (dual.c) asks of a SIMD level.
 *
 *   W       feature-major: one vector of `stride` numbers of T for each feature, n_classes of them and zeros, so that
 *           what an example changes lies together; stride is a multiple of the vector's lanes
 *   x       examples of a bucket, `apart` numbers apart
 *   S, C    scores, and what is added to the scores' weights; a row for each example, `stride` numbers apart
 */
#ifndef FASTSVM_BLOCKS_H
#define FASTSVM_BLOCKS_H

#include "kernels.h"

#define FASTSVM_BUCKET 32 /* examples of a bucket, at most */

typedef struct fastsvm_blocks {
    ptrdiff_t item;  /* sizeof(T) */
    ptrdiff_t lanes; /* numbers of T in a vector */

    /* Examples as stored, features [k0, k0 + n), as x = (stored - shift) * factors. */
    void (*widen)(const fastsvm_view *view, const void *factors, const void *const *rows, ptrdiff_t m, ptrdiff_t k0,
                  ptrdiff_t n, void *x, ptrdiff_t apart);
    /* products[i][j] = x_i . x_j over n features for j <= i < m; rows FASTSVM_BUCKET numbers apart. */
    void (*gram)(const void *x, ptrdiff_t m, ptrdiff_t n, ptrdiff_t apart, void *products);
    /* S = x . W over n features. */
    void (*scores)(const void *x, ptrdiff_t m, ptrdiff_t n, ptrdiff_t apart, const void *W, ptrdiff_t stride, void *S);
    /* W += x^T . C over the n_chosen examples of the bucket. */
    void (*add)(const void *x, const int32_t *chosen, ptrdiff_t n_chosen, ptrdiff_t n, ptrdiff_t apart, const void *C,
                ptrdiff_t stride, void *W);

    /* Rows of T as double and back. */
    void (*to_double)(const void *row, ptrdiff_t n, double *to);
    void (*from_double)(const double *row, ptrdiff_t n, void *to);

    /* See block_step.h. Rows of `padded` numbers, a multiple of 8. */
    double (*step)(int loss, double delta, double q, ptrdiff_t y, ptrdiff_t n_classes, ptrdiff_t padded, int certify,
                   double *h, double *a, double *v, double *value);
} fastsvm_blocks;

#endif
