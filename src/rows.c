/* One SIMD level's row kernels, for float and double. setup.py compiles this file once per level, with FASTSVM_LEVEL
 * and FASTSVM_VECTOR_BYTES defined and contraction off. */
#include "kernels.h"

#include "roots.h"

#define PASTE3(a, b, c) a##b##c
#define SYMBOL(name, level) PASTE3(name, _, level)
#define TABLE(...)                                                                               \
    {NAME(loss),    NAME(sum_parts), NAME(add_row),         NAME(scale_row),       NAME(finish), \
     NAME(squares), NAME(update),    NAME(lay_differences), NAME(combined_losses), __VA_ARGS__}

#define T float
#define NAME(x) x##_f32
#define T_BYTES 4
#define SQRT sqrtf
#ifdef FASTSVM_ROOTS_OF_FLOATS
#define ROOTS(v) (VEC) fastsvm_roots((__m512)(v))
#endif
#include "simd.h"
#include "losses.h"
#include "rows.h"
#include "updates.h"
#include "decide.h"
#include "rounding.h"
#include "stacked.h"
#include "combined.h"
const fastsvm_rows SYMBOL(fastsvm_rows_f32, FASTSVM_LEVEL) = TABLE(decide, dot_bytes, measure, round_weights,
                                                                   stacked_loss, from_digits, center, NULL, NULL);
#undef T
#undef NAME
#undef T_BYTES
#undef SQRT
#undef ROOTS

#define T double
#define NAME(x) x##_f64
#define T_BYTES 8
#define SQRT sqrt
#include "simd.h"
#include "losses.h"
#include "storage.h"
#include "rows.h"
#include "updates.h"
#include "combined.h"
#include "quotients.h"
const fastsvm_rows SYMBOL(fastsvm_rows_f64, FASTSVM_LEVEL) = TABLE(NULL, NULL, NULL, NULL, NULL, NULL, NULL, quotients,
                                                                   scaled_row);
