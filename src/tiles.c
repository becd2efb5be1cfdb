/* One SIMD level's tile kernels, for float and double. setup.py compiles this file once per level, with FASTSVM_LEVEL
 * and FASTSVM_VECTOR_BYTES defined and contraction into fused multiply-adds allowed. */
#include "kernels.h"

#define PASTE3(a, b, c) a##b##c
#define SYMBOL(name, level) PASTE3(name, _, level)
#define TABLE(type)                                                                      \
    {sizeof(type), LANES,        ROW_BLOCK,      NAME(packed_size),  NAME(scratch_size), \
     NAME(pack),   NAME(scores), NAME(gradient), NAME(data_gradient)}
#define PRODUCTS             \
    {WIDTH,                  \
     PRODUCT_ROWS,           \
     NAME(lay_rows),         \
     NAME(lay_panels),       \
     NAME(lay_groups),       \
     NAME(lay_classes),      \
     NAME(rows_by_panel),    \
     NAME(groups_by_panel),  \
     NAME(columns_by_panel), \
     NAME(scale)}

#define NONZEROS                                                                                             \
    {NAME(lay_entries), NAME(lay_entries_double), NAME(entry_scores), NAME(add_entries), add_entries_double, \
     NAME(join),        NAME(lay_weights),        NAME(take_weights)}

#define T float
#define T_BYTES 4
#define NAME(x) x##_f32
#include "simd.h"
#include "storage.h"
#include "tiles.h"
#include "products.h"
#include "nonzeros.h"
const fastsvm_tiles SYMBOL(fastsvm_tiles_f32, FASTSVM_LEVEL) = TABLE(float);
const fastsvm_products SYMBOL(fastsvm_products_f32, FASTSVM_LEVEL) = PRODUCTS;
const fastsvm_nonzeros SYMBOL(fastsvm_nonzeros_f32, FASTSVM_LEVEL) = NONZEROS;
#undef T
#undef T_BYTES
#undef NAME

#define T double
#define T_BYTES 8
#define NAME(x) x##_f64
#include "simd.h"
#include "storage.h"
#include "tiles.h"
#include "products.h"
#include "nonzeros.h"
const fastsvm_tiles SYMBOL(fastsvm_tiles_f64, FASTSVM_LEVEL) = TABLE(double);
const fastsvm_products SYMBOL(fastsvm_products_f64, FASTSVM_LEVEL) = PRODUCTS;
const fastsvm_nonzeros SYMBOL(fastsvm_nonzeros_f64, FASTSVM_LEVEL) = NONZEROS;
