/* Loads of stored half-width numbers as a vector of T; the other types are left to the compiler. Included once for each
 * T, after simd.h.
 *
 *   bfloat16  the upper half of a float32's bits
 *   float16   IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. Put in place of a float32's upper bits, the
 *             exponent is too small by 127 - 15, which a product with 2^112 mends, for subnormal numbers too; infinity
 *             and NaN have their exponent set.
 */
#ifndef FASTSVM_STORAGE_SCALARS
#define FASTSVM_STORAGE_SCALARS
#include <string.h>
#if defined(__F16C__)
#include <immintrin.h>
#endif

static inline float fastsvm_float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float fastsvm_from_bfloat16(uint16_t stored) { return fastsvm_float_of_bits((uint32_t)stored << 16); }

static inline float fastsvm_from_float16(uint16_t stored) {
    const uint32_t magnitude = (uint32_t)(stored & 0x7fff) << 13, sign = (uint32_t)(stored & 0x8000) << 16;
    const float scaled = fastsvm_float_of_bits(magnitude) * 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &scaled, sizeof bits);
    if (magnitude >= (uint32_t)0x7c00 << 13) bits |= 0x7f800000;
    return fastsvm_float_of_bits(bits | sign);
}
#endif

#if defined(__GNUC__)
#define LANE_BYTES(n) (FASTSVM_VECTOR_BYTES / T_BYTES * (n))
#define STORED(name, type) \
    typedef type NAME(name) __attribute__((vector_size(LANE_BYTES(sizeof(type))), aligned(sizeof(type)), may_alias))
STORED(floats, float);
STORED(bits32, uint32_t);
STORED(bits16, uint16_t);
#undef STORED
#define CONVERT __builtin_convertvector
#define AS(type, p) (*(const NAME(type) *)(p))

INLINE VEC NAME(load_bfloat16)(const uint16_t *p) {
    const NAME(bits32) bits = CONVERT(AS(bits16, p), NAME(bits32)) << 16;
    return CONVERT((NAME(floats))bits, VEC);
}

INLINE VEC NAME(load_float16)(const uint16_t *p) {
#if defined(__F16C__) && FASTSVM_VECTOR_BYTES / T_BYTES == 16
    return (VEC)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif defined(__F16C__) && FASTSVM_VECTOR_BYTES / T_BYTES == 8
    return CONVERT((NAME(floats))_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)), VEC);
#elif defined(__F16C__) && FASTSVM_VECTOR_BYTES / T_BYTES == 4
    return CONVERT((NAME(floats))_mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)p)), VEC);
#else
    const NAME(bits32) stored = CONVERT(AS(bits16, p), NAME(bits32));
    const NAME(bits32) magnitude = (stored & 0x7fff) << 13, sign = (stored & 0x8000) << 16;
    const NAME(bits32) special = (NAME(bits32))(magnitude >= (uint32_t)0x7c00 << 13) & 0x7f800000;
    const NAME(floats) scaled = (NAME(floats))magnitude * 0x1p112f;
    return CONVERT((NAME(floats))((NAME(bits32))scaled | special | sign), VEC);
#endif
}
#undef CONVERT
#undef AS
#undef LANE_BYTES
#else
#define LOAD_SCALAR(name, type, convert) \
    INLINE VEC NAME(name)(const type *p) { return (T)convert(*p); }
LOAD_SCALAR(load_float16, uint16_t, fastsvm_from_float16)
LOAD_SCALAR(load_bfloat16, uint16_t, fastsvm_from_bfloat16)
#undef LOAD_SCALAR
#endif
