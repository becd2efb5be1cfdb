/* Sums and scalings of rows and slices. Included once for each T, compiled without contraction: every operation is
 * rounded as in NumPy.
 */
static void NAME(sum_parts)(const void *parts, ptrdiff_t stride, ptrdiff_t n_parts, ptrdiff_t n, double *RESTRICT sum,
                            int accumulate) {
    const T *RESTRICT part = parts;
    if (!accumulate)
        for (ptrdiff_t k = 0; k < n; k++) sum[k] = 0;
    for (ptrdiff_t p = 0; p < n_parts; p++, part += stride)
        for (ptrdiff_t k = 0; k < n; k++) sum[k] += part[k];
}

static void NAME(add_row)(const void *row, ptrdiff_t n, double *RESTRICT sum) {
    const T *RESTRICT d = row;
    for (ptrdiff_t k = 0; k < n; k++) sum[k] += d[k];
}

static void NAME(scale_row)(void *row, double factor, ptrdiff_t n) {
    T *d = row;
    for (ptrdiff_t k = 0; k < n; k++) d[k] = (T)(d[k] * factor);
}

static void NAME(finish)(const double *RESTRICT sum, double factor, const void *factors, double alpha,
                         const void *weights, ptrdiff_t n, void *gradient) {
    const T *RESTRICT W = weights, *RESTRICT f = factors;
    T *RESTRICT g = gradient;
    if (f)
        for (ptrdiff_t k = 0; k < n; k++) g[k] = (T)(sum[k] * factor * f[k] + alpha * W[k]);
    else
        for (ptrdiff_t k = 0; k < n; k++) g[k] = (T)(sum[k] * factor + alpha * W[k]);
}

static double NAME(squares)(const void *weights, ptrdiff_t n) {
    const T *W = weights;
    double sums[8] = {0}; /* eight running sums, so that the loop can be vectorised in a fixed order */
    ptrdiff_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (int j = 0; j < 8; j++) sums[j] += (double)W[k + j] * W[k + j];
    for (; k < n; k++) sums[0] += (double)W[k] * W[k];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}
