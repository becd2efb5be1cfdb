/* Vectors of T as wide as the level's registers (FASTSVM_VECTOR_BYTES), in GNU C's vector extension; where there is
 * none a vector is one number, and the same source is plain C. Included once for each T. */
#include "macros.h"

#include <stdint.h>
#include <string.h>

#undef VEC
#undef LANES
#undef LOAD
#undef STORE
#undef SPLAT
#define VEC NAME(vector)
#if defined(__GNUC__)
#define LANES ((ptrdiff_t)(FASTSVM_VECTOR_BYTES / sizeof(T)))
typedef T VEC __attribute__((vector_size(FASTSVM_VECTOR_BYTES)));
typedef T NAME(unaligned_vector) __attribute__((vector_size(FASTSVM_VECTOR_BYTES), aligned(sizeof(T)), may_alias));
#define LOAD(p) ((VEC)(*(const NAME(unaligned_vector) *)(p)))
#define STORE(p, v) (*(NAME(unaligned_vector) *)(p) = (v))
#define SPLAT(s) ((s) - (VEC){0}) /* s - 0 is s, also for -0 */
#else
#define LANES 1
typedef T VEC;
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define SPLAT(s) (s)
#endif

#if defined(__GNUC__) && defined(__AVX2__) && !defined(FIRST_OF_8)
#include <immintrin.h>
#define FIRST_OF_8(n) _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define FIRST_OF_4(n) _mm256_cmpgt_epi64(_mm256_set1_epi64x((n)), _mm256_setr_epi64x(0, 1, 2, 3))
#endif

/* The first n < LANES numbers at p, then zeros; never reads past them. */
INLINE VEC NAME(load_part)(const T *p, ptrdiff_t n) {
#if defined(__AVX512F__) && FASTSVM_VECTOR_BYTES == 64 && T_BYTES == 4
    return (VEC)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(__AVX512F__) && FASTSVM_VECTOR_BYTES == 64
    return (VEC)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif defined(__AVX2__) && FASTSVM_VECTOR_BYTES == 32 && T_BYTES == 4
    return (VEC)_mm256_maskload_ps(p, FIRST_OF_8(n));
#elif defined(__AVX2__) && FASTSVM_VECTOR_BYTES == 32
    return (VEC)_mm256_maskload_pd(p, FIRST_OF_4(n));
#else
    T part[LANES];
    for (ptrdiff_t k = 0; k < LANES; k++) part[k] = k < n ? p[k] : 0;
    return LOAD(part);
#endif
}

/* The first n < LANES numbers of v to p; never writes past them. */
INLINE void NAME(store_part)(T *p, ptrdiff_t n, VEC v) {
#if defined(__AVX512F__) && FASTSVM_VECTOR_BYTES == 64 && T_BYTES == 4
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined(__AVX512F__) && FASTSVM_VECTOR_BYTES == 64
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif defined(__AVX2__) && FASTSVM_VECTOR_BYTES == 32 && T_BYTES == 4
    _mm256_maskstore_ps(p, FIRST_OF_8(n), (__m256)v);
#elif defined(__AVX2__) && FASTSVM_VECTOR_BYTES == 32
    _mm256_maskstore_pd(p, FIRST_OF_4(n), (__m256d)v);
#else
    T part[LANES];
    STORE(part, v);
    for (ptrdiff_t k = 0; k < n; k++) p[k] = part[k];
#endif
}

/* What TURN makes of a vector: its numbers, each moved towards the first by half of the vector, by a quarter, and so on
 * until neighbours change places. */
#undef TURN
#undef EACH_TURN
#if defined(__clang__)
#define TURN(v, ...) __builtin_shufflevector(v, v, __VA_ARGS__)
#elif defined(__GNUC__)
#if T_BYTES == 4
typedef int32_t NAME(places_of_turn) __attribute__((vector_size(FASTSVM_VECTOR_BYTES)));
#else
typedef int64_t NAME(places_of_turn) __attribute__((vector_size(FASTSVM_VECTOR_BYTES)));
#endif
#define TURN(v, ...) __builtin_shuffle(v, (NAME(places_of_turn)){__VA_ARGS__})
#endif

/* `with(v, turned)` for each turn in turn: what v's first number is combined with becomes all numbers, by halves. */
#if !defined(__GNUC__)
#define EACH_TURN(v, with)
#elif FASTSVM_VECTOR_BYTES / T_BYTES == 16
#define EACH_TURN(v, with)                                                  \
    with(v, TURN(v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)); \
    with(v, TURN(v, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3)); \
    with(v, TURN(v, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1)); \
    with(v, TURN(v, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0));
#elif FASTSVM_VECTOR_BYTES / T_BYTES == 8
#define EACH_TURN(v, with)                    \
    with(v, TURN(v, 4, 5, 6, 7, 0, 1, 2, 3)); \
    with(v, TURN(v, 2, 3, 4, 5, 6, 7, 0, 1)); \
    with(v, TURN(v, 1, 2, 3, 4, 5, 6, 7, 0));
#elif FASTSVM_VECTOR_BYTES / T_BYTES == 4
#define EACH_TURN(v, with)        \
    with(v, TURN(v, 2, 3, 0, 1)); \
    with(v, TURN(v, 1, 2, 3, 0));
#elif FASTSVM_VECTOR_BYTES / T_BYTES == 2
#define EACH_TURN(v, with) with(v, TURN(v, 1, 0));
#endif

#undef ADD_TURNED
#define ADD_TURNED(v, turned) (v) += (turned)

/* Sum of a vector's numbers, by halves. */
INLINE T NAME(sum)(VEC v) {
    T first;
    EACH_TURN(v, ADD_TURNED)
    memcpy(&first, &v, sizeof first);
    return first;
}
