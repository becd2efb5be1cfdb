/* Products for many classes: matrix against matrix, where tiles.h has a few classes against a tile of rows. Included
 * once for each T, after tiles.h.
 *
 *   S = X W^T + b     scores        broadcast X, vectors of classes
 *   G = D^T X         gradient      broadcast D, vectors of features
 *   dX = D W          on the data   broadcast D, vectors of features
 *
 * All three are one scheme (K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", 2008): a
 * register block of PRODUCT_ROWS x 2 vectors of sums; each step loads two vectors and multiplies them with PRODUCT_ROWS
 * numbers broadcast from memory. What a step reads lies together:
 *
 *   panels of WIDTH = 2 LANES columns, each [row][WIDTH]: X (and W for dX), the last padded with zeros. The product of
 *     scores reads X in them as well, one row's WIDTH features after the other, so X is laid out once for both.
 *   panels of W: WIDTH classes, each [feature][WIDTH].
 *   groups of PRODUCT_ROWS columns, each [row][PRODUCT_ROWS]: D, padded with zeros.
 *
 * A vector streams through the second-level cache while a block of the other operand stays there; so the sums of up to
 * SCORE_DEPTH features or GRADIENT_DEPTH rows are held in registers, and these are added up in memory.
 */
#if FASTSVM_VECTOR_BYTES == 64
#define PRODUCT_ROWS 12 /* 12 x 2 sums, 2 vectors and a broadcast in 32 registers */
#else
#define PRODUCT_ROWS 6 /* 6 x 2 sums, 2 vectors and a broadcast in 16 registers */
#endif
#define WIDTH (2 * LANES)
#define SCORE_DEPTH 768
#define GRADIENT_DEPTH 336 /* roundings of one sign add up to 1e-5 beyond some 500 rows of float */
#define FETCH_STEPS 16

/* sums += columns of A x rows of B for `depth` steps, A's numbers `apart` and its steps `step` numbers apart. */
INLINE void NAME(multiply)(VEC (*sums)[2], const int m, const int v, const T *a, const int apart, const int step,
                           const T *b, ptrdiff_t depth) {
    for (ptrdiff_t k = 0; k < depth; k++, a += step, b += WIDTH) {
        VEC u[2];
        UNROLL
        for (int j = 0; j < v; j++) u[j] = LOAD(b + j * LANES);
        UNROLL
        for (int j = 0; j < v; j++) PREFETCH_NEAR(b + FETCH_STEPS * WIDTH + j * LANES);
        if (apart == 1) PREFETCH_NEAR(a + FETCH_STEPS * step);
        UNROLL
        for (int i = 0; i < m; i++) {
            const VEC x = SPLAT(a[i * apart]);
            UNROLL
            for (int j = 0; j < v; j++) sums[i][j] += x * u[j];
        }
    }
}

/* Begin with zeros. */
INLINE void NAME(clear)(VEC (*sums)[2], const int m, const int v) {
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < v; j++) sums[i][j] = SPLAT((T)0);
    }
}

/* C (+)= sums (+ start, one row for all). */
INLINE void NAME(keep)(VEC (*sums)[2], const int m, const int v, const T *start, int accumulate, T *C,
                       ptrdiff_t stride) {
    UNROLL
    for (int i = 0; i < m; i++) {
        UNROLL
        for (int j = 0; j < v; j++) {
            T *c = C + i * stride + j * LANES;
            VEC sum = sums[i][j];
            if (accumulate) sum = LOAD(c) + sum;
            if (start) sum += LOAD(start + j * LANES);
            STORE(c, sum);
        }
    }
}

/* m rows of A times one panel: A in panels (or groups) of `width` columns that lie `apart` numbers apart. */
INLINE void NAME(rows_block)(const T *A, const int m, const int v, const int width, ptrdiff_t apart, const T *B,
                             ptrdiff_t depth, const T *start, T *C, ptrdiff_t stride) {
    const ptrdiff_t chunk = SCORE_DEPTH / width * width;
    for (ptrdiff_t first = 0; first < depth; first += chunk) {
        const ptrdiff_t end = depth - first < chunk ? depth : first + chunk;
        VEC sums[PRODUCT_ROWS][2];
        NAME(clear)(sums, m, v);
        for (ptrdiff_t k = first; k < end; k += width, A += apart, B += width * WIDTH)
            NAME(multiply)(sums, m, v, A, width, 1, B, end - k < width ? end - k : width);
        NAME(keep)(sums, m, v, first ? NULL : start, first > 0, C, stride);
    }
}

/* m columns of A (a group) times one panel, over `depth` rows of both. */
INLINE void NAME(columns_block)(const T *A, const int m, const int v, const T *B, ptrdiff_t depth, int accumulate, T *C,
                                ptrdiff_t stride) {
    for (ptrdiff_t k = 0; k < depth; k += GRADIENT_DEPTH) {
        const ptrdiff_t n = depth - k < GRADIENT_DEPTH ? depth - k : GRADIENT_DEPTH;
        VEC sums[PRODUCT_ROWS][2];
        NAME(clear)(sums, m, v);
        NAME(multiply)(sums, m, v, A + k * PRODUCT_ROWS, 1, PRODUCT_ROWS, B + k * WIDTH, n);
        NAME(keep)(sums, m, v, NULL, accumulate || k > 0, C, stride);
    }
}

/* Blocks of PRODUCT_ROWS rows; the last may be one or two thirds of it, and what is too much is padding of A and C. */
#define EACH_BLOCK(call)                                               \
    for (ptrdiff_t i = 0; i < m; i += PRODUCT_ROWS) {                  \
        const int two = columns > LANES;                               \
        switch ((m - i + PRODUCT_ROWS / 3 - 1) / (PRODUCT_ROWS / 3)) { \
        case 1:                                                        \
            if (two)                                                   \
                call(PRODUCT_ROWS / 3, 2);                             \
            else                                                       \
                call(PRODUCT_ROWS / 3, 1);                             \
            break;                                                     \
        case 2:                                                        \
            if (two)                                                   \
                call(PRODUCT_ROWS / 3 * 2, 2);                         \
            else                                                       \
                call(PRODUCT_ROWS / 3 * 2, 1);                         \
            break;                                                     \
        default:                                                       \
            if (two)                                                   \
                call(PRODUCT_ROWS, 2);                                 \
            else                                                       \
                call(PRODUCT_ROWS, 1);                                 \
        }                                                              \
    }

static void NAME(rows_by_panel)(const void *rows, ptrdiff_t m, ptrdiff_t apart, const void *panel, ptrdiff_t columns,
                                ptrdiff_t depth, const void *start, void *product, ptrdiff_t stride) {
    const T *A = rows, *B = panel, *b = start;
    T *C = product;
#define CALL(n, v) NAME(rows_block)(A + i * WIDTH, n, v, WIDTH, apart, B, depth, b, C + i * stride, stride)
    EACH_BLOCK(CALL)
#undef CALL
}

static void NAME(groups_by_panel)(const void *rows, ptrdiff_t m, ptrdiff_t apart, const void *panel, ptrdiff_t columns,
                                  ptrdiff_t depth, void *product, ptrdiff_t stride) {
    const T *A = rows, *B = panel;
    T *C = product;
#define CALL(n, v) \
    NAME(rows_block)(A + i * PRODUCT_ROWS, n, v, PRODUCT_ROWS, apart, B, depth, NULL, C + i * stride, stride)
    EACH_BLOCK(CALL)
#undef CALL
}

static void NAME(columns_by_panel)(const void *groups, ptrdiff_t m, ptrdiff_t apart, const void *panel,
                                   ptrdiff_t columns, ptrdiff_t depth, int accumulate, void *product,
                                   ptrdiff_t stride) {
    const T *A = groups, *B = panel;
    T *C = product;
#define CALL(n, v) NAME(columns_block)(A + i / PRODUCT_ROWS * apart, n, v, B, depth, accumulate, C + i * stride, stride)
    EACH_BLOCK(CALL)
#undef CALL
}

/* Rows as the product of scores reads them, into panels that lie `apart` numbers apart. */
static void NAME(lay_rows)(const fastsvm_view *view, const void *const *rows, ptrdiff_t n_rows, ptrdiff_t n_features,
                           void *panels, ptrdiff_t apart) {
    for (ptrdiff_t i = 0; i < n_rows; i += PRODUCT_ROWS) { /* few enough for the processor to read ahead in each */
        const ptrdiff_t m = n_rows - i < PRODUCT_ROWS ? n_rows - i : PRODUCT_ROWS;
        T *to = (T *)panels + i * WIDTH;
        for (ptrdiff_t k = 0; k < n_features; k += WIDTH, to += apart) {
            const ptrdiff_t n = n_features - k < WIDTH ? n_features - k : WIDTH;
            if (n < WIDTH) memset(to, 0, (size_t)(m * WIDTH) * sizeof(T));
            NAME(widen)(view, rows + i, m, k, n, to, WIDTH);
        }
    }
}

/* A row cut into panels, the last padded with zeros. */
static void NAME(lay_panels)(const void *row, ptrdiff_t n, void *panels, ptrdiff_t apart) {
    const T *x = row;
    T *to = panels;
    ptrdiff_t k = 0;
    for (; k + WIDTH <= n; k += WIDTH, to += apart) memcpy(to, x + k, (size_t)WIDTH * sizeof(T));
    for (ptrdiff_t j = 0; k < n && j < WIDTH; j++) to[j] = k + j < n ? x[k + j] : 0;
}

/* Rows cut into groups, one group after the other, so that what is written lies together. */
static void NAME(lay_groups)(const void *rows, ptrdiff_t n_rows, ptrdiff_t stride, ptrdiff_t n, void *groups,
                             ptrdiff_t apart) {
    const T *x = rows;
    T *to = groups;
    for (ptrdiff_t k = 0; k < n; k += PRODUCT_ROWS, to += apart) {
        const ptrdiff_t part = n - k;
        if (part >= PRODUCT_ROWS)
            for (ptrdiff_t i = 0; i < n_rows; i++)
                memcpy(to + i * PRODUCT_ROWS, x + i * stride + k, PRODUCT_ROWS * sizeof(T));
        else
            for (ptrdiff_t i = 0; i < n_rows; i++)
                for (ptrdiff_t j = 0; j < PRODUCT_ROWS; j++)
                    to[i * PRODUCT_ROWS + j] = j < part ? x[i * stride + k + j] : 0;
    }
}

/* Features [k0, k1) of a panel of W: n <= WIDTH classes, each number times its feature's factor where there are any. */
static void NAME(lay_classes)(const void *weights, const void *factors, ptrdiff_t n, ptrdiff_t n_features, ptrdiff_t k0,
                              ptrdiff_t k1, void *panel) {
    const T *W = weights, *f = factors;
    T *RESTRICT to = (T *)panel + k0 * WIDTH;
    for (ptrdiff_t k = k0; k < k1; k++, to += WIDTH) {
        const T factor = f ? f[k] : 1;
        for (ptrdiff_t c = 0; c < n; c++) to[c] = W[c * n_features + k] * factor;
        for (ptrdiff_t c = n; c < WIDTH; c++) to[c] = 0;
    }
}

/* to[k] = x[k] * factor * factors[k]. */
static void NAME(scale)(const void *row, ptrdiff_t n, double factor, const void *factors, void *scaled) {
    const T *RESTRICT x = row, *RESTRICT f = factors;
    T *RESTRICT to = scaled;
    for (ptrdiff_t k = 0; k < n; k++) to[k] = x[k] * (T)factor * (f ? f[k] : 1);
}
