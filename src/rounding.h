/* Weights as integers of three digits, and back, for the exact pass (exact.c). Included in rows.c for float. Sums of
 * doubles run in eight lanes, so that every level adds in the same order.
 */

/* V = (W - last) * inverse in double, for n <= FASTSVM_EXACT_SLICE features; no `last` (NULL) is 0, no `inverse` is 1.
 */
INLINE void scaled_differences(const float *RESTRICT W, const float *RESTRICT last, const float *RESTRICT inverse,
                               ptrdiff_t n, double *RESTRICT V) {
    if (last)
        for (ptrdiff_t k = 0; k < n; k++) V[k] = (double)W[k] - last[k];
    else
        for (ptrdiff_t k = 0; k < n; k++) V[k] = W[k];
    if (inverse)
        for (ptrdiff_t k = 0; k < n; k++) V[k] *= inverse[k];
}

/* Sum of n terms: number k in lane k mod 8. */
INLINE double sum_in_lanes(const double *x, ptrdiff_t n) {
    double s[8] = {0};
    ptrdiff_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (int j = 0; j < 8; j++) s[j] += x[k + j];
    for (int j = 0; k + j < n; j++) s[j] += x[k + j];
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

/* Largest size of V; NaN where it is not finite. Sizes have the order of their bits, and no finite one has the bits of
 * infinity. */
static double measure(const float *W, const float *last, const float *inverse, ptrdiff_t n) {
    double V[FASTSVM_EXACT_SLICE], size;
    int64_t bits[FASTSVM_EXACT_SLICE], largest = 0;
    scaled_differences(W, last, inverse, n, V);
    memcpy(bits, V, (size_t)n * sizeof *V);
    for (ptrdiff_t k = 0; k < n; k++) {
        const int64_t of_size = bits[k] & INT64_MAX;
        largest = of_size > largest ? of_size : largest;
    }
    memcpy(&size, &largest, sizeof size);
    return isfinite(size) ? size : (double)NAN;
}

/* Digits of q = V / unit rounded, for n <= FASTSVM_EXACT_SLICE features, and their sums. `rounded` = q * unit, if
 * given. */
static void round_weights(const float *RESTRICT W, const float *RESTRICT last, const float *RESTRICT inverse,
                          const float *RESTRICT mean, double origin, double unit, ptrdiff_t n, int8_t *RESTRICT high,
                          int8_t *RESTRICT middle, int8_t *RESTRICT low, float *RESTRICT rounded,
                          fastsvm_digit_sums *sums) {
    int32_t q[FASTSVM_EXACT_SLICE];
    double V[FASTSVM_EXACT_SLICE];
    const double per_unit = 1 / unit;
    scaled_differences(W, last, inverse, n, V);
    for (ptrdiff_t k = 0; k < n; k++) q[k] = (int32_t)(V[k] * per_unit + copysign(0.5, V[k]));
    int32_t sum[3] = {0}, size[3] = {0};
    for (ptrdiff_t k = 0; k < n; k++) {
        const int32_t digit0 = ((q[k] + 128) & 255) - 128, rest = (q[k] - digit0) >> 8;
        const int32_t digit1 = ((rest + 128) & 255) - 128, digit2 = (rest - digit1) >> 8;
        low[k] = (int8_t)digit0;
        middle[k] = (int8_t)digit1;
        high[k] = (int8_t)digit2;
        sum[0] += digit0, sum[1] += digit1, sum[2] += digit2;
        size[0] += digit0 < 0 ? -digit0 : digit0;
        size[1] += digit1 < 0 ? -digit1 : digit1;
        size[2] += digit2 < 0 ? -digit2 : digit2;
    }
    if (rounded)
        for (ptrdiff_t k = 0; k < n; k++) rounded[k] = (float)(q[k] * unit);
    sums->sum = sum[2] * 65536.0 + sum[1] * 256.0 + sum[0];
    sums->size = size[2] * 65536.0 + size[1] * 256.0 + size[0];
    sums->lowest_sum = sum[0], sums->lowest_size = size[0];
    sums->moment = sums->sum * origin, sums->lowest_moment = sum[0] * 128.0;
    if (!mean) return;
    for (ptrdiff_t k = 0; k < n; k++) V[k] = q[k] * (mean[k] + origin);
    sums->moment = sum_in_lanes(V, n);
    for (ptrdiff_t k = 0; k < n; k++) V[k] = low[k] * (mean[k] + origin);
    sums->lowest_moment = sum_in_lanes(V, n);
}

/* A row of D^T u becomes D^T (u - origin - mean), for n <= FASTSVM_EXACT_SLICE features; returns its product with
 * W * inverse. */
static double center(double *RESTRICT total, double db, const float *RESTRICT mean, double origin,
                     const float *RESTRICT inverse, const float *RESTRICT W, ptrdiff_t n) {
    double products[FASTSVM_EXACT_SLICE];
    if (mean)
        for (ptrdiff_t k = 0; k < n; k++) total[k] -= db * (mean[k] + origin);
    else
        for (ptrdiff_t k = 0; k < n; k++) total[k] -= db * origin;
    if (inverse)
        for (ptrdiff_t k = 0; k < n; k++) products[k] = total[k] * inverse[k] * W[k];
    else
        for (ptrdiff_t k = 0; k < n; k++) products[k] = total[k] * W[k];
    return sum_in_lanes(products, n);
}
