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

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define PRAGMA(x) _Pragma(#x)
#if defined(__clang__)
#define UNROLL PRAGMA(clang loop unroll(full))
#else
#define UNROLL PRAGMA(GCC unroll 16)
#endif
#define PREFETCH(p) __builtin_prefetch((p), 0, 2)

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

static void add(const int32_t *G, ptrdiff_t k0, ptrdiff_t n, double *sum) {
    for (ptrdiff_t k = 0; k < n; k += 4) {
        const ptrdiff_t group = k % 64 / 4, place = k0 + k / 64 * 64 + group % 4 * 16 + group / 4 * 4;
        const __m256d four = _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(G + place)));
        const __mmask8 mask = (__mmask8)first(min(4, n - k));
        _mm256_mask_storeu_pd(sum + k, mask, _mm256_add_pd(four, _mm256_maskz_loadu_pd(mask, sum + k)));
    }
}

#endif
