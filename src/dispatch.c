/* The SIMD levels this build holds, and which of them the processor and the operating system support. */
#include "kernels.h"

#define DECLARE(level)                                                               \
    extern const fastsvm_tiles fastsvm_tiles_f32_##level, fastsvm_tiles_f64_##level; \
    extern const fastsvm_rows fastsvm_rows_f32_##level, fastsvm_rows_f64_##level;    \
    static const fastsvm_level level_##level = {                                     \
        #level,                                                                      \
        {&fastsvm_tiles_f32_##level, &fastsvm_rows_f32_##level},                     \
        {&fastsvm_tiles_f64_##level, &fastsvm_rows_f64_##level},                     \
    };

DECLARE(baseline)
#ifdef FASTSVM_HAVE_AVX2
DECLARE(avx2)
#endif
#ifdef FASTSVM_HAVE_AVX512
DECLARE(avx512)
#endif

const fastsvm_level *fastsvm_level_at(int k) {
    const fastsvm_level *levels[4] = {&level_baseline};
    int n = 1;
#if defined(FASTSVM_HAVE_AVX2) || defined(FASTSVM_HAVE_AVX512)
    __builtin_cpu_init();
#endif
#ifdef FASTSVM_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) levels[n++] = &level_avx2;
#endif
#ifdef FASTSVM_HAVE_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
        levels[n++] = &level_avx512;
#endif
    return k >= 0 && k < n ? levels[k] : NULL;
}
