/* Products of a tile of rows, small enough to stay in the second-level cache, with W and with D. Included once for each
 * T.
 *
 * Scores. Vectors run along the features: a register block of ROW_BLOCK rows x CLASS_BLOCK classes holds one vector sum
 * for each pair. Features are taken FEATURE_BLOCK at a time, so that this part of W stays in the first-level cache
 * while all rows of the tile pass by; the sums wait in `spill` between two such blocks. The sum over features is
 * therefore reassociated, in an order that depends on n_features and the level only.
 *
 *   packed W:  class blocks of CLASS_BLOCK (the last may be smaller, m classes), each [feature / LANES][m][LANES], the
 * features padded with zeros to a multiple of LANES. One pointer with constant offsets reads it, whatever n_features
 * is.
 *
 * Gradient. For two vectors of features and GRADIENT_BLOCK classes the sums stay in registers while all rows of the
 * tile pass by.
 */
#include <string.h>

#include "widen.h"

#if FASTSVM_VECTOR_BYTES == 64
#define ROW_BLOCK 4 /* 4 x 5 sums, 5 weights and 4 rows in 32 registers */
#define GRADIENT_BLOCK 10
#else
#define ROW_BLOCK 2 /* 2 x 5 sums, 5 weights and 1 row in 16 registers */
#define GRADIENT_BLOCK 5
#endif
#define CLASS_BLOCK 5
#define CLASS_GROUP 20 /* classes whose sums are spilled together */
#define FEATURE_BLOCK_BYTES 2048
#define WIDENED_FEATURES 128 /* taken at a time where the gradient widens rows */

INLINE ptrdiff_t NAME(padded)(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }

static ptrdiff_t NAME(packed_size)(ptrdiff_t n_classes, ptrdiff_t n_features) {
    return n_classes * NAME(padded)(n_features);
}

/* Numbers of T for widened rows: a block of rows for the scores, or all rows of a tile for the gradient. */
INLINE ptrdiff_t NAME(buffer_size)(ptrdiff_t n_rows) {
    const ptrdiff_t scores = ROW_BLOCK * FEATURE_BLOCK_BYTES / (ptrdiff_t)sizeof(T),
                    gradient = n_rows * WIDENED_FEATURES;
    return scores > gradient ? scores : gradient;
}

static ptrdiff_t NAME(scratch_size)(ptrdiff_t n_rows) {
    return NAME(buffer_size)(n_rows) + n_rows * CLASS_GROUP * LANES;
}

static void NAME(pack)(const void *weights, const void *factors, ptrdiff_t n_classes, ptrdiff_t n_features, ptrdiff_t c,
                       ptrdiff_t k0, ptrdiff_t k1, void *packed) {
    const T *w = (const T *)weights + c * n_features, *f = factors;
    const ptrdiff_t block = c / CLASS_BLOCK * CLASS_BLOCK;
    const ptrdiff_t m = n_classes - block < CLASS_BLOCK ? n_classes - block : CLASS_BLOCK;
    T *out = (T *)packed + block * NAME(padded)(n_features) + (c - block) * LANES;
    for (ptrdiff_t k = k0; k < k1; k += LANES) {
        T *to = out + k * m;
        const ptrdiff_t part = n_features - k;
        const VEC v = part >= LANES ? LOAD(w + k) : NAME(load_part)(w + k, part);
        STORE(to, !f ? v : v * (part >= LANES ? LOAD(f + k) : NAME(load_part)(f + k, part)));
    }
}

/* Whether rows are read where they are: T as stored, and not shifted. */
INLINE int NAME(direct)(const fastsvm_view *view) {
    return view->storage == (sizeof(T) == 8 ? FASTSVM_FLOAT64 : FASTSVM_FLOAT32) && !view->shift;
}

/* Add the products of m rows with n classes over `length` features to the sums kept in `spill` ([row][CLASS_GROUP]
 * vectors), which begin with zero where `first`. Meanwhile as much of the row `next` is prefetched, `next_step` bytes
 * for each vector. */
INLINE void NAME(score_block)(const T *const *rows, const int m, const T *w, const int n, ptrdiff_t length, int first,
                              T *spill, const char *next, ptrdiff_t next_step) {
    VEC sums[ROW_BLOCK][CLASS_BLOCK];
    const T *x[ROW_BLOCK];
    UNROLL
    for (int i = 0; i < m; i++) {
        x[i] = rows[i];
        UNROLL
        for (int c = 0; c < n; c++) sums[i][c] = first ? SPLAT((T)0) : LOAD(spill + (i * CLASS_GROUP + c) * LANES);
    }
    const ptrdiff_t whole = length / LANES * LANES;
    for (ptrdiff_t k = 0; k < whole; k += LANES, w += n * LANES, next += next_step) {
        VEC weights[CLASS_BLOCK];
        PREFETCH(next);
        UNROLL
        for (int c = 0; c < n; c++) weights[c] = LOAD(w + c * LANES);
        UNROLL
        for (int i = 0; i < m; i++) {
            const VEC u = LOAD(x[i] + k);
            UNROLL
            for (int c = 0; c < n; c++) sums[i][c] += u * weights[c];
        }
    }
    if (whole < length) {
        UNROLL
        for (int i = 0; i < m; i++) {
            const VEC u = NAME(load_part)(x[i] + whole, length - whole);
            UNROLL
            for (int c = 0; c < n; c++) sums[i][c] += u * LOAD(w + c * LANES);
        }
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int c = 0; c < n; c++) STORE(spill + (i * CLASS_GROUP + c) * LANES, sums[i][c]);
    }
}

/* The same for m rows and classes [0, n_classes) of a group, whose packed weights begin at w. Rows i and i + 1 of the
 * next tile are fetched beside the first two blocks of classes; those left over follow in the gradient. */
INLINE void NAME(score_rows)(const T *const *rows, const int m, const T *w, ptrdiff_t n_classes, ptrdiff_t width,
                             ptrdiff_t k0, ptrdiff_t length, T *spill, const fastsvm_ahead *ahead, ptrdiff_t i) {
    for (ptrdiff_t c = 0; c < n_classes; c += CLASS_BLOCK) {
        const ptrdiff_t row = i + c / CLASS_BLOCK, n = n_classes - c < CLASS_BLOCK ? n_classes - c : CLASS_BLOCK;
        const int fetch = c < 2 * CLASS_BLOCK && row < ahead->n_rows;
        const char *next = fetch ? (const char *)ahead->rows[row] + k0 * ahead->item : (const char *)w;
        const ptrdiff_t step = fetch ? LANES * ahead->item : 0;
        const T *weights = w + c * width + k0 * n;
        T *kept = spill + c * LANES;
#define CASE(n) \
    case n: NAME(score_block)(rows, m, weights, n, length, k0 == 0, kept, next, step); break;
        switch (n) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) }
#undef CASE
    }
}

static void NAME(scores)(const fastsvm_view *view, const void *const *rows, ptrdiff_t n_rows, const void *packed,
                         const void *intercept, ptrdiff_t n_classes, ptrdiff_t n_features, void *scratch, void *out,
                         const fastsvm_ahead *ahead) {
    const T *b = intercept;
    T *buffer = scratch, *spill = buffer + NAME(buffer_size)(n_rows), *S = out;
    const ptrdiff_t step = FEATURE_BLOCK_BYTES / (ptrdiff_t)sizeof(T), width = NAME(padded)(n_features);
    const int direct = NAME(direct)(view);
    const T *x[ROW_BLOCK];
    for (ptrdiff_t group = 0; group < n_classes; group += CLASS_GROUP) {
        const ptrdiff_t n = n_classes - group < CLASS_GROUP ? n_classes - group : CLASS_GROUP;
        const T *w = (const T *)packed + group * width;
        for (ptrdiff_t k0 = 0; k0 < n_features; k0 += step) {
            const ptrdiff_t length = n_features - k0 < step ? n_features - k0 : step;
            for (ptrdiff_t i = 0, m; i < n_rows; i += m) {
                m = n_rows - i >= ROW_BLOCK ? ROW_BLOCK : 1;
                for (ptrdiff_t j = 0; j < m; j++) x[j] = direct ? (const T *)rows[i + j] + k0 : buffer + j * step;
                if (!direct) NAME(widen)(view, rows + i, m, k0, length, buffer, step);
                T *kept = spill + i * CLASS_GROUP * LANES;
                if (m == ROW_BLOCK)
                    NAME(score_rows)(x, ROW_BLOCK, w, n, width, k0, length, kept, ahead, i);
                else
                    NAME(score_rows)(x, 1, w, n, width, k0, length, kept, ahead, i);
            }
        }
        for (ptrdiff_t i = 0; i < n_rows; i++)
            for (ptrdiff_t c = 0; c < n; c++)
                S[i * n_classes + group + c] =
                    NAME(sum)(LOAD(spill + (i * CLASS_GROUP + c) * LANES)) + (b ? b[group + c] : 0);
    }
}

/* n classes of G at v vectors of features, or at a last part of fewer than LANES features. One line of the next tile is
 * prefetched for each row: next[i] + fetched. */
INLINE void NAME(gradient_block)(const T *const *rows, ptrdiff_t k, ptrdiff_t n_rows, const T *D, ptrdiff_t n_classes,
                                 const int n, const int v, ptrdiff_t part, T *G, ptrdiff_t stride, int accumulate,
                                 const char *const *next, ptrdiff_t fetched) {
    VEC sums[GRADIENT_BLOCK][2];
    UNROLL
    for (int c = 0; c < n; c++) {
        UNROLL
        for (int j = 0; j < v; j++) sums[c][j] = accumulate ? LOAD(G + c * stride + j * LANES) : SPLAT((T)0);
    }
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const T *x = rows[i] + k, *d = D + i * n_classes;
        VEC u[2];
        PREFETCH(next[i] + fetched);
        UNROLL
        for (int j = 0; j < v; j++) u[j] = part ? NAME(load_part)(x, part) : LOAD(x + j * LANES);
        UNROLL
        for (int c = 0; c < n; c++) {
            const VEC factor = SPLAT(d[c]);
            UNROLL
            for (int j = 0; j < v; j++) sums[c][j] += factor * u[j];
        }
    }
    UNROLL
    for (int c = 0; c < n; c++) {
        UNROLL
        for (int j = 0; j < v; j++) STORE(G + c * stride + j * LANES, sums[c][j]);
    }
}

/* `length` features of G for n classes. */
INLINE void NAME(gradient_classes)(const T *const *rows, ptrdiff_t n_rows, const T *D, ptrdiff_t n_classes, const int n,
                                   ptrdiff_t length, T *G, ptrdiff_t stride, int accumulate, const char *const *next,
                                   ptrdiff_t fetched, ptrdiff_t item) {
    ptrdiff_t k = 0;
    for (; k + 2 * LANES <= length; k += 2 * LANES)
        NAME(gradient_block)(rows, k, n_rows, D, n_classes, n, 2, 0, G + k, stride, accumulate, next,
                             fetched + k * item);
    for (; k < length; k += LANES) {
        const ptrdiff_t part = length - k < LANES ? length - k : 0;
        if (part)
            NAME(gradient_block)(rows, k, n_rows, D, n_classes, n, 1, part, G + k, stride, accumulate, next, fetched);
        else
            NAME(gradient_block)(rows, k, n_rows, D, n_classes, n, 1, 0, G + k, stride, accumulate, next, fetched);
    }
}

/* Features go in blocks where rows are widened: as much as fits into the first-level cache beside G. */
static void NAME(gradient)(const fastsvm_view *view, const void *const *row_pointers, ptrdiff_t n_rows,
                           const void *dscores, ptrdiff_t n_classes, ptrdiff_t n_features, void *scratch,
                           void *gradient, ptrdiff_t stride, int accumulate, const fastsvm_ahead *ahead) {
    const int direct = NAME(direct)(view);
    const ptrdiff_t step = direct ? n_features : WIDENED_FEATURES;
    T *buffer = scratch;
    const T *rows[FASTSVM_MAX_TILE_ROWS];
    const char *next[FASTSVM_MAX_TILE_ROWS];
    /* Of four rows the scores have fetched two; there is one line for each row and two vectors, for two to fetch. */
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const ptrdiff_t row = i / 4 * 4 + 2 + i % 2;
        const int fetch = row < ahead->n_rows;
        next[i] = fetch ? (const char *)ahead->rows[row] + (i / 2 % 2) * LANES * ahead->item : (const char *)dscores;
    }
    const ptrdiff_t item = ahead->n_rows > 2 ? ahead->item : 0;
    for (ptrdiff_t k0 = 0; k0 < n_features; k0 += step) {
        const ptrdiff_t length = n_features - k0 < step ? n_features - k0 : step;
        for (ptrdiff_t i = 0; i < n_rows; i++)
            rows[i] = direct ? (const T *)row_pointers[i] + k0 : buffer + i * WIDENED_FEATURES;
        if (!direct) NAME(widen)(view, row_pointers, n_rows, k0, length, buffer, WIDENED_FEATURES);
        for (ptrdiff_t c = 0; c < n_classes; c += GRADIENT_BLOCK) {
            const T *D = (const T *)dscores + c;
            T *G = (T *)gradient + c * stride + k0;
#define CASE(n)                                                                                               \
    case n:                                                                                                   \
        NAME(gradient_classes)(rows, n_rows, D, n_classes, n, length, G, stride, accumulate, next, k0 * item, \
                               c ? 0 : item);                                                                 \
        break;
            switch (n_classes - c < GRADIENT_BLOCK ? n_classes - c : GRADIENT_BLOCK) {
                /* clang-format off */
                CASE(1) CASE(2) CASE(3) CASE(4) CASE(5)
#if GRADIENT_BLOCK == 10
                CASE(6) CASE(7) CASE(8) CASE(9) CASE(10)
#endif
                /* clang-format on */
            }
#undef CASE
        }
    }
}

static void NAME(data_gradient)(const void *dscores, const void *weights, ptrdiff_t n_classes, ptrdiff_t n_features,
                                double factor, const void *inverse_scale, void *gradient) {
    const T *RESTRICT d = dscores, *RESTRICT W = weights, *RESTRICT inverse = inverse_scale;
    T *RESTRICT dx = gradient;
    for (ptrdiff_t k = 0; k < n_features; k++) dx[k] = 0;
    for (ptrdiff_t c = 0; c < n_classes; c++) {
        const T weight = (T)(factor * d[c]);
        if (weight == 0) continue;
        for (ptrdiff_t k = 0; k < n_features; k++) dx[k] += weight * W[c * n_features + k];
    }
    if (inverse)
        for (ptrdiff_t k = 0; k < n_features; k++) dx[k] *= inverse[k];
}
