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

INLINE ptrdiff_t NAME(padded)(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }

static ptrdiff_t NAME(packed_size)(ptrdiff_t n_classes, ptrdiff_t n_features) {
    return n_classes * NAME(padded)(n_features);
}

static ptrdiff_t NAME(spill_size)(ptrdiff_t n_rows) { return n_rows * CLASS_GROUP * LANES; }

static void NAME(pack)(const void *weights, ptrdiff_t n_classes, ptrdiff_t n_features, ptrdiff_t c, ptrdiff_t k0,
                       ptrdiff_t k1, void *packed) {
    const T *w = (const T *)weights + c * n_features;
    const ptrdiff_t block = c / CLASS_BLOCK * CLASS_BLOCK;
    const ptrdiff_t m = n_classes - block < CLASS_BLOCK ? n_classes - block : CLASS_BLOCK;
    T *out = (T *)packed + block * NAME(padded)(n_features) + (c - block) * LANES;
    for (ptrdiff_t k = k0; k < k1; k += LANES) {
        T *to = out + k * m;
        if (n_features - k >= LANES)
            STORE(to, LOAD(w + k));
        else
            STORE(to, NAME(load_part)(w + k, n_features - k));
    }
}

static void NAME(widen)(const void *x, int storage, const void *mean, const void *inverse_scale, ptrdiff_t n,
                        void *widened) {
    T *RESTRICT out = widened;
    const T *RESTRICT shift = mean, *RESTRICT factor = inverse_scale;
#define WIDEN(storage_type)                                                               \
    {                                                                                     \
        const storage_type *RESTRICT in = x;                                              \
        if (shift)                                                                        \
            for (ptrdiff_t k = 0; k < n; k++) out[k] = ((T)in[k] - shift[k]) * factor[k]; \
        else                                                                              \
            for (ptrdiff_t k = 0; k < n; k++) out[k] = (T)in[k];                          \
    }
    switch (storage) {
    case FASTSVM_FLOAT64: WIDEN(double); break;
    case FASTSVM_FLOAT32: WIDEN(float); break;
    case FASTSVM_UINT8: WIDEN(uint8_t); break;
    }
#undef WIDEN
}

/* Sums of m rows x n classes over features [k0, k1), begun with zero where `first`, kept in `spill` ([row][CLASS_GROUP]
 * vectors). */
INLINE void NAME(score_block)(const T *const *rows, const int m, const T *w, const int n, ptrdiff_t k0, ptrdiff_t k1,
                              ptrdiff_t n_features, int first, T *spill) {
    VEC sums[ROW_BLOCK][CLASS_BLOCK];
    const T *x[ROW_BLOCK];
    UNROLL
    for (int i = 0; i < m; i++) {
        x[i] = rows[i];
        UNROLL
        for (int c = 0; c < n; c++) sums[i][c] = first ? SPLAT((T)0) : LOAD(spill + (i * CLASS_GROUP + c) * LANES);
    }
    const ptrdiff_t whole = k1 < n_features ? k1 : n_features / LANES * LANES;
    w += k0 * n;
    for (ptrdiff_t k = k0; k < whole; k += LANES, w += n * LANES) {
        VEC weights[CLASS_BLOCK];
        UNROLL
        for (int c = 0; c < n; c++) weights[c] = LOAD(w + c * LANES);
        UNROLL
        for (int i = 0; i < m; i++) {
            const VEC u = LOAD(x[i] + k);
            UNROLL
            for (int c = 0; c < n; c++) sums[i][c] += u * weights[c];
        }
    }
    if (whole < k1) {
        UNROLL
        for (int i = 0; i < m; i++) {
            const VEC u = NAME(load_part)(x[i] + whole, n_features - whole);
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

static void NAME(scores)(const void *const *row_pointers, ptrdiff_t n_rows, const void *packed, const void *intercept,
                         ptrdiff_t n_classes, ptrdiff_t n_features, void *spill_area, void *out) {
    const T *const *rows = (const T *const *)row_pointers;
    const T *b = intercept;
    T *spill = spill_area, *S = out;
    const ptrdiff_t step = FEATURE_BLOCK_BYTES / (ptrdiff_t)sizeof(T), width = NAME(padded)(n_features);
    for (ptrdiff_t group = 0; group < n_classes; group += CLASS_GROUP) {
        const ptrdiff_t end = n_classes - group < CLASS_GROUP ? n_classes : group + CLASS_GROUP;
        for (ptrdiff_t k0 = 0; k0 < n_features; k0 += step) {
            const ptrdiff_t k1 = n_features - k0 < step ? n_features : k0 + step;
            ptrdiff_t i = 0;
            while (i < n_rows) {
                const int m = n_rows - i >= ROW_BLOCK ? ROW_BLOCK : 1;
                for (ptrdiff_t c = group; c < end; c += CLASS_BLOCK) {
                    const T *w = (const T *)packed + c * width;
                    T *kept = spill + (i * CLASS_GROUP + (c - group)) * LANES;
#define CASE(n)                                                                              \
    case n:                                                                                  \
        if (m == ROW_BLOCK)                                                                  \
            NAME(score_block)(rows + i, ROW_BLOCK, w, n, k0, k1, n_features, k0 == 0, kept); \
        else                                                                                 \
            NAME(score_block)(rows + i, 1, w, n, k0, k1, n_features, k0 == 0, kept);         \
        break;
                    switch (end - c < CLASS_BLOCK ? end - c : CLASS_BLOCK) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) }
#undef CASE
                }
                i += m;
            }
        }
        for (ptrdiff_t i = 0; i < n_rows; i++)
            for (ptrdiff_t c = group; c < end; c++)
                S[i * n_classes + c] =
                    NAME(sum)(LOAD(spill + (i * CLASS_GROUP + (c - group)) * LANES)) + (b ? b[c] : 0);
    }
}

/* Classes [0, n) of G at features [k, k + v vectors), or at a last part of fewer than LANES features. */
INLINE void NAME(gradient_block)(const T *const *rows, ptrdiff_t n_rows, const T *D, ptrdiff_t n_classes, const int n,
                                 const int v, ptrdiff_t k, ptrdiff_t part, T *G, ptrdiff_t stride, int accumulate) {
    VEC sums[GRADIENT_BLOCK][2];
    UNROLL
    for (int c = 0; c < n; c++) {
        UNROLL
        for (int j = 0; j < v; j++) sums[c][j] = accumulate ? LOAD(G + c * stride + k + j * LANES) : SPLAT((T)0);
    }
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const T *x = rows[i] + k, *d = D + i * n_classes;
        VEC u[2];
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
        for (int j = 0; j < v; j++) STORE(G + c * stride + k + j * LANES, sums[c][j]);
    }
}

/* All features of G for n classes. */
INLINE void NAME(gradient_classes)(const T *const *rows, ptrdiff_t n_rows, const T *D, ptrdiff_t n_classes, const int n,
                                   ptrdiff_t n_features, T *G, ptrdiff_t stride, int accumulate,
                                   const void *const *next, ptrdiff_t n_next) {
    ptrdiff_t k = 0;
    for (; k + 2 * LANES <= n_features; k += 2 * LANES) {
        for (ptrdiff_t i = 0; i < n_next; i += 2) PREFETCH((const T *)next[i] + k);
        NAME(gradient_block)(rows, n_rows, D, n_classes, n, 2, k, 0, G, stride, accumulate);
    }
    for (; k < n_features; k += LANES) {
        if (n_features - k >= LANES)
            NAME(gradient_block)(rows, n_rows, D, n_classes, n, 1, k, 0, G, stride, accumulate);
        else
            NAME(gradient_block)(rows, n_rows, D, n_classes, n, 1, k, n_features - k, G, stride, accumulate);
    }
}

static void NAME(gradient)(const void *const *row_pointers, ptrdiff_t n_rows, const void *dscores, ptrdiff_t n_classes,
                           ptrdiff_t n_features, void *gradient, ptrdiff_t stride, int accumulate,
                           const void *const *next, ptrdiff_t n_next) {
    const T *const *rows = (const T *const *)row_pointers;
    for (ptrdiff_t c = 0; c < n_classes; c += GRADIENT_BLOCK) {
        const T *D = (const T *)dscores + c;
        T *G = (T *)gradient + c * stride;
#define CASE(n)                                                                                        \
    case n:                                                                                            \
        NAME(gradient_classes)(rows, n_rows, D, n_classes, n, n_features, G, stride, accumulate, next, \
                               c ? 0 : n_next);                                                        \
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
