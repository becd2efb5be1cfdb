/* Integer products for many candidates: rows are laid out once, and a register belongs to 16 of them.
 *
 *   laid rows      halves of a tile, each [feature / 4][SIDE rows][4 bytes]: a quad of features of 16 rows is a vector
 *   packed planes  blocks of LAID_COLUMNS columns (the last may be smaller, m columns), each [feature / 4][m][4 bytes]:
 *                  a quad of a column is broadcast
 *
 * So nothing is added up across a register, and the sums of LAID_COLUMNS columns with the rows of a half stay in
 * registers. Features are taken LAID_BLOCK at a time, which rows the first-level cache then holds for all columns.
 */
#ifndef FASTSVM_LAID_H
#define FASTSVM_LAID_H

#include "interleave.h"

#include <string.h>

#define SIDE 32 /* rows */
#define LAID_COLUMNS 9
#define LAID_BLOCK 1024

/* sums + u . p by fours. In assembly, since GCC 12 moves the sums of the intrinsic from register to register and to the
 * stack and back, which halves the speed of the kernels. */
INLINE __m512i dot(__m512i sums, __m512i u, __m512i p) {
#if defined(__GNUC__)
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(u), "v"(p));
    return sums;
#else
    return _mm512_dpbusd_epi32(sums, u, p);
#endif
}

static ptrdiff_t quads(ptrdiff_t n_features) { return (n_features + 3) / 4; }

static ptrdiff_t laid_packed_size(ptrdiff_t n_columns, ptrdiff_t n_features) {
    return n_columns * quads(n_features) * 4;
}

static ptrdiff_t laid_rows_size(ptrdiff_t n_features) { return FASTSVM_MAX_TILE_ROWS * quads(n_features) * 4; }

/* Four bytes, or the first n < 4 and zeros. */
INLINE int32_t load_quad(const void *p, ptrdiff_t n) {
    int32_t quad = 0;
    if (n >= 4)
        memcpy(&quad, p, 4);
    else
        for (ptrdiff_t k = 0; k < n; k++) quad |= (int32_t)((const uint8_t *)p)[k] << 8 * k;
    return quad;
}

static void laid_pack(const int8_t *plane, ptrdiff_t n_columns, ptrdiff_t n_features, ptrdiff_t column, ptrdiff_t k0,
                      ptrdiff_t n, void *packed) {
    const ptrdiff_t block = column / LAID_COLUMNS * LAID_COLUMNS, m = min(LAID_COLUMNS, n_columns - block);
    int32_t *out = (int32_t *)packed + block * quads(n_features) + k0 / 4 * m + column - block;
    for (ptrdiff_t k = 0; k < n; k += 4, out += m) *out = load_quad(plane + k, n - k);
}

/* Sixteen rows of sixteen numbers become columns. */
INLINE void transpose(const __m512i rows[16], __m512i columns[16]) {
    __m512i a[16], b[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        UNROLL
        for (int j = 0; j < 2; j++) {
            b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + j + 2]);
            b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + j + 2]);
        }
    }
    /* Lane l of b[4 i + j] is now column 4 l + j of rows 4 i ... 4 i + 3. */
    UNROLL
    for (int j = 0; j < 4; j++) {
        const __m512i even = _mm512_shuffle_i32x4(b[j], b[4 + j], 0x88),
                      odd = _mm512_shuffle_i32x4(b[j], b[4 + j], 0xdd);
        const __m512i even_high = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0x88),
                      odd_high = _mm512_shuffle_i32x4(b[8 + j], b[12 + j], 0xdd);
        columns[j] = _mm512_shuffle_i32x4(even, even_high, 0x88);
        columns[4 + j] = _mm512_shuffle_i32x4(odd, odd_high, 0x88);
        columns[8 + j] = _mm512_shuffle_i32x4(even, even_high, 0xdd);
        columns[12 + j] = _mm512_shuffle_i32x4(odd, odd_high, 0xdd);
    }
}

static void lay_rows(const void *const *rows, int flip_top, ptrdiff_t n_features, void *laid) {
    const __m512i flip = _mm512_set1_epi8(flip_top ? -128 : 0);
    int32_t *out = laid;
    for (ptrdiff_t side = 0; side < FASTSVM_MAX_TILE_ROWS; side += SIDE)
        for (ptrdiff_t k = 0; k < n_features; k += 64) {
            const ptrdiff_t n = quads(min(64, n_features - k));
            for (ptrdiff_t half = 0; half < SIDE; half += 16) {
                __m512i bytes[16], columns[16];
                UNROLL
                for (int i = 0; i < 16; i++)
                    bytes[i] = load_bytes((const uint8_t *)rows[side + half + i] + k, first(n_features - k), 1, flip);
                transpose(bytes, columns);
                for (ptrdiff_t q = 0; q < n; q++) _mm512_storeu_si512(out + q * SIDE + half, columns[q]);
            }
            out += n * SIDE;
        }
}

/* m columns for the rows of a half over n quads of features, from zero or from `sums`, to `sums`. */
INLINE void laid_block(const uint8_t *u, const int8_t *w, const int m, ptrdiff_t n, int begin, int32_t *sums) {
    __m512i acc[LAID_COLUMNS][2];
    UNROLL
    for (int c = 0; c < m; c++) {
        UNROLL
        for (int q = 0; q < 2; q++)
            acc[c][q] = begin ? _mm512_setzero_si512() : _mm512_loadu_si512(sums + c * FASTSVM_MAX_TILE_ROWS + q * 16);
    }
    for (ptrdiff_t k = 0; k < n; k++, u += SIDE * 4, w += m * 4) {
        const __m512i low = _mm512_loadu_si512(u), high = _mm512_loadu_si512(u + 64);
        UNROLL
        for (int c = 0; c < m; c++) {
            int32_t quad;
            memcpy(&quad, w + c * 4, 4);
            const __m512i p = _mm512_set1_epi32(quad);
            acc[c][0] = dot(acc[c][0], low, p);
            acc[c][1] = dot(acc[c][1], high, p);
        }
    }
    UNROLL
    for (int c = 0; c < m; c++) {
        UNROLL
        for (int q = 0; q < 2; q++) _mm512_storeu_si512(sums + c * FASTSVM_MAX_TILE_ROWS + q * 16, acc[c][q]);
    }
}

static void laid_scores(const void *laid, const void *packed, ptrdiff_t n_columns, ptrdiff_t n_features, ptrdiff_t k0,
                        ptrdiff_t length, int32_t *sums) {
    for (ptrdiff_t side = 0; side < FASTSVM_MAX_TILE_ROWS; side += SIDE)
        for (ptrdiff_t at = 0; at < length; at += LAID_BLOCK) {
            const ptrdiff_t quad = (k0 + at) / 4, n = quads(min(LAID_BLOCK, length - at));
            const uint8_t *u = (const uint8_t *)laid + (side * quads(n_features) + quad * SIDE) * 4;
            for (ptrdiff_t c = 0; c < n_columns; c += LAID_COLUMNS) {
                const ptrdiff_t m = min(LAID_COLUMNS, n_columns - c);
                const int8_t *w = (const int8_t *)packed + (c * quads(n_features) + quad * m) * 4;
                int32_t *to = sums + c * FASTSVM_MAX_TILE_ROWS + side;
#define CASE(m) \
    case m: laid_block(u, w, m, n, at == 0, to); break;
                switch (m) { CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) }
#undef CASE
            }
        }
}

static const fastsvm_laid fastsvm_laid_vnni = {{laid_packed_size, laid_pack}, laid_rows_size, lay_rows, laid_scores};

#endif
