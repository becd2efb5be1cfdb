/* Products of the entries of a sparse row with W and with d. Included once for each T.
 *
 * W is feature-major, so that an entry meets the weights of all classes of its feature side by side: the scores of a
 * row are a sum of such runs, each times a number, and its gradient adds to the same runs. A block of classes
 * keeps its sums in registers while all entries pass by. Neighbouring entries have sums of their own, which are added
 * up at the end: a sum would otherwise wait for the one before.
 *
 * A run is padded to a multiple of 4 numbers (FASTSVM_STRIDE), not of the vector: it takes the same lines of the cache
 * and less memory. The last vector of a block may therefore be a part.
 */
#define CLASS_VECTORS 4 /* of a block: two sums for each stay in registers */

#define LAY_ENTRIES(name, type)                                                                                       \
    static void NAME(name)(const fastsvm_csr *X, ptrdiff_t begin, ptrdiff_t n, ptrdiff_t stride, const void *factors, \
                           ptrdiff_t *RESTRICT offsets, void *values) {                                               \
        const T *RESTRICT f = factors;                                                                                \
        type *RESTRICT to = values;                                                                                   \
        if (X->wide)                                                                                                  \
            for (ptrdiff_t k = 0; k < n; k++) offsets[k] = (ptrdiff_t)((const int64_t *)X->indices)[begin + k];       \
        else                                                                                                          \
            for (ptrdiff_t k = 0; k < n; k++) offsets[k] = ((const int32_t *)X->indices)[begin + k];                  \
        if (X->storage == FASTSVM_FLOAT64)                                                                            \
            for (ptrdiff_t k = 0; k < n; k++) to[k] = (type)((const double *)X->values)[begin + k];                   \
        else                                                                                                          \
            for (ptrdiff_t k = 0; k < n; k++) to[k] = (type)((const float *)X->values)[begin + k];                    \
        if (f)                                                                                                        \
            for (ptrdiff_t k = 0; k < n; k++) to[k] *= f[offsets[k]];                                                 \
        for (ptrdiff_t k = 0; k < n; k++) offsets[k] *= stride;                                                       \
    }
LAY_ENTRIES(lay_entries, T)

/* Vector j of v: whole, or the first `part` numbers of the last one where that is cut. */
INLINE VEC NAME(take_run)(const T *p, const int j, const int v, const int cut, ptrdiff_t part) {
    return cut && j == v - 1 ? NAME(load_part)(p + j * LANES, part) : LOAD(p + j * LANES);
}

INLINE void NAME(put_run)(T *p, const int j, const int v, const int cut, ptrdiff_t part, VEC sum) {
    if (cut && j == v - 1)
        NAME(store_part)(p + j * LANES, part, sum);
    else
        STORE(p + j * LANES, sum);
}

/* `call(v, cut)` for each block of classes [c, c + v vectors), the last of `part` numbers where it is cut. */
#define EACH_CLASS_BLOCK(stride, call)                                                       \
    for (ptrdiff_t c = 0; c < (stride); c += CLASS_VECTORS * LANES) {                        \
        const ptrdiff_t left = (stride) - c, part = left % LANES;                            \
        const int whole = part == 0 || left >= CLASS_VECTORS * LANES;                        \
        switch (left < CLASS_VECTORS * LANES ? (left + LANES - 1) / LANES : CLASS_VECTORS) { \
            CLASS_CASE(1, call)                                                              \
            CLASS_CASE(2, call)                                                              \
            CLASS_CASE(3, call)                                                              \
            CLASS_CASE(4, call)                                                              \
        }                                                                                    \
    }
#define CLASS_CASE(v, call) \
    case v:                 \
        if (whole)          \
            call(v, 0);     \
        else                \
            call(v, 1);     \
        break;

INLINE void NAME(entry_scores_block)(const ptrdiff_t *offsets, const T *values, ptrdiff_t n, const T *W, const int v,
                                     const int cut, ptrdiff_t part, T *S, int accumulate) {
    VEC sums[2][CLASS_VECTORS];
    UNROLL
    for (int j = 0; j < v; j++) {
        sums[0][j] = accumulate ? NAME(take_run)(S, j, v, cut, part) : SPLAT((T)0);
        sums[1][j] = SPLAT((T)0);
    }
    ptrdiff_t k = 0;
    for (; k + 2 <= n; k += 2) {
        UNROLL
        for (int h = 0; h < 2; h++) {
            const T *w = W + offsets[k + h];
            const VEC x = SPLAT(values[k + h]);
            UNROLL
            for (int j = 0; j < v; j++) sums[h][j] += x * NAME(take_run)(w, j, v, cut, part);
        }
    }
    if (k < n) {
        const T *w = W + offsets[k];
        const VEC x = SPLAT(values[k]);
        UNROLL
        for (int j = 0; j < v; j++) sums[0][j] += x * NAME(take_run)(w, j, v, cut, part);
    }
    UNROLL
    for (int j = 0; j < v; j++) NAME(put_run)(S, j, v, cut, part, sums[0][j] + sums[1][j]);
}

static void NAME(entry_scores)(const ptrdiff_t *offsets, const void *values, ptrdiff_t n, const void *weights,
                               ptrdiff_t stride, void *out, int accumulate) {
    const T *x = values, *W = weights;
    T *S = out;
#define CALL(v, cut) NAME(entry_scores_block)(offsets, x, n, W + c, v, cut, part, S + c, accumulate)
    EACH_CLASS_BLOCK(stride, CALL)
#undef CALL
}

INLINE double NAME(add_entries_block)(const ptrdiff_t *offsets, const T *values, ptrdiff_t n, const T *d, T *W,
                                      const int v, const int cut, ptrdiff_t part, const int measured) {
    VEC own[CLASS_VECTORS], before[2][CLASS_VECTORS];
    UNROLL
    for (int j = 0; j < v; j++) {
        own[j] = NAME(take_run)(d, j, v, cut, part);
        before[0][j] = before[1][j] = SPLAT((T)0);
    }
    for (ptrdiff_t k = 0; k < n; k += 2) {
        UNROLL
        for (int h = 0; h < 2; h++) {
            if (k + h == n) break;
            T *w = W + offsets[k + h];
            const VEC x = SPLAT(values[k + h]);
            UNROLL
            for (int j = 0; j < v; j++) {
                const VEC run = NAME(take_run)(w, j, v, cut, part);
                if (measured) before[h][j] += x * run;
                NAME(put_run)(w, j, v, cut, part, run + x * own[j]);
            }
        }
    }
    VEC sum = SPLAT((T)0);
    UNROLL
    for (int j = 0; j < v; j++) sum += own[j] * (before[0][j] + before[1][j]);
    return measured ? NAME(sum)(sum) : 0;
}

static double NAME(add_entries)(const ptrdiff_t *offsets, const void *values, ptrdiff_t n, const void *dscores,
                                void *weights, ptrdiff_t stride, int measured) {
    const T *x = values, *d = dscores;
    T *W = weights;
    double sum = 0;
#define CALL(v, cut) sum += NAME(add_entries_block)(offsets, x, n, d + c, W + c, v, cut, part, 1)
#define CALL_UNMEASURED(v, cut) NAME(add_entries_block)(offsets, x, n, d + c, W + c, v, cut, part, 0)
    if (measured)
        EACH_CLASS_BLOCK(stride, CALL)
    else
        EACH_CLASS_BLOCK(stride, CALL_UNMEASURED)
#undef CALL_UNMEASURED
#undef CALL
    return sum;
}

static void NAME(join)(const void *all_parts, ptrdiff_t apart, ptrdiff_t n_parts, ptrdiff_t stride, double scale,
                       const void *intercept, ptrdiff_t n_classes, void *out) {
    const T *RESTRICT parts = all_parts, *RESTRICT b = intercept;
    const T factor = (T)scale;
    T *RESTRICT S = out;
    for (ptrdiff_t c = 0; c < n_classes; c++) S[c] = parts[c];
    for (ptrdiff_t p = 1; p < n_parts; p++)
        for (ptrdiff_t c = 0; c < n_classes; c++) S[c] += parts[p * apart + c];
    for (ptrdiff_t c = 0; c < n_classes; c++) S[c] *= factor;
    if (b)
        for (ptrdiff_t c = 0; c < n_classes; c++) S[c] += b[c];
    for (ptrdiff_t c = n_classes; c < stride; c++) S[c] = 0;
}

/* Four numbers of each of four rows become those of four columns. */
#undef FOUR
#undef MIX
#if defined(__GNUC__)
typedef T NAME(four) __attribute__((vector_size(4 * sizeof(T))));
typedef T NAME(unaligned_four) __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T)), may_alias));
#define FOUR(p) (*(NAME(unaligned_four) *)(p))
#if defined(__clang__)
#define MIX(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#if T_BYTES == 4
typedef int32_t NAME(places_of_mix) __attribute__((vector_size(16)));
#else
typedef int64_t NAME(places_of_mix) __attribute__((vector_size(32)));
#endif
#define MIX(a, b, ...) __builtin_shuffle(a, b, (NAME(places_of_mix)){__VA_ARGS__})
#endif

INLINE void NAME(turn_fours)(NAME(four) * v) {
    const NAME(four) low = MIX(v[0], v[1], 0, 4, 1, 5), low2 = MIX(v[2], v[3], 0, 4, 1, 5);
    const NAME(four) high = MIX(v[0], v[1], 2, 6, 3, 7), high2 = MIX(v[2], v[3], 2, 6, 3, 7);
    v[0] = MIX(low, low2, 0, 1, 4, 5), v[1] = MIX(low, low2, 2, 3, 6, 7);
    v[2] = MIX(high, high2, 0, 1, 4, 5), v[3] = MIX(high, high2, 2, 3, 6, 7);
}
#endif

static void NAME(lay_weights)(const void *weights, ptrdiff_t n_classes, ptrdiff_t n_features, ptrdiff_t f0,
                              ptrdiff_t f1, ptrdiff_t stride, void *out) {
    for (ptrdiff_t c = 0; c < stride; c += 4) {
        const ptrdiff_t m = n_classes - c < 4 ? n_classes - c : 4;
        const T *W = (const T *)weights + c * n_features;
        T *V = (T *)out + c;
        ptrdiff_t f = f0;
#if defined(__GNUC__)
        for (; f + 4 <= f1; f += 4) {
            NAME(four) v[4] = {{0}};
            for (ptrdiff_t i = 0; i < m; i++) v[i] = FOUR(W + i * n_features + f);
            NAME(turn_fours)(v);
            for (ptrdiff_t i = 0; i < 4; i++) FOUR(V + (f + i) * stride) = v[i];
        }
#endif
        for (; f < f1; f++)
            for (ptrdiff_t i = 0; i < 4; i++) V[f * stride + i] = i < m ? W[i * n_features + f] : 0;
    }
}

static void NAME(take_weights)(const void *in, ptrdiff_t stride, double scale, ptrdiff_t n_classes,
                               ptrdiff_t n_features, ptrdiff_t f0, ptrdiff_t f1, void *weights) {
    const T factor = (T)scale;
    for (ptrdiff_t c = 0; c < n_classes; c += 4) {
        const ptrdiff_t m = n_classes - c < 4 ? n_classes - c : 4;
        const T *V = (const T *)in + c;
        T *W = (T *)weights + c * n_features;
        ptrdiff_t f = f0;
#if defined(__GNUC__)
        for (; f + 4 <= f1; f += 4) {
            NAME(four) v[4];
            for (ptrdiff_t i = 0; i < 4; i++) v[i] = FOUR((T *)V + (f + i) * stride) * factor;
            NAME(turn_fours)(v);
            for (ptrdiff_t i = 0; i < m; i++) FOUR(W + i * n_features + f) = v[i];
        }
#endif
        for (; f < f1; f++)
            for (ptrdiff_t i = 0; i < m; i++) W[i * n_features + f] = V[f * stride + i] * factor;
    }
}

/* For double the same as above; for float as the double that is included next has it. */
#if T_BYTES == 8
static void add_entries_double(const ptrdiff_t *offsets, const double *values, ptrdiff_t n, const double *d, double *G,
                               ptrdiff_t stride) {
    NAME(add_entries)(offsets, values, n, d, G, stride, 0);
}
#else
static void add_entries_double(const ptrdiff_t *offsets, const double *values, ptrdiff_t n, const double *d, double *G,
                               ptrdiff_t stride);
#endif
LAY_ENTRIES(lay_entries_double, double)
#undef LAY_ENTRIES
