/* One SIMD level's kernels of the dual solver, for float and double. setup.py compiles this file once per level, with
 * FASTSVM_LEVEL and FASTSVM_VECTOR_BYTES defined and contraction into fused multiply-adds allowed. */
#include "blocks.h"

#include <math.h>

#define PASTE3(a, b, c) a##b##c
#define SYMBOL(name, level) PASTE3(name, _, level)
#define TABLE                                                                                       \
    {sizeof(T),        LANES,           NAME(widen_bucket), NAME(gram),        NAME(bucket_scores), \
     NAME(bucket_add), NAME(to_double), NAME(from_double),  fastsvm_block_step}

/* A comparison of vectors holds all bits set or none, one of numbers 1 or 0. */
#if defined(__GNUC__)
#define BITS_VECTOR NAME(bits_vector)
#define SELECT(condition, a, b) \
    ((VEC)(((BITS_VECTOR)(condition) & (BITS_VECTOR)(a)) | (~(BITS_VECTOR)(condition) & (BITS_VECTOR)(b))))
#else
#define SELECT(condition, a, b) ((condition) ? (a) : (b))
#endif

#define T double
#define T_BYTES 8
#define NAME(x) x##_f64
#include "simd.h"
#include "storage.h"
#include "widen.h"
#include "rowwise.h"
#include "bucket.h"
#if defined(__GNUC__)
typedef uint64_t BITS_VECTOR __attribute__((vector_size(FASTSVM_VECTOR_BYTES)));
#endif
#include "block_step.h"
#define fastsvm_block_step step_f64
const fastsvm_blocks SYMBOL(fastsvm_blocks_f64, FASTSVM_LEVEL) = TABLE;
#undef T
#undef T_BYTES
#undef NAME

#define T float
#define T_BYTES 4
#define NAME(x) x##_f32
#include "simd.h"
#include "storage.h"
#include "widen.h"
#include "rowwise.h"
#include "bucket.h"
const fastsvm_blocks SYMBOL(fastsvm_blocks_f32, FASTSVM_LEVEL) = TABLE;
