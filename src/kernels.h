/* What a SIMD level offers, and the codes that cross the C boundary.
 *
 * Symbols, the same in every file below:
 *   T         float or double: the type of the weights, in which the computation runs
 *   X         n_samples rows of n_features numbers of a storage type; a row that is not T, or is standardised, is
 *             widened into a tile of T first
 *   W, b      n_classes x n_features weights, n_classes intercepts (or NULL)
 *   packed    W laid out for the score kernel, see tiles.h
 *   S         scores of a tile, rows x n_classes, turned in place into D, the gradient of the loss on them
 *   G         share of a chunk of rows in the gradient on W, n_classes rows of `stride` numbers
 *
 * One source is compiled once per level: tiles.c (products, fused multiply-add allowed) and rows.c (losses and updates,
 * every operation rounded, so that all levels agree with NumPy), each for float and for double.
 */
#ifndef FASTSVM_KERNELS_H
#define FASTSVM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum fastsvm_storage { FASTSVM_FLOAT64, FASTSVM_FLOAT32, FASTSVM_UINT8 };

enum fastsvm_loss { FASTSVM_WESTON_WATKINS, FASTSVM_WESTON_WATKINS_SQUARED, FASTSVM_CRAMMER_SINGER, FASTSVM_SOFTMAX };

enum fastsvm_rule {
    FASTSVM_NO_RULE = -1,
    FASTSVM_SGD,
    FASTSVM_MOMENTUM,
    FASTSVM_NESTEROV,
    FASTSVM_ADAGRAD,
    FASTSVM_RMSPROP,
    FASTSVM_ADAM,
    FASTSVM_ADAMW
};

/* Columns of a row of coefficients, as fastsvm.backends.COEFFICIENTS. */
enum fastsvm_coefficient {
    FASTSVM_LEARNING_RATE,
    FASTSVM_DECAY1,
    FASTSVM_DECAY2,
    FASTSVM_EPS,
    FASTSVM_CORRECTION1,
    FASTSVM_CORRECTION2,
    FASTSVM_WEIGHT_DECAY,
    FASTSVM_N_COEFFICIENTS
};

/* tiles.c */
typedef struct {
    ptrdiff_t item;      /* sizeof(T) */
    ptrdiff_t lanes;     /* numbers of T in a vector */
    ptrdiff_t row_block; /* tiles of a multiple of so many rows waste nothing */

    /* Numbers of T in a packed W, and in the score kernel's spill area for a tile of n_rows. */
    ptrdiff_t (*packed_size)(ptrdiff_t n_classes, ptrdiff_t n_features);
    ptrdiff_t (*spill_size)(ptrdiff_t n_rows);
    /* Copy features [k0, k1) of class c into the packed W; k0 is a multiple of lanes. */
    void (*pack)(const void *W, ptrdiff_t n_classes, ptrdiff_t n_features, ptrdiff_t c, ptrdiff_t k0, ptrdiff_t k1,
                 void *packed);
    /* out[k] = x[k], or (x[k] - mean[k]) * inverse_scale[k]. */
    void (*widen)(const void *x, int storage, const void *mean, const void *inverse_scale, ptrdiff_t n, void *out);
    /* S = rows . W^T + b. */
    void (*scores)(const void *const *rows, ptrdiff_t n_rows, const void *packed, const void *b, ptrdiff_t n_classes,
                   ptrdiff_t n_features, void *spill, void *S);
    /* G (+)= D^T . rows; `accumulate` 0 overwrites. Rows of `next`, if given, are prefetched meanwhile. */
    void (*gradient)(const void *const *rows, ptrdiff_t n_rows, const void *D, ptrdiff_t n_classes,
                     ptrdiff_t n_features, void *G, ptrdiff_t stride, int accumulate, const void *const *next,
                     ptrdiff_t n_next);
    /* dx = factor * (d . W) * inverse_scale for one row d of D. */
    void (*data_gradient)(const void *d, const void *W, ptrdiff_t n_classes, ptrdiff_t n_features, double factor,
                          const void *inverse_scale, void *dx);
} fastsvm_tiles;

/* rows.c */
typedef struct {
    /* Loss of one row of scores times weight; its gradient in place, if wanted. NaN where a score is not finite.
     * *correct is 1 where the first largest score is the label's. */
    double (*loss)(int loss, double delta, void *s, ptrdiff_t label, double weight, ptrdiff_t n_classes,
                   int want_gradient, int *correct);
    /* sum (+)= n_parts arrays of n numbers that lie `stride` numbers apart, in order; `accumulate` 0 overwrites. */
    void (*sum_parts)(const void *parts, ptrdiff_t stride, ptrdiff_t n_parts, ptrdiff_t n, double *sum, int accumulate);
    /* db += d for one row of D. */
    void (*add_row)(const void *d, ptrdiff_t n, double *db);
    void (*scale_row)(void *d, double factor, ptrdiff_t n);
    /* g = sum * factor + alpha * W. */
    void (*finish)(const double *sum, double factor, double alpha, const void *W, ptrdiff_t n, void *g);
    /* Sum of the squares of n weights. */
    double (*squares)(const void *W, ptrdiff_t n);
    /* One update of n parameters in place (fastsvm/optimizers.py has the formulas). */
    void (*update)(int rule, const double *coefficients, void *x, const void *g, void *slot1, void *slot2, ptrdiff_t n);
} fastsvm_rows;

typedef struct {
    const fastsvm_tiles *tiles;
    const fastsvm_rows *rows;
} fastsvm_kernels;

typedef struct {
    const char *name;
    fastsvm_kernels f32, f64;
} fastsvm_level;

/* dispatch.c. Level k that this build and this processor have, lowest first; NULL past the last. */
const fastsvm_level *fastsvm_level_at(int k);

#endif
