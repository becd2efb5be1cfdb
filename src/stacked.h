/* Loss of many rows at once, from scores class by class: t[c * FASTSVM_MAX_TILE_ROWS + row]. Included in rows.c for
 * float. The scores of a row may all be shifted by the same amount.
 */
#define ROWS FASTSVM_MAX_TILE_ROWS

/* sum_i weight_i loss_i over n rows; weights NULL are all 1. */
static double stacked_loss(int loss, const float *t, const int32_t *y, const double *weight, float delta,
                           ptrdiff_t n_classes, ptrdiff_t n) {
    float own[ROWS], value[ROWS] = {0};
    double sum = 0;
    for (ptrdiff_t i = 0; i < ROWS; i++) own[i] = t[y[i] * ROWS + i] - delta;
    for (ptrdiff_t c = 0; c < n_classes; c++) {
        for (ptrdiff_t i = 0; i < ROWS; i++) {
            const float margin = t[c * ROWS + i] - own[i], violation = (margin > 0) & (y[i] != c) ? margin : 0;
            if (loss == FASTSVM_CRAMMER_SINGER)
                value[i] = violation > value[i] ? violation : value[i];
            else
                value[i] += loss == FASTSVM_WESTON_WATKINS ? violation : violation * violation;
            /* NaN is no violation: let it show. */
            value[i] = margin - margin == 0 ? value[i] : margin - margin;
        }
    }
    for (ptrdiff_t i = 0; i < n; i++) sum += weight ? weight[i] * value[i] : value[i];
    return sum;
}

/* Scores of ROWS rows from the sums of products with the digits of integer weights. The integers are exact in double.
 */
static void from_digits(const int32_t *sums, ptrdiff_t apart, int n_digits, int accumulate, double unit,
                        double constant, float *RESTRICT t) {
    double q[ROWS];
    for (ptrdiff_t i = 0; i < ROWS; i++) q[i] = sums[i];
    for (int d = 1; d < n_digits; d++)
        for (ptrdiff_t i = 0; i < ROWS; i++) q[i] = q[i] * 256 + sums[d * apart + i];
    if (accumulate)
        for (ptrdiff_t i = 0; i < ROWS; i++) t[i] = (float)(t[i] + q[i] * unit + constant);
    else
        for (ptrdiff_t i = 0; i < ROWS; i++) t[i] = (float)(q[i] * unit + constant);
}
#undef ROWS
