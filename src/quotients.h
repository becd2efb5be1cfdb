/* Differences of the loss of one row where one of its scores changes: what a difference quotient of the objective by
 * one weight is made of. Included in rows.c for double.
 *
 * A weight of class c and feature f moves the score s_c of every sample by h x_f, and no other score. For the SVM
 * losses that takes a maximum or two; moving the label's own score moves all its margins the other way.
 */
#define SMALL 0x1p-7 /* below it the series are exact to rounding */

INLINE double positive(double x) { return x > 0 ? x : 0; }

/* sums_c[f] += weight (up - down), or (up - here): the terms max(0, m + d) of one margin, or their squares; and the
 * opposite for the label's own score. */
INLINE void margin_quotients(const int squared, const int central, double m, double weight, const double *RESTRICT d,
                             ptrdiff_t n, double *RESTRICT sums, double *RESTRICT own) {
    const double here = squared ? positive(m) * positive(m) : positive(m);
    for (ptrdiff_t f = 0; f < n; f++) {
        double up = positive(m + d[f]), down = positive(m - d[f]);
        if (squared) up *= up, down *= down;
        sums[f] += weight * (up - (central ? down : here));
        own[f] += weight * (down - (central ? up : here));
    }
}

/* max(0, largest other margin, m + d). */
INLINE void largest_quotients(const int central, double floor, double m, double weight, const double *RESTRICT d,
                              ptrdiff_t n, double *RESTRICT sums) {
    const double here = m > floor ? m : floor;
    for (ptrdiff_t f = 0; f < n; f++) {
        const double up = m + d[f] > floor ? m + d[f] : floor, down = m - d[f] > floor ? m - d[f] : floor;
        sums[f] += weight * (up - (central ? down : here));
    }
}

/* log(1 + p (e^d - 1)) by series, each to the first term that rounding loses. */
INLINE double log_rise(double p, double d) {
    const double e = d * (1 + d / 2 * (1 + d / 3 * (1 + d / 4 * (1 + d / 5 * (1 + d / 6 * (1 + d / 7))))));
    const double u = p * e;
    return u * (1 - u * (1. / 2 - u * (1. / 3 - u * (1. / 4 - u * (1. / 5 - u * (1. / 6 - u * (1. / 7 - u / 8)))))));
}

INLINE void softmax_quotients(const int central, double p, int is_label, double weight, const double *RESTRICT d,
                              ptrdiff_t n, int small, double *RESTRICT sums) {
    const double slope = is_label;
    if (small)
        for (ptrdiff_t f = 0; f < n; f++) {
            const double up = log_rise(p, d[f]) - slope * d[f], down = log_rise(p, -d[f]) + slope * d[f];
            sums[f] += weight * (up - (central ? down : 0));
        }
    else
        for (ptrdiff_t f = 0; f < n; f++) {
            const double up = log1p(p * expm1(d[f])) - slope * d[f], down = log1p(p * expm1(-d[f])) + slope * d[f];
            sums[f] += weight * (up - (central ? down : 0));
        }
}

/* sums[c * stride + f] += weight (loss where s_c is moved by d_f - loss where it is moved by -d_f, or is not moved). */
static void quotients(int loss, int central, double delta, const double *s, ptrdiff_t y, double weight,
                      ptrdiff_t n_classes, const double *d, ptrdiff_t n, double *sums, ptrdiff_t stride) {
    double *own = sums + y * stride;
    if (loss == FASTSVM_WESTON_WATKINS || loss == FASTSVM_WESTON_WATKINS_SQUARED) {
        for (ptrdiff_t c = 0; c < n_classes; c++) {
            const double m = s[c] - s[y] + delta;
            double *to = sums + c * stride;
            if (c == y) continue;
            if (loss == FASTSVM_WESTON_WATKINS)
                central ? margin_quotients(0, 1, m, weight, d, n, to, own)
                        : margin_quotients(0, 0, m, weight, d, n, to, own);
            else
                central ? margin_quotients(1, 1, m, weight, d, n, to, own)
                        : margin_quotients(1, 0, m, weight, d, n, to, own);
        }
        return;
    }
    double first = -INFINITY, second = -INFINITY, total = 0, farthest = 0;
    for (ptrdiff_t c = 0; c < n_classes; c++) {
        if (loss == FASTSVM_CRAMMER_SINGER && c == y) continue;
        if (s[c] > first)
            second = first, first = s[c];
        else if (s[c] > second)
            second = s[c];
    }
    if (loss == FASTSVM_CRAMMER_SINGER) {
        for (ptrdiff_t c = 0; c < n_classes; c++) {
            const double m = s[c] - s[y] + delta, others = (s[c] == first ? second : first) - s[y] + delta;
            if (c != y) largest_quotients(central, positive(others), m, weight, d, n, sums + c * stride);
        }
        const double m = first - s[y] + delta, here = positive(m);
        for (ptrdiff_t f = 0; f < n; f++)
            own[f] += weight * (positive(m - d[f]) - (central ? positive(m + d[f]) : here));
        return;
    }
    for (ptrdiff_t c = 0; c < n_classes; c++) total += exp(s[c] - first);
    for (ptrdiff_t f = 0; f < n; f++) farthest = fabs(d[f]) > farthest ? fabs(d[f]) : farthest;
    for (ptrdiff_t c = 0; c < n_classes; c++)
        softmax_quotients(central, exp(s[c] - first) / total, c == y, weight, d, n, farthest <= SMALL,
                          sums + c * stride);
}

/* d = h (x - mean) inverse for n stored numbers; without statistics (NULL) h x. */
static void scaled_row(int storage, const void *x, const double *mean, const double *inverse, double h, ptrdiff_t n,
                       double *d) {
    switch (storage) {
#define CASE(code, type, value)                                   \
    case code: {                                                  \
        const type *stored = x;                                   \
        for (ptrdiff_t f = 0; f < n; f++) d[f] = (double)(value); \
        break;                                                    \
    }
        CASE(FASTSVM_FLOAT64, double, stored[f])
        CASE(FASTSVM_FLOAT32, float, stored[f])
        CASE(FASTSVM_UINT8, uint8_t, stored[f])
        CASE(FASTSVM_INT8, int8_t, stored[f])
        CASE(FASTSVM_FLOAT16, uint16_t, fastsvm_from_float16(stored[f]))
        CASE(FASTSVM_BFLOAT16, uint16_t, fastsvm_from_bfloat16(stored[f]))
#undef CASE
    }
    if (mean)
        for (ptrdiff_t f = 0; f < n; f++) d[f] = (d[f] - mean[f]) * inverse[f] * h;
    else
        for (ptrdiff_t f = 0; f < n; f++) d[f] *= h;
}
#undef SMALL
