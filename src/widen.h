/* Stored rows as numbers of T. Included once for each T, after simd.h and storage.h. */
/* out[i][k] = rows[i][k0 + k] - shift[k0 + k] for k in [0, n); rows of `out` lie `stride` numbers apart. */
static void NAME(widen)(const fastsvm_view *view, const void *const *rows, ptrdiff_t n_rows, ptrdiff_t k0, ptrdiff_t n,
                        T *out, ptrdiff_t stride) {
    const T *RESTRICT shift = view->shift ? (const T *)view->shift + k0 : NULL;
    const ptrdiff_t whole = n / LANES * LANES;
#define ROWS(type)                                           \
    for (ptrdiff_t i = 0; i < n_rows; i++) {                 \
        const type *RESTRICT x = (const type *)rows[i] + k0; \
        T *RESTRICT to = out + i * stride;
#define WIDEN(type)                                                   \
    ROWS(type)                                                        \
    if (shift)                                                        \
        for (ptrdiff_t k = 0; k < n; k++) to[k] = (T)x[k] - shift[k]; \
    else                                                              \
        for (ptrdiff_t k = 0; k < n; k++) to[k] = (T)x[k];            \
    }                                                                 \
    break
#define WIDEN_HALF(load, convert)                                                                        \
    ROWS(uint16_t)                                                                                       \
    if (shift)                                                                                           \
        for (ptrdiff_t k = 0; k < whole; k += LANES) STORE(to + k, NAME(load)(x + k) - LOAD(shift + k)); \
    else                                                                                                 \
        for (ptrdiff_t k = 0; k < whole; k += LANES) STORE(to + k, NAME(load)(x + k));                   \
    for (ptrdiff_t k = whole; k < n; k++) to[k] = (T)convert(x[k]) - (shift ? shift[k] : 0);             \
    }                                                                                                    \
    break
    switch (view->storage) {
    case FASTSVM_FLOAT64: WIDEN(double);
    case FASTSVM_FLOAT32: WIDEN(float);
    case FASTSVM_FLOAT16: WIDEN_HALF(load_float16, fastsvm_from_float16);
    case FASTSVM_BFLOAT16: WIDEN_HALF(load_bfloat16, fastsvm_from_bfloat16);
    case FASTSVM_UINT8: WIDEN(uint8_t);
    case FASTSVM_INT8: WIDEN(int8_t);
    }
#undef WIDEN_HALF
#undef WIDEN
#undef ROWS
}
