/* Products of a bucket of dense examples with one another and with a feature-major W. Included once for each T. */
#define GRAM_BLOCK 4
#if FASTSVM_VECTOR_BYTES == 64
#define BUCKET_ROWS 8
#else
#define BUCKET_ROWS 4
#endif
#define FEATURES_AT_ONCE 8

static void NAME(widen_bucket)(const fastsvm_view *view, const void *factors, const void *const *rows, ptrdiff_t m,
                               ptrdiff_t k0, ptrdiff_t n, void *x, ptrdiff_t apart) {
    NAME(widen)(view, rows, m, k0, n, x, apart);
    if (!factors) return;
    const T *RESTRICT f = (const T *)factors + k0;
    for (ptrdiff_t i = 0; i < m; i++) {
        T *RESTRICT row = (T *)x + i * apart;
        for (ptrdiff_t k = 0; k < n; k++) row[k] *= f[k];
    }
}

/* m x l <= GRAM_BLOCK^2 products, each a vector of sums. */
INLINE void NAME(gram_block)(const T *x, const T *z, const int m, const int l, ptrdiff_t n, ptrdiff_t apart, T *out) {
    VEC sums[GRAM_BLOCK][GRAM_BLOCK];
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < l; j++) sums[i][j] = SPLAT((T)0);
    }
    ptrdiff_t k = 0;
    for (; k + LANES <= n; k += LANES) {
        VEC right[GRAM_BLOCK];
        UNROLL
        for (int j = 0; j < l; j++) right[j] = LOAD(z + j * apart + k);
        UNROLL
        for (int i = 0; i < m; i++) {
            const VEC left = LOAD(x + i * apart + k);
            UNROLL
            for (int j = 0; j < l; j++) sums[i][j] += left * right[j];
        }
    }
    if (k < n)
        for (int i = 0; i < m; i++)
            for (int j = 0; j < l; j++)
                sums[i][j] += NAME(load_part)(x + i * apart + k, n - k) * NAME(load_part)(z + j * apart + k, n - k);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < l; j++) out[i * FASTSVM_BUCKET + j] = NAME(sum)(sums[i][j]);
}

static void NAME(gram)(const void *rows, ptrdiff_t m, ptrdiff_t n, ptrdiff_t apart, void *products) {
    const T *x = rows;
    T *out = products;
    for (ptrdiff_t i = 0; i < m; i += GRAM_BLOCK)
        for (ptrdiff_t j = 0; j <= i; j += GRAM_BLOCK) { /* of the block on the diagonal, some are not needed */
            const T *left = x + i * apart, *right = x + j * apart;
            T *to = out + i * FASTSVM_BUCKET + j;
            if (m - i >= GRAM_BLOCK)
                NAME(gram_block)(left, right, GRAM_BLOCK, GRAM_BLOCK, n, apart, to);
            else
                for (ptrdiff_t r = 0; r < m - i; r++)
                    for (ptrdiff_t c = 0; c < GRAM_BLOCK && j + c <= i + r; c++)
                        NAME(gram_block)(left + r * apart, right + c * apart, 1, 1, n, apart,
                                         to + r * FASTSVM_BUCKET + c);
        }
}

INLINE void NAME(score_rows)(const T *x, const int m, const int v, ptrdiff_t n, ptrdiff_t apart, const T *W,
                             ptrdiff_t stride, T *S) {
    VEC sums[BUCKET_ROWS][2];
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < v; j++) sums[i][j] = SPLAT((T)0);
    }
    for (ptrdiff_t k = 0; k < n; k++, W += stride) {
        VEC w[2];
        UNROLL
        for (int j = 0; j < v; j++) w[j] = LOAD(W + j * LANES);
        UNROLL
        for (int i = 0; i < m; i++) {
            const VEC number = SPLAT(x[i * apart + k]);
            UNROLL
            for (int j = 0; j < v; j++) sums[i][j] += number * w[j];
        }
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < v; j++) STORE(S + i * stride + j * LANES, sums[i][j]);
    }
}

static void NAME(bucket_scores)(const void *rows, ptrdiff_t m, ptrdiff_t n, ptrdiff_t apart, const void *weights,
                                ptrdiff_t stride, void *scores) {
    for (ptrdiff_t c = 0; c < stride; c += 2 * LANES) {
        const T *x = rows, *W = (const T *)weights + c;
        T *S = (T *)scores + c;
        const int two = stride - c >= 2 * LANES;
        ptrdiff_t i = 0;
        for (; i + BUCKET_ROWS <= m; i += BUCKET_ROWS)
            if (two)
                NAME(score_rows)(x + i * apart, BUCKET_ROWS, 2, n, apart, W, stride, S + i * stride);
            else
                NAME(score_rows)(x + i * apart, BUCKET_ROWS, 1, n, apart, W, stride, S + i * stride);
        for (; i < m; i++)
            if (two)
                NAME(score_rows)(x + i * apart, 1, 2, n, apart, W, stride, S + i * stride);
            else
                NAME(score_rows)(x + i * apart, 1, 1, n, apart, W, stride, S + i * stride);
    }
}

/* For `l` features at a time, sums of one vector of classes in registers while the examples pass by. */
INLINE void NAME(add_features)(const T *x, const int32_t *chosen, ptrdiff_t n_chosen, const int l, ptrdiff_t apart,
                               const T *C, ptrdiff_t stride, T *W) {
    VEC sums[FEATURES_AT_ONCE];
    UNROLL
    for (int k = 0; k < l; k++) sums[k] = LOAD(W + k * stride);
    for (ptrdiff_t i = 0; i < n_chosen; i++) {
        const VEC c = LOAD(C + chosen[i] * stride);
        const T *row = x + chosen[i] * apart;
        UNROLL
        for (int k = 0; k < l; k++) sums[k] += row[k] * c;
    }
    UNROLL
    for (int k = 0; k < l; k++) STORE(W + k * stride, sums[k]);
}

static void NAME(bucket_add)(const void *rows, const int32_t *chosen, ptrdiff_t n_chosen, ptrdiff_t n, ptrdiff_t apart,
                             const void *coefficients, ptrdiff_t stride, void *weights) {
    const T *x = rows, *C = coefficients;
    T *W = weights;
    if (!n_chosen) return;
    for (ptrdiff_t c = 0; c < stride; c += LANES) {
        ptrdiff_t k = 0;
        for (; k + FEATURES_AT_ONCE <= n; k += FEATURES_AT_ONCE)
            NAME(add_features)(x + k, chosen, n_chosen, FEATURES_AT_ONCE, apart, C + c, stride, W + k * stride + c);
        for (; k < n; k++) NAME(add_features)(x + k, chosen, n_chosen, 1, apart, C + c, stride, W + k * stride + c);
    }
}
