/* The loss of one row of scores, and its gradient in place. Included once for each T, compiled without contraction:
 * every operation is rounded as in NumPy.
 *
 * At a kink the subgradient is 0: strict > 0, as in fastsvm/backends/reference.py, which defines all of this.
 */
#include <math.h>

/* sum_{j != y} max(0, s_j - s_y + delta), or of the squares. */
INLINE double NAME(weston_watkins)(T *s, ptrdiff_t y, T delta, T weight, ptrdiff_t n, int squared, int want_gradient) {
    const T own = s[y];
    double loss = 0;
    T total = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        const T margin = s[j] - own + delta;
        const T violation = margin > 0 && j != y ? margin : 0;
        const T d = squared ? 2 * violation : (T)(violation > 0);
        loss += squared ? violation * violation : violation;
        total += d;
        if (want_gradient) s[j] = weight * d;
    }
    if (want_gradient) s[y] = -(weight * total);
    return loss;
}

/* max(0, max_{j != y} s_j - s_y + delta); the first j in a tie. */
INLINE double NAME(crammer_singer)(T *s, ptrdiff_t y, T delta, T weight, ptrdiff_t n, int want_gradient) {
    ptrdiff_t largest = y == 0 ? 1 : 0;
    for (ptrdiff_t j = largest + 1; j < n; j++)
        if (j != y && s[j] > s[largest]) largest = j;
    const T margin = s[largest] - s[y] + delta;
    if (want_gradient) {
        for (ptrdiff_t j = 0; j < n; j++) s[j] = 0;
        if (margin > 0) {
            s[largest] = weight;
            s[y] = -weight;
        }
    }
    return margin > 0 ? margin : 0;
}

/* log sum_j exp(s_j) - s_y, after subtracting the largest score. */
INLINE double NAME(softmax)(T *s, ptrdiff_t y, T weight, ptrdiff_t n, int want_gradient) {
    T largest = s[0], total = 0;
    for (ptrdiff_t j = 1; j < n; j++) largest = s[j] > largest ? s[j] : largest;
    const T own = s[y] - largest;
    for (ptrdiff_t j = 0; j < n; j++) {
        s[j] = EXP(s[j] - largest);
        total += s[j];
    }
    if (want_gradient) {
        for (ptrdiff_t j = 0; j < n; j++) s[j] = weight * (s[j] / total);
        s[y] -= weight;
    }
    return log((double)total) - own;
}

static double NAME(loss)(int loss, double delta, void *scores, ptrdiff_t y, double weight, ptrdiff_t n,
                         int want_gradient, int *correct) {
    T *s = scores;
    ptrdiff_t largest = 0;
    T finite = 0; /* stays 0, unless a score is NaN or infinite */
    for (ptrdiff_t j = 0; j < n; j++) {
        finite += s[j] - s[j];
        if (s[j] > s[largest]) largest = j;
    }
    *correct = largest == y;
    double value;
    switch (loss) {
    case FASTSVM_WESTON_WATKINS: value = NAME(weston_watkins)(s, y, (T)delta, (T)weight, n, 0, want_gradient); break;
    case FASTSVM_WESTON_WATKINS_SQUARED:
        value = NAME(weston_watkins)(s, y, (T)delta, (T)weight, n, 1, want_gradient);
        break;
    case FASTSVM_CRAMMER_SINGER: value = NAME(crammer_singer)(s, y, (T)delta, (T)weight, n, want_gradient); break;
    default: value = NAME(softmax)(s, y, (T)weight, n, want_gradient); break;
    }
    return finite == 0 ? value * weight : (double)NAN;
}
