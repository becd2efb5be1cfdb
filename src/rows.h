/* Leaves: the loss of one row of scores, the update of one run of parameters, and the sums between them. Included once
 * for each T, compiled without contraction: every operation is rounded as in NumPy.
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

static void NAME(finish)(const double *RESTRICT sum, double factor, double alpha, const void *weights, ptrdiff_t n,
                         void *gradient) {
    const T *RESTRICT W = weights;
    T *RESTRICT g = gradient;
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

static void NAME(update)(int rule, const double *coefficients, void *parameters, const void *gradient, void *slot1,
                         void *slot2, ptrdiff_t n) {
    T *RESTRICT x = parameters, *RESTRICT p = slot1, *RESTRICT q = slot2;
    const T *RESTRICT g = gradient;
    const T rate = (T)coefficients[FASTSVM_LEARNING_RATE], eps = (T)coefficients[FASTSVM_EPS];
    const T decay1 = (T)coefficients[FASTSVM_DECAY1], rest1 = (T)(1 - coefficients[FASTSVM_DECAY1]);
    const T decay2 = (T)coefficients[FASTSVM_DECAY2], rest2 = (T)(1 - coefficients[FASTSVM_DECAY2]);
    const T ahead = (T)(1 + coefficients[FASTSVM_DECAY1]), weight_decay = (T)coefficients[FASTSVM_WEIGHT_DECAY];
    const T correction1 = (T)coefficients[FASTSVM_CORRECTION1], correction2 = (T)coefficients[FASTSVM_CORRECTION2];
    switch (rule) {
    case FASTSVM_SGD:
        for (ptrdiff_t k = 0; k < n; k++) x[k] -= rate * g[k];
        break;
    case FASTSVM_MOMENTUM:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] = decay1 * p[k] + g[k];
            x[k] -= rate * p[k];
        }
        break;
    case FASTSVM_NESTEROV:
        for (ptrdiff_t k = 0; k < n; k++) {
            const T velocity = decay1 * p[k] - rate * g[k];
            x[k] += -decay1 * p[k] + ahead * velocity;
            p[k] = velocity;
        }
        break;
    case FASTSVM_ADAGRAD:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] += g[k] * g[k];
            x[k] -= rate * g[k] / (SQRT(p[k]) + eps);
        }
        break;
    case FASTSVM_RMSPROP:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] = decay1 * p[k] + rest1 * (g[k] * g[k]);
            x[k] -= rate * g[k] / (SQRT(p[k]) + eps);
        }
        break;
    case FASTSVM_ADAM:
    case FASTSVM_ADAMW:
        for (ptrdiff_t k = 0; k < n; k++) {
            p[k] = decay1 * p[k] + rest1 * g[k];
            q[k] = decay2 * q[k] + rest2 * (g[k] * g[k]);
            const T direction = (p[k] / correction1) / (SQRT(q[k] / correction2) + eps);
            x[k] -= rate * (rule == FASTSVM_ADAMW ? direction + weight_decay * x[k] : direction);
        }
        break;
    }
}
