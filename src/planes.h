/* Weights as integers in digits of 8 bits, for products with stored bytes. See exact.c for the mathematics.
 *
 * The vectors are the rows of W, or each row minus the last of its group of n_classes rows, times inverse_scale. Vector
 * v is rounded to unit(v) * q, q an integer of 23 bits and the unit a power of two, so that its product with a sample
 * is
 *
 *   unit * (q . u - moment),      x = u - origin,      moment = q . (mean + origin).
 */
#ifndef FASTSVM_PLANES_H
#define FASTSVM_PLANES_H

#include "integers.h"

#define FASTSVM_DIGITS 3 /* of q, highest first */

typedef struct {
    /* Set by the user. */
    const fastsvm_kernels *kernels;
    const float *W, *mean, *inverse_scale;
    ptrdiff_t n_rows, n_classes, n_features; /* of W; n_classes divides n_rows */
    int differences;                         /* leave out every n_classes-th row, subtracted from the rest */
    int n_packed;                            /* digits packed for the score kernel */
    const fastsvm_packing *packing;          /* as this kernel wants them; NULL for the integers' own */
    int keep;                                /* keep all digits in `planes` as well */
    double origin;

    /* Set by fastsvm_planes_size and fastsvm_planes_place. */
    ptrdiff_t n_vectors, width, n_slices;
    int8_t *planes; /* FASTSVM_DIGITS x n_vectors x width, if kept */
    void *packed; /* columns digit * n_vectors + v; or without integer products unit * q in float, as tiles.h packs W */
    float *rounded;
    double *largest;          /* n_slices x n_vectors; NaN where a weight is not finite */
    fastsvm_digit_sums *sums; /* n_slices x n_vectors */
} fastsvm_planes;

/* Bytes of memory for the planes, a multiple of 64, and where it lies. */
ptrdiff_t fastsvm_planes_size(fastsvm_planes *p);
void fastsvm_planes_place(fastsvm_planes *p, char *memory);

/* First the size of slice s (FASTSVM_EXACT_SLICE features) of vector v for all slices, then their digits. */
void fastsvm_planes_measure(const fastsvm_planes *p, ptrdiff_t v, ptrdiff_t s);
void fastsvm_planes_round(const fastsvm_planes *p, ptrdiff_t v, ptrdiff_t s);

/* The unit of a vector, 0 where a weight is not finite; and its sums over all features. */
double fastsvm_planes_unit(const fastsvm_planes *p, ptrdiff_t v);
fastsvm_digit_sums fastsvm_planes_sums(const fastsvm_planes *p, ptrdiff_t v);

#endif
