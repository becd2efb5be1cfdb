/* Primitives of the updates that a level has or has not.
 *
 * A processor divides and takes roots one after the other in one slow unit: 10 and 12 cycles for sixteen floats, as
 * long as the rest of Adam's update and its memory traffic take together. The roots can be had from the other units,
 * with the same bits: an estimate, refined with fused multiply-adds, whose last step rounds correctly (P. Markstein,
 * "IA-64 and elementary functions", 2000, chapter 9). tests/test_roots.py goes through every float. Numbers so small
 * that the refinement would underflow, infinities and NaN are left to the processor.
 */
#ifndef FASTSVM_ROOTS_H
#define FASTSVM_ROOTS_H
#include <math.h>

#if defined(__GNUC__)
#define FASTSVM_FETCH(p) __builtin_prefetch((const char *)(p) + 512, 1, 3)
#else
#define FASTSVM_FETCH(p) ((void)(p))
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__) && FASTSVM_VECTOR_BYTES == 64
#include <immintrin.h>

static inline __attribute__((always_inline)) __m512 fastsvm_roots(__m512 v) {
    const __m512i low = _mm512_set1_epi32(0x0d800000),
                  range = _mm512_set1_epi32(0x72000000 - 0x0d800000); /* 2^-100, 2^101 */
    const __m512i bits = _mm512_castps_si512(v);
    const __mmask16 plain = _mm512_cmplt_epu32_mask(_mm512_sub_epi32(bits, low), range);
    const __mmask16 zero = _mm512_testn_epi32_mask(bits, bits);
    if (__builtin_expect(!_kortestc_mask16_u8(plain, zero), 0)) return _mm512_sqrt_ps(v);
    const __m512 half = _mm512_set1_ps(0.5f), estimate = _mm512_maskz_rsqrt14_ps(plain, v); /* of 1 / root, to 2^-14 */
    __m512 root = _mm512_mul_ps(v, estimate), half_inverse = _mm512_mul_ps(estimate, half);
    const __m512 error = _mm512_fnmadd_ps(root, half_inverse, half);
    root = _mm512_fmadd_ps(root, error, root);
    half_inverse = _mm512_fmadd_ps(half_inverse, error, half_inverse);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(root, root, v), half_inverse, root);
}
#define FASTSVM_ROOTS_OF_FLOATS
#endif
#endif
