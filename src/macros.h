/* What compilers have under different names. */
#ifndef FASTSVM_MACROS_H
#define FASTSVM_MACROS_H

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define PRAGMA(x) _Pragma(#x)
#if defined(__clang__)
#define UNROLL PRAGMA(clang loop unroll(full))
#else
#define UNROLL PRAGMA(GCC unroll 16)
#endif
#define PREFETCH(p) __builtin_prefetch((p), 0, 2)      /* into the second-level cache */
#define PREFETCH_NEAR(p) __builtin_prefetch((p), 0, 3) /* into the first-level cache */
#define RESTRICT __restrict__
#else
#define INLINE static __inline
#define UNROLL
#define PREFETCH(p) ((void)(p))
#define PREFETCH_NEAR(p) ((void)(p))
#define RESTRICT __restrict
#endif

#endif
