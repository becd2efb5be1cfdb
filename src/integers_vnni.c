/* Integer products with AVX512-VNNI: vpdpbusd adds four products of unsigned with signed bytes to each of 16 int32
 * sums.
 *
 * Scores. As in tiles.h: vectors run along the features, a block of 4 rows x 6 columns holds one vector sum for each
 * pair, features are taken FEATURE_BLOCK at a time for the sake of the first-level cache, and sums wait in the scratch
 * area meanwhile.
 *
 *   packed planes: column blocks of COLUMNS (the last may be smaller, m columns), each [feature / 64][m][64].
 *
 * Gradient. Here the four products of an instruction belong to four rows of one feature: their bytes are interleaved,
 * and four bytes of D broadcast.
 */
#include "interleave.h"
#include "laid.h"

#include <string.h>

#define ROWS 4
#define COLUMNS 6
#define GROUP 24 /* columns whose sums wait together */
#define FEATURE_BLOCK 1024
#define CLASSES 10

static ptrdiff_t packed_size(ptrdiff_t n_columns, ptrdiff_t n_features) { return n_columns * padded(n_features); }

static ptrdiff_t scratch_size(ptrdiff_t n_rows) { return n_rows * GROUP * 64; }

static void pack(const int8_t *plane, ptrdiff_t n_columns, ptrdiff_t n_features, ptrdiff_t column, ptrdiff_t k0,
                 ptrdiff_t n, void *packed) {
    const ptrdiff_t block = column / COLUMNS * COLUMNS, m = min(COLUMNS, n_columns - block);
    int8_t *out = (int8_t *)packed + block * padded(n_features) + (column - block) * 64;
    for (ptrdiff_t k = 0; k < n; k += 64)
        _mm512_storeu_si512(out + (k0 + k) * m, _mm512_maskz_loadu_epi8(first(n - k), plane + k));
}

/* Sums of the 16 lanes of each of a, b, c, d. */
INLINE __m128i sum_four(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Add the products of 64 features, or of those in `mask`, of four rows with m columns. */
INLINE void score_step(const uint8_t *const *rows, ptrdiff_t k, __mmask64 mask, const int masked, __m512i flip,
                       const int8_t *w, const int m, __m512i acc[ROWS][COLUMNS]) {
    __m512i u[ROWS];
    UNROLL
    for (int i = 0; i < ROWS; i++) u[i] = load_bytes(rows[i] + k, mask, masked, flip);
    UNROLL
    for (int c = 0; c < m; c++) {
        const __m512i p = _mm512_loadu_si512(w + c * 64);
        UNROLL
        for (int i = 0; i < ROWS; i++) acc[i][c] = dot(acc[i][c], u[i], p);
    }
}

/* m columns for four rows over n features, from zero or from `kept`, to `kept` or to `sums`. Meanwhile come the bytes
 * at `next` from memory, and those at `soon` from the second-level cache. */
INLINE void score_block(const uint8_t *const *row_pointers, __m512i flip, const int8_t *w, const int m, ptrdiff_t n,
                        int begin, int end, __m512i *kept, int32_t *sums, const char *next, ptrdiff_t step,
                        const char *soon) {
    __m512i acc[ROWS][COLUMNS];
    const uint8_t *rows[ROWS];
    UNROLL
    for (int i = 0; i < ROWS; i++) {
        rows[i] = row_pointers[i];
        UNROLL
        for (int c = 0; c < m; c++) acc[i][c] = begin ? _mm512_setzero_si512() : kept[i * GROUP + c];
    }
    ptrdiff_t k = 0;
    for (; k + 64 <= n; k += 64, w += m * 64, next += step, soon += 64) {
        PREFETCH(next);
        PREFETCH_NEAR(soon);
        score_step(rows, k, 0, 0, flip, w, m, acc);
    }
    if (k < n) score_step(rows, k, first(n - k), 1, flip, w, m, acc);
    UNROLL
    for (int c = 0; c < m; c++) {
        if (end)
            _mm_storeu_si128((__m128i *)(sums + c * FASTSVM_MAX_TILE_ROWS),
                             sum_four(acc[0][c], acc[1][c], acc[2][c], acc[3][c]));
        else {
            UNROLL
            for (int i = 0; i < ROWS; i++) kept[i * GROUP + c] = acc[i][c];
        }
    }
}

static void scores(const void *const *row_pointers, ptrdiff_t n_rows, int flip_top, const void *packed,
                   ptrdiff_t n_columns, ptrdiff_t n_features, ptrdiff_t k_begin, ptrdiff_t length, void *scratch,
                   int32_t *sums, const fastsvm_ahead *ahead) {
    const __m512i flip = _mm512_set1_epi8(flip_top ? -128 : 0);
    for (ptrdiff_t group = 0; group < n_columns; group += GROUP) {
        const ptrdiff_t group_end = min(group + GROUP, n_columns);
        for (ptrdiff_t at = 0; at < length; at += FEATURE_BLOCK) {
            const ptrdiff_t n = min(FEATURE_BLOCK, length - at), k0 = k_begin + at;
            for (ptrdiff_t i = 0; i < n_rows; i += ROWS) {
                const uint8_t *rows[ROWS];
                for (int j = 0; j < ROWS; j++) rows[j] = (const uint8_t *)row_pointers[i + j] + k0;
                for (ptrdiff_t c = group; c < group_end; c += COLUMNS) {
                    const ptrdiff_t m = min(COLUMNS, n_columns - c), row = i + (c - group) / COLUMNS;
                    const int8_t *w = (const int8_t *)packed + c * padded(n_features) + k0 * m;
                    __m512i *kept = (__m512i *)scratch + i * GROUP + (c - group);
                    int32_t *out = sums + c * FASTSVM_MAX_TILE_ROWS + i;
                    const int begin = at == 0, end = at + n == length;
                    const int fetch = group == 0 && row < ahead->n_rows;
                    const char *soon = (const char *)row_pointers[min(row + ROWS, n_rows - 1)] + k0;
                    const char *next = fetch ? (const char *)ahead->rows[row] + k0 : (const char *)w;
#define CASE(m) \
    case m: score_block(rows, flip, w, m, n, begin, end, kept, out, next, fetch ? 64 : 0, soon); break;
                    switch (m) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) }
#undef CASE
                }
            }
        }
    }
}

/* 64 features of rows, interleaved by fours, into `out`: four vectors for each four rows. */
INLINE void gather(const uint8_t *const *rows, ptrdiff_t k, ptrdiff_t n_rows, __mmask64 mask, const int masked,
                   __m512i flip, __m512i *out) {
    for (ptrdiff_t i = 0; i < n_rows; i += 4, out += 4) {
        __m512i u[4];
        UNROLL
        for (int j = 0; j < 4; j++) u[j] = load_bytes(rows[i + j] + k, mask, masked, flip);
        interleave(u, 0, out);
        interleave(u, 1, out + 2);
    }
}

/* n classes of G at half of 64 features. One line of what comes next is fetched with each four rows. */
INLINE void gradient_block(const __m512i *x, ptrdiff_t n_rows, const int8_t *D, ptrdiff_t d_stride, const int n,
                           int32_t *G, ptrdiff_t stride, int accumulate, const fastsvm_ahead *ahead, ptrdiff_t k) {
    __m512i acc[CLASSES][2];
    UNROLL
    for (int c = 0; c < n; c++) {
        UNROLL
        for (int q = 0; q < 2; q++)
            acc[c][q] = accumulate ? _mm512_loadu_si512(G + c * stride + q * 16) : _mm512_setzero_si512();
    }
    for (ptrdiff_t i = 0; i < n_rows; i += 4, x += 4) {
        const __m512i low = x[0], high = x[1];
        if (i + 3 < ahead->n_rows) PREFETCH((const char *)ahead->rows[i + 3] + k);
        UNROLL
        for (int c = 0; c < n; c++) {
            int32_t four;
            memcpy(&four, D + c * d_stride + i, 4);
            const __m512i d = _mm512_set1_epi32(four);
            acc[c][0] = dot(acc[c][0], low, d);
            acc[c][1] = dot(acc[c][1], high, d);
        }
    }
    UNROLL
    for (int c = 0; c < n; c++) {
        UNROLL
        for (int q = 0; q < 2; q++) _mm512_storeu_si512(G + c * stride + q * 16, acc[c][q]);
    }
}

INLINE void gradient_classes(const uint8_t *const *rows, ptrdiff_t n_rows, __m512i flip, const int8_t *D,
                             ptrdiff_t d_stride, const int n, ptrdiff_t n_features, int32_t *G, ptrdiff_t stride,
                             int accumulate, const fastsvm_ahead *ahead) {
    const fastsvm_ahead none = {NULL, 0, 1};
    __m512i x[FASTSVM_MAX_TILE_ROWS];
    for (ptrdiff_t k = 0; k < n_features; k += 64) {
        const ptrdiff_t left = n_features - k;
        if (left >= 64)
            gather(rows, k, n_rows, 0, 0, flip, x);
        else
            gather(rows, k, n_rows, first(left), 1, flip, x);
        gradient_block(x, n_rows, D, d_stride, n, G + k, stride, accumulate, left >= 64 ? ahead : &none, k);
        gradient_block(x + 2, n_rows, D, d_stride, n, G + k + 32, stride, accumulate, &none, k);
    }
}

static void gradient(const void *const *row_pointers, ptrdiff_t n_rows, int flip_top, const int8_t *D,
                     ptrdiff_t d_stride, ptrdiff_t n_classes, ptrdiff_t n_features, int32_t *G, ptrdiff_t stride,
                     int accumulate, const fastsvm_ahead *ahead) {
    const __m512i flip = _mm512_set1_epi8(flip_top ? -128 : 0);
    const uint8_t *const *rows = (const uint8_t *const *)row_pointers;
    const fastsvm_ahead none = {NULL, 0, 1};
    for (ptrdiff_t c = 0; c < n_classes; c += CLASSES) {
        const int8_t *d = D + c * d_stride;
        int32_t *g = G + c * stride;
#define CASE(n)                                                                                                     \
    case n:                                                                                                         \
        gradient_classes(rows, n_rows, flip, d, d_stride, n, n_features, g, stride, accumulate, c ? &none : ahead); \
        break;
        switch (min(CLASSES, n_classes - c)) {
            /* clang-format off */
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10)
            /* clang-format on */
        }
#undef CASE
    }
}

const fastsvm_integers fastsvm_integers_vnni = {
    4, {packed_size, pack}, &fastsvm_laid_vnni, scratch_size, scores, gradient, add};
