/* What the levels with integer products share: loads of stored bytes, four rows interleaved, and the order of features
 * that interleaving leaves.
 *
 * Four rows of 64 features become four vectors of 16 features, the four rows' bytes of a feature side by side. Vector q
 * holds, in its lane l of 128 bits, features 16 l + 4 q ... 16 l + 4 q + 3; rows of G keep this order, which `add`
 * undoes.
 */
#ifndef FASTSVM_INTERLEAVE_H
#define FASTSVM_INTERLEAVE_H

#include "integers.h"
#include "macros.h"

#include <immintrin.h>

INLINE ptrdiff_t min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

INLINE ptrdiff_t padded(ptrdiff_t n) { return (n + 63) / 64 * 64; }

/* The first n of 64. */
INLINE __mmask64 first(ptrdiff_t n) { return n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1; }

/* 64 bytes, or those in `mask`, then zeros, with the bits of `flip` flipped. */
INLINE __m512i load_bytes(const uint8_t *p, __mmask64 mask, const int masked, __m512i flip) {
    return _mm512_xor_si512(masked ? _mm512_maskz_loadu_epi8(mask, p) : _mm512_loadu_si512(p), flip);
}

/* Vectors 2 `upper` and 2 `upper` + 1 of the four. */
INLINE void interleave(const __m512i u[4], const int upper, __m512i out[2]) {
    const __m512i a = upper ? _mm512_unpackhi_epi8(u[0], u[1]) : _mm512_unpacklo_epi8(u[0], u[1]);
    const __m512i b = upper ? _mm512_unpackhi_epi8(u[2], u[3]) : _mm512_unpacklo_epi8(u[2], u[3]);
    out[0] = _mm512_unpacklo_epi16(a, b);
    out[1] = _mm512_unpackhi_epi16(a, b);
}

/* sum[0 ... 15] += x, of which only the first n numbers where n < 16. */
INLINE void add_sixteen(__m512i x, ptrdiff_t n, double *sum) {
    const __m512d low = _mm512_cvtepi32_pd(_mm512_castsi512_si256(x));
    const __m512d high = _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(x, 1));
    if (n >= 16) {
        _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), low));
        _mm512_storeu_pd(sum + 8, _mm512_add_pd(_mm512_loadu_pd(sum + 8), high));
        return;
    }
    if (n <= 0) return;
    const __mmask16 mask = (__mmask16)first(n);
    const __mmask8 mask_low = (__mmask8)mask, mask_high = (__mmask8)(mask >> 8);
    _mm512_mask_storeu_pd(sum, mask_low, _mm512_add_pd(_mm512_maskz_loadu_pd(mask_low, sum), low));
    if (mask_high)
        _mm512_mask_storeu_pd(sum + 8, mask_high, _mm512_add_pd(_mm512_maskz_loadu_pd(mask_high, sum + 8), high));
}

static void add(const int32_t *G, ptrdiff_t k0, ptrdiff_t n, double *sum) {
    for (ptrdiff_t k = 0; k < n; k += 64) {
        const int32_t *g = G + k0 + k;
        const __m512i a = _mm512_loadu_si512(g), b = _mm512_loadu_si512(g + 16), c = _mm512_loadu_si512(g + 32),
                      d = _mm512_loadu_si512(g + 48);
        /* Lane l of a, b, c, d in turn are features 16 l ... 16 l + 15. */
        const __m512i ab_even = _mm512_shuffle_i32x4(a, b, 0x88), ab_odd = _mm512_shuffle_i32x4(a, b, 0xdd);
        const __m512i cd_even = _mm512_shuffle_i32x4(c, d, 0x88), cd_odd = _mm512_shuffle_i32x4(c, d, 0xdd);
        add_sixteen(_mm512_shuffle_i32x4(ab_even, cd_even, 0x88), n - k, sum + k);
        add_sixteen(_mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88), n - k - 16, sum + k + 16);
        add_sixteen(_mm512_shuffle_i32x4(ab_even, cd_even, 0xdd), n - k - 32, sum + k + 32);
        add_sixteen(_mm512_shuffle_i32x4(ab_odd, cd_odd, 0xdd), n - k - 48, sum + k + 48);
    }
}

#endif
