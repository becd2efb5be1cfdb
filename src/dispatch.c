/* The SIMD levels this build holds, and which of them the processor and the operating system support. */
#include "blocks.h"
#include "integers.h"

#define DECLARE(level)                                                                        \
    extern const fastsvm_tiles fastsvm_tiles_f32_##level, fastsvm_tiles_f64_##level;          \
    extern const fastsvm_rows fastsvm_rows_f32_##level, fastsvm_rows_f64_##level;             \
    extern const fastsvm_products fastsvm_products_f32_##level, fastsvm_products_f64_##level; \
    extern const fastsvm_nonzeros fastsvm_nonzeros_f32_##level, fastsvm_nonzeros_f64_##level; \
    extern const fastsvm_blocks fastsvm_blocks_f32_##level, fastsvm_blocks_f64_##level;

/* A level has tiles and rows of its own or of a level below; `integers` is NULL where it has no integer products. */
#define LEVEL(name, kernels, integers)                                                               \
    static const fastsvm_level level_##name = {                                                      \
        #name,                                                                                       \
        {&fastsvm_tiles_f32_##kernels, &fastsvm_rows_f32_##kernels, &fastsvm_products_f32_##kernels, \
         &fastsvm_nonzeros_f32_##kernels, &fastsvm_blocks_f32_##kernels, integers},                  \
        {&fastsvm_tiles_f64_##kernels, &fastsvm_rows_f64_##kernels, &fastsvm_products_f64_##kernels, \
         &fastsvm_nonzeros_f64_##kernels, &fastsvm_blocks_f64_##kernels, NULL},                      \
    };

DECLARE(baseline)
LEVEL(baseline, baseline, NULL)
#ifdef FASTSVM_HAVE_AVX2
DECLARE(avx2)
LEVEL(avx2, avx2, NULL)
#endif
#ifdef FASTSVM_HAVE_AVX512
DECLARE(avx512)
LEVEL(avx512, avx512, NULL)
#ifdef FASTSVM_HAVE_VNNI
extern const fastsvm_integers fastsvm_integers_vnni;
LEVEL(vnni, avx512, &fastsvm_integers_vnni)
#endif
#ifdef FASTSVM_HAVE_AMX
extern const fastsvm_integers fastsvm_integers_amx;
int fastsvm_amx_usable(void);
LEVEL(amx, avx512, &fastsvm_integers_amx)
#endif
#endif

const fastsvm_level *fastsvm_level_at(int k) {
    const fastsvm_level *levels[8] = {&level_baseline};
    int n = 1;
#if defined(FASTSVM_HAVE_AVX2) || defined(FASTSVM_HAVE_AVX512)
    __builtin_cpu_init();
#endif
#ifdef FASTSVM_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))
        levels[n++] = &level_avx2;
#endif
#ifdef FASTSVM_HAVE_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
        levels[n++] = &level_avx512;
#ifdef FASTSVM_HAVE_VNNI
        if (__builtin_cpu_supports("avx512vnni")) levels[n++] = &level_vnni;
#endif
#ifdef FASTSVM_HAVE_AMX
        if (fastsvm_amx_usable()) levels[n++] = &level_amx;
#endif
    }
#endif
    return k >= 0 && k < n ? levels[k] : NULL;
}
