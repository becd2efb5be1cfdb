/* Vectors of T as wide as the level's registers (FASTSVM_VECTOR_BYTES), in GNU C's vector extension; where there is
 * none a vector is one number, and the same source is plain C. Included once for each T. */
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

#ifndef FASTSVM_SIMD_MACROS
#define FASTSVM_SIMD_MACROS
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define PRAGMA(x) _Pragma(#x)
#if defined(__clang__)
#define UNROLL PRAGMA(clang loop unroll(full))
#else
#define UNROLL PRAGMA(GCC unroll 16)
#endif
#define PREFETCH(p) __builtin_prefetch((p), 0, 2)
#define RESTRICT __restrict__
#else
#define INLINE static __inline
#define UNROLL
#define PREFETCH(p) ((void)(p))
#define RESTRICT __restrict
#endif
#endif

/* The first n < LANES numbers at p, then zeros; never reads past them. */
INLINE VEC NAME(load_part)(const T *p, ptrdiff_t n) {
    T part[LANES];
    for (ptrdiff_t k = 0; k < LANES; k++) part[k] = k < n ? p[k] : 0;
    return LOAD(part);
}

/* Sum of a vector's numbers, by halves. */
INLINE T NAME(sum)(VEC v) {
    T part[LANES];
    STORE(part, v);
    for (ptrdiff_t width = LANES / 2; width > 0; width /= 2)
        for (ptrdiff_t k = 0; k < width; k++) part[k] += part[k + width];
    return part[0];
}
