/* Weights as integers of three digits, and back, for the exact pass (exact.c). Included in rows.c for float. Sums of
 * doubles run in eight lanes, so that every level adds in the same order.
 */

/* V = (W - last) * inverse, in double; no `last` (NULL) is 0, no `inverse` is 1. */
INLINE double scaled_difference(const float *W, const float *last, const float *inverse, ptrdiff_t k) {
    const double v = last ? (double)W[k] - last[k] : W[k];
    return inverse ? v * inverse[k] : v;
}

INLINE double sum_of_eight(const double *s) {
    return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

/* Largest size of V; NaN where it is not finite. */
static double measure(const float *RESTRICT W, const float *RESTRICT last, const float *RESTRICT inverse, ptrdiff_t n) {
    double largest[8] = {0}, finite[8] = {0};
    ptrdiff_t k = 0;
    for (; k + 8 <= n; k += 8) {
        for (int j = 0; j < 8; j++) {
            const double v = scaled_difference(W, last, inverse, k + j), size = v < 0 ? -v : v;
            largest[j] = size > largest[j] ? size : largest[j];
            finite[j] += v - v;
        }
    }
    for (; k < n; k++) {
        const double v = scaled_difference(W, last, inverse, k), size = v < 0 ? -v : v;
        largest[0] = size > largest[0] ? size : largest[0];
        finite[0] += v - v;
    }
    for (int j = 1; j < 8; j++) largest[0] = largest[j] > largest[0] ? largest[j] : largest[0];
    return sum_of_eight(finite) == 0 ? largest[0] : (double)NAN;
}

/* Digits of q = V / unit rounded, for n <= FASTSVM_EXACT_SLICE features, and their sums. `rounded` = q * unit, if
 * given. */
static void round_weights(const float *RESTRICT W, const float *RESTRICT last, const float *RESTRICT inverse,
                          const float *RESTRICT mean, double origin, double unit, ptrdiff_t n, int8_t *RESTRICT high,
                          int8_t *RESTRICT middle, int8_t *RESTRICT low, float *RESTRICT rounded,
                          fastsvm_digit_sums *sums) {
    int32_t q[FASTSVM_EXACT_SLICE];
    double moment[8] = {0}, lowest[8] = {0};
    const double per_unit = 1 / unit;
    for (ptrdiff_t k = 0; k < n; k++) {
        const double v = scaled_difference(W, last, inverse, k) * per_unit;
        q[k] = (int32_t)(v + (v < 0 ? -0.5 : 0.5));
    }
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
    if (mean) {
        ptrdiff_t k = 0;
        for (; k + 8 <= n; k += 8)
            for (int j = 0; j < 8; j++) {
                moment[j] += q[k + j] * (mean[k + j] + origin);
                lowest[j] += low[k + j] * (mean[k + j] + origin);
            }
        for (; k < n; k++) {
            moment[0] += q[k] * (mean[k] + origin);
            lowest[0] += low[k] * (mean[k] + origin);
        }
    }
    if (rounded)
        for (ptrdiff_t k = 0; k < n; k++) rounded[k] = (float)(q[k] * unit);
    sums->sum = sum[2] * 65536.0 + sum[1] * 256.0 + sum[0];
    sums->size = size[2] * 65536.0 + size[1] * 256.0 + size[0];
    sums->lowest_sum = sum[0], sums->lowest_size = size[0];
    sums->moment = mean ? sum_of_eight(moment) : sums->sum * origin;
    sums->lowest_moment = mean ? sum_of_eight(lowest) : sum[0] * 128.0;
}

/* A row of D^T u becomes D^T (u - origin - mean); returns its product with W * inverse. */
static double center(double *RESTRICT total, double db, const float *RESTRICT mean, double origin,
                     const float *RESTRICT inverse, const float *RESTRICT W, ptrdiff_t n) {
    double product[8] = {0};
    ptrdiff_t k = 0;
    if (mean)
        for (ptrdiff_t j = 0; j < n; j++) total[j] -= db * (mean[j] + origin);
    else
        for (ptrdiff_t j = 0; j < n; j++) total[j] -= db * origin;
    if (inverse) {
        for (; k + 8 <= n; k += 8)
            for (int j = 0; j < 8; j++) product[j] += total[k + j] * inverse[k + j] * W[k + j];
        for (; k < n; k++) product[0] += total[k] * inverse[k] * W[k];
    } else {
        for (; k + 8 <= n; k += 8)
            for (int j = 0; j < 8; j++) product[j] += total[k + j] * W[k + j];
        for (; k < n; k++) product[0] += total[k] * W[k];
    }
    return sum_of_eight(product);
}
