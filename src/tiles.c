/* One SIMD level's tile kernels, for float and double. setup.py compiles this file once per level, with FASTSVM_LEVEL
 * and FASTSVM_VECTOR_BYTES defined and contraction into fused multiply-adds allowed. */
#include "kernels.h"

#define PASTE3(a, b, c) a##b##c
#define SYMBOL(name, level) PASTE3(name, _, level)
#define TABLE(type)                                                                \
    {sizeof(type), LANES,       ROW_BLOCK,    NAME(packed_size), NAME(spill_size), \
     NAME(pack),   NAME(widen), NAME(scores), NAME(gradient),    NAME(data_gradient)}

#define T float
#define NAME(x) x##_f32
#include "simd.h"
#include "tiles.h"
const fastsvm_tiles SYMBOL(fastsvm_tiles_f32, FASTSVM_LEVEL) = TABLE(float);
#undef T
#undef NAME

#define T double
#define NAME(x) x##_f64
#include "simd.h"
#include "tiles.h"
const fastsvm_tiles SYMBOL(fastsvm_tiles_f64, FASTSVM_LEVEL) = TABLE(double);
