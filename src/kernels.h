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

enum fastsvm_storage {
    FASTSVM_FLOAT64,
    FASTSVM_FLOAT32,
    FASTSVM_UINT8,
    FASTSVM_FLOAT16,
    FASTSVM_BFLOAT16,
    FASTSVM_INT8
};

/* Of the smoothed ones there is a value and a gradient (rows->loss), and nothing else below. */
enum fastsvm_loss {
    FASTSVM_WESTON_WATKINS,
    FASTSVM_WESTON_WATKINS_SQUARED,
    FASTSVM_CRAMMER_SINGER,
    FASTSVM_SOFTMAX,
    FASTSVM_SMOOTHED_WESTON_WATKINS,
    FASTSVM_SMOOTHED_CRAMMER_SINGER
};

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

#define FASTSVM_MAX_TILE_ROWS 64

/* How stored rows are seen: x = (stored - shift), in T. What they are divided by is folded into the weights. */
typedef struct {
    int storage;
    const void *shift; /* n_features numbers of T, or NULL */
} fastsvm_view;

/* Rows to be fetched from memory while a tile is at work. */
typedef struct {
    const void *const *rows;
    ptrdiff_t n_rows, item; /* bytes of a stored number */
} fastsvm_ahead;

/* tiles.c */
typedef struct {
    ptrdiff_t item;      /* sizeof(T) */
    ptrdiff_t lanes;     /* numbers of T in a vector */
    ptrdiff_t row_block; /* tiles of a multiple of so many rows waste nothing */

    /* Numbers of T in a packed W, and in the scratch area of the kernels for a tile of n_rows. */
    ptrdiff_t (*packed_size)(ptrdiff_t n_classes, ptrdiff_t n_features);
    ptrdiff_t (*scratch_size)(ptrdiff_t n_rows);
    /* Copy features [k0, k1) of class c, each times its factor where there are factors, into the packed W; k0 is a
     * multiple of lanes. */
    void (*pack)(const void *W, const void *factors, ptrdiff_t n_classes, ptrdiff_t n_features, ptrdiff_t c,
                 ptrdiff_t k0, ptrdiff_t k1, void *packed);
    /* S = rows . W^T + b, for up to FASTSVM_MAX_TILE_ROWS rows. */
    void (*scores)(const fastsvm_view *view, const void *const *rows, ptrdiff_t n_rows, const void *packed,
                   const void *b, ptrdiff_t n_classes, ptrdiff_t n_features, void *scratch, void *S,
                   const fastsvm_ahead *ahead);
    /* G (+)= D^T . rows; `accumulate` 0 overwrites. */
    void (*gradient)(const fastsvm_view *view, const void *const *rows, ptrdiff_t n_rows, const void *D,
                     ptrdiff_t n_classes, ptrdiff_t n_features, void *scratch, void *G, ptrdiff_t stride,
                     int accumulate, const fastsvm_ahead *ahead);
    /* dx = factor * (d . W) * inverse_scale for one row d of D. */
    void (*data_gradient)(const void *d, const void *W, ptrdiff_t n_classes, ptrdiff_t n_features, double factor,
                          const void *inverse_scale, void *dx);
} fastsvm_tiles;

#define FASTSVM_EXACT_SLICE 256

/* Sums over features: of the integers q, their sizes, q (mean + origin); and for their lowest digits the same,
 * where without mean (NULL) the lowest digit's moment is that about 128. */
typedef struct {
    double sum, size, moment, lowest_sum, lowest_size, lowest_moment;
} fastsvm_digit_sums;

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
    /* g = sum * factor * factors + alpha * W; without factors (NULL) they are 1. */
    void (*finish)(const double *sum, double factor, const void *factors, double alpha, const void *W, ptrdiff_t n,
                   void *g);
    /* Sum of the squares of n weights. */
    double (*squares)(const void *W, ptrdiff_t n);
    /* One update of n parameters in place (fastsvm/optimizers.py has the formulas). */
    void (*update)(int rule, const double *coefficients, void *x, const void *g, void *slot1, void *slot2, ptrdiff_t n);

    /* See combined.h. */
    void (*lay_differences)(const void *scores, const int64_t *y, ptrdiff_t n, ptrdiff_t n_classes, void *t);
    void (*combined_losses)(int loss, double delta, const void *t, int has_base, ptrdiff_t n_matrices,
                            ptrdiff_t n_classes, const double *weight, int weighted, const double *coefficients,
                            ptrdiff_t n_points, void *scratch, double *sums);

    /* For the exact pass, with T float only; see decide.h and rounding.h. */
    void (*decide)(int loss, const float *t, const float *error, const int32_t *y, float delta, ptrdiff_t n_classes,
                   int8_t *D, int32_t *unsure, int32_t *correct);
    int32_t (*dot_bytes)(const uint8_t *u, unsigned flip, const int8_t *plane, ptrdiff_t n);
    double (*measure)(const float *W, const float *last, const float *inverse, ptrdiff_t n);
    void (*round_weights)(const float *W, const float *last, const float *inverse, const float *mean, double origin,
                          double unit, ptrdiff_t n, int8_t *high, int8_t *middle, int8_t *low, float *rounded,
                          fastsvm_digit_sums *sums);
    double (*stacked_loss)(int loss, const float *t, const int32_t *y, const double *weight, float delta,
                           ptrdiff_t n_classes, ptrdiff_t n);
    /* t (+)= unit (the number whose digits, highest first and `apart` numbers apart, are the sums) + constant. */
    void (*from_digits)(const int32_t *sums, ptrdiff_t apart, int n_digits, int accumulate, double unit,
                        double constant, float *t);
    double (*center)(double *total, double db, const float *mean, double origin, const float *inverse, const float *W,
                     ptrdiff_t n);

    /* For difference quotients, with T double only; see quotients.h. */
    void (*quotients)(int loss, int central, double delta, const double *s, ptrdiff_t y, double weight,
                      ptrdiff_t n_classes, const double *d, ptrdiff_t n, double *sums, ptrdiff_t stride);
    void (*scaled_row)(int storage, const void *x, const double *mean, const double *inverse, double h, ptrdiff_t n,
                       double *d);
} fastsvm_rows;

/* tiles.c: products for many classes, see products.h for how their operands are laid out. Strides, and the distances
 * (`apart`) of panels and of groups, are in numbers of T. */
typedef struct {
    ptrdiff_t width; /* columns of a panel */
    ptrdiff_t rows;  /* columns of a group; what is multiplied is padded to a third of so many rows or columns */

    /* Rows, less the view's shift, into panels; a row of n numbers into panels; rows of n numbers into groups. */
    void (*lay_rows)(const fastsvm_view *view, const void *const *rows, ptrdiff_t n_rows, ptrdiff_t n_features,
                     void *panels, ptrdiff_t apart);
    void (*lay_panels)(const void *row, ptrdiff_t n, void *panels, ptrdiff_t apart);
    void (*lay_groups)(const void *rows, ptrdiff_t n_rows, ptrdiff_t stride, ptrdiff_t n, void *groups,
                       ptrdiff_t apart);
    /* Features [k0, k1) of n <= width classes, each times its factor where there are factors, into a panel of W. */
    void (*lay_classes)(const void *W, const void *factors, ptrdiff_t n, ptrdiff_t n_features, ptrdiff_t k0,
                        ptrdiff_t k1, void *panel);
    /* product (m x columns) = rows in panels . panel + start, over `depth` columns of the rows. */
    void (*rows_by_panel)(const void *rows, ptrdiff_t m, ptrdiff_t apart, const void *panel, ptrdiff_t columns,
                          ptrdiff_t depth, const void *start, void *product, ptrdiff_t stride);
    /* product (m x columns) = rows in groups . panel, likewise. */
    void (*groups_by_panel)(const void *rows, ptrdiff_t m, ptrdiff_t apart, const void *panel, ptrdiff_t columns,
                            ptrdiff_t depth, void *product, ptrdiff_t stride);
    /* product (m x columns) (+)= (m columns in groups)^T . panel, over `depth` rows of both. */
    void (*columns_by_panel)(const void *groups, ptrdiff_t m, ptrdiff_t apart, const void *panel, ptrdiff_t columns,
                             ptrdiff_t depth, int accumulate, void *product, ptrdiff_t stride);
    /* scaled[k] = x[k] * factor * factors[k]; without factors (NULL) they are 1. */
    void (*scale)(const void *x, ptrdiff_t n, double factor, const void *factors, void *scaled);
} fastsvm_products;

/* Rows of a sparse matrix: the numbers and features of row i are entries [indptr[i], indptr[i + 1]), its features
 * ascending. */
typedef struct {
    const void *values, *indices, *indptr;
    ptrdiff_t n_rows;
    int storage; /* FASTSVM_FLOAT64 or FASTSVM_FLOAT32 */
    int wide;    /* indices and indptr are int64_t, otherwise int32_t */
} fastsvm_csr;

#define FASTSVM_LAID 512                                      /* entries laid out at a time, at most */
#define FASTSVM_STRIDE(n_classes) (((n_classes) + 3) / 4 * 4) /* numbers for each feature */

/* tiles.c: products of sparse rows, see nonzeros.h. W and G are feature-major here: `stride` numbers for each feature,
 * those of the classes and then zeros. Offsets are those of an entry's feature in them. */
typedef struct {
    /* n entries from `begin` on, their values times their features' factors where there are factors: of T; in double.
     */
    void (*lay)(const fastsvm_csr *X, ptrdiff_t begin, ptrdiff_t n, ptrdiff_t stride, const void *factors,
                ptrdiff_t *offsets, void *values);
    void (*lay_double)(const fastsvm_csr *X, ptrdiff_t begin, ptrdiff_t n, ptrdiff_t stride, const void *factors,
                       ptrdiff_t *offsets, void *values);
    /* S (+)= x . W^T for n entries x of one row; `accumulate` 0 overwrites. */
    void (*scores)(const ptrdiff_t *offsets, const void *values, ptrdiff_t n, const void *W, ptrdiff_t stride, void *S,
                   int accumulate);
    /* W += d x for n entries x of one row and its d, `stride` numbers; returns d . (x . W^T) of W as it was, where it
     * is `measured`. */
    double (*add)(const ptrdiff_t *offsets, const void *values, ptrdiff_t n, const void *d, void *W, ptrdiff_t stride,
                  int measured);
    /* G += d x, likewise. */
    void (*add_double)(const ptrdiff_t *offsets, const double *values, ptrdiff_t n, const double *d, double *G,
                       ptrdiff_t stride);
    /* S = scale * (sum of n_parts arrays that lie `apart` numbers apart, in order) + b; the padding becomes zeros. */
    void (*join)(const void *parts, ptrdiff_t apart, ptrdiff_t n_parts, ptrdiff_t stride, double scale, const void *b,
                 ptrdiff_t n_classes, void *S);
    /* Features [f0, f1) of n_classes rows of W, the first of which begins a row of V; and back, times `scale`. */
    void (*lay_weights)(const void *W, ptrdiff_t n_classes, ptrdiff_t n_features, ptrdiff_t f0, ptrdiff_t f1,
                        ptrdiff_t stride, void *V);
    void (*take_weights)(const void *V, ptrdiff_t stride, double scale, ptrdiff_t n_classes, ptrdiff_t n_features,
                         ptrdiff_t f0, ptrdiff_t f1, void *W);
} fastsvm_nonzeros;

struct fastsvm_blocks;   /* blocks.h */
struct fastsvm_integers; /* integers.h */

typedef struct {
    const fastsvm_tiles *tiles;
    const fastsvm_rows *rows;
    const fastsvm_products *products;
    const fastsvm_nonzeros *nonzeros;
    const struct fastsvm_blocks *blocks;
    const struct fastsvm_integers *integers; /* NULL where the level has none */
} fastsvm_kernels;

typedef struct {
    const char *name;
    fastsvm_kernels f32, f64;
} fastsvm_level;

/* dispatch.c. Level k that this build and this processor have, lowest first; NULL past the last. */
const fastsvm_level *fastsvm_level_at(int k);

#endif
