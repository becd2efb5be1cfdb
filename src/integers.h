/* Integer products of bytes: what a level with dot products of unsigned with signed bytes offers the exact pass
 * (exact.c).
 *
 *   u        a stored row as unsigned bytes; int8 rows are seen as u = x + 128, their top bit flipped while loading
 *   planes   signed bytes, the digits of integer weights; a column is one digit of one class
 *   D        signed bytes, the gradient of the loss on the scores, class by class: D[c * d_stride + row]
 *
 * All sums are int32. A product is at most 255 * 128 in size, so a sum of FASTSVM_MAX_PRODUCTS of them fits; callers
 * cut features and rows accordingly.
 */
#ifndef FASTSVM_INTEGERS_H
#define FASTSVM_INTEGERS_H

#include "kernels.h"

#define FASTSVM_MAX_PRODUCTS 65536 /* (2^31 - 1) / (255 * 128) is 65,793 */

/* How a kernel wants the planes. */
typedef struct {
    ptrdiff_t (*size)(ptrdiff_t n_columns, ptrdiff_t n_features); /* bytes */
    /* Put features [k0, k0 + n) of a column, k0 a multiple of 64, into the packed planes. */
    void (*pack)(const int8_t *plane, ptrdiff_t n_columns, ptrdiff_t n_features, ptrdiff_t column, ptrdiff_t k0,
                 ptrdiff_t n, void *packed);
} fastsvm_packing;

/* Scores of rows that are laid out once for many candidates. */
typedef struct {
    fastsvm_packing packing;
    /* Bytes of FASTSVM_MAX_TILE_ROWS rows laid out, a multiple of 64; and so many rows. */
    ptrdiff_t (*rows_size)(ptrdiff_t n_features);
    void (*lay_rows)(const void *const *rows, int flip, ptrdiff_t n_features, void *laid);
    /* sums[column * FASTSVM_MAX_TILE_ROWS + row] = sum over features [k0, k0 + n) of u * plane, k0 a multiple of 64. */
    void (*scores)(const void *laid, const void *packed, ptrdiff_t n_columns, ptrdiff_t n_features, ptrdiff_t k0,
                   ptrdiff_t n, int32_t *sums);
} fastsvm_laid;

typedef struct fastsvm_integers {
    ptrdiff_t row_group; /* rows of a tile are padded to a multiple of this: repeated, with 0 in D */
    fastsvm_packing packing;
    const fastsvm_laid *laid; /* NULL where rows as they are do as well */

    /* Bytes of the score kernel's scratch area. */
    ptrdiff_t (*scratch_size)(ptrdiff_t n_rows);
    /* sums[column * FASTSVM_MAX_TILE_ROWS + row] = sum over features [k0, k0 + n) of u * plane. */
    void (*scores)(const void *const *rows, ptrdiff_t n_rows, int flip, const void *packed, ptrdiff_t n_columns,
                   ptrdiff_t n_features, ptrdiff_t k0, ptrdiff_t n, void *scratch, int32_t *sums,
                   const fastsvm_ahead *ahead);
    /* G (+)= D . rows in the kernel's own order of features, rows of G `stride` numbers apart, a multiple of 64. */
    void (*gradient)(const void *const *rows, ptrdiff_t n_rows, int flip, const int8_t *D, ptrdiff_t d_stride,
                     ptrdiff_t n_classes, ptrdiff_t n_features, int32_t *G, ptrdiff_t stride, int accumulate,
                     const fastsvm_ahead *ahead);
    /* sum[k] += such a row of G, for features [k0, k0 + n), k0 a multiple of 64. */
    void (*add)(const int32_t *G, ptrdiff_t k0, ptrdiff_t n, double *sum);
} fastsvm_integers;

#endif
