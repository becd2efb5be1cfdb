/* One SIMD level's row kernels, for float and double. setup.py compiles this file once per level, with FASTSVM_LEVEL
 * and FASTSVM_VECTOR_BYTES defined and contraction off. */
#include "kernels.h"

#define PASTE3(a, b, c) a##b##c
#define SYMBOL(name, level) PASTE3(name, _, level)
#define TABLE {NAME(loss), NAME(sum_parts), NAME(add_row), NAME(scale_row), NAME(finish), NAME(squares), NAME(update)}

#define T float
#define NAME(x) x##_f32
#define EXP expf
#define SQRT sqrtf
#include "simd.h"
#include "losses.h"
#include "rows.h"
#include "updates.h"
const fastsvm_rows SYMBOL(fastsvm_rows_f32, FASTSVM_LEVEL) = TABLE;
#undef T
#undef NAME
#undef EXP
#undef SQRT

#define T double
#define NAME(x) x##_f64
#define EXP exp
#define SQRT sqrt
#include "simd.h"
#include "losses.h"
#include "rows.h"
#include "updates.h"
const fastsvm_rows SYMBOL(fastsvm_rows_f64, FASTSVM_LEVEL) = TABLE;
