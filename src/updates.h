/* One update of a run of parameters, a vector at a time. Included once for each T, compiled without contraction: every
 * operation is rounded as in NumPy. fastsvm/optimizers.py has the formulas.
 */

/* What a rule needs, each number in every lane. Adam's bias corrections are taken into its rate and eps. */
typedef struct {
    VEC rate, eps, decay1, rest1, decay2, rest2, ahead, shrink;
} NAME(numbers);

/* Correctly rounded square roots, where `divider` is set by the unit that divides, too. */
INLINE VEC NAME(roots)(VEC v, int divider) {
#ifdef ROOTS
    if (!divider) return ROOTS(v);
#else
    (void)divider;
#endif
    T part[LANES];
    STORE(part, v);
    for (ptrdiff_t k = 0; k < LANES; k++) part[k] = SQRT(part[k]);
    return LOAD(part);
}

INLINE void NAME(update_vector)(int rule, int divider, const NAME(numbers) * c, T *to_x, const T *from_g, T *to_p,
                                T *to_q) {
    const VEC x = LOAD(to_x), g = LOAD(from_g);
    VEC p, q;
    switch (rule) {
    case FASTSVM_SGD: STORE(to_x, x - c->rate * g); return;
    case FASTSVM_MOMENTUM:
        p = c->decay1 * LOAD(to_p) + g;
        STORE(to_p, p);
        STORE(to_x, x - c->rate * p);
        return;
    case FASTSVM_NESTEROV:
        p = LOAD(to_p);
        q = c->decay1 * p - c->rate * g;
        STORE(to_p, q);
        STORE(to_x, x + (-c->decay1 * p + c->ahead * q));
        return;
    case FASTSVM_ADAGRAD:
        p = LOAD(to_p) + g * g;
        STORE(to_p, p);
        STORE(to_x, x - c->rate * g / (NAME(roots)(p, divider) + c->eps));
        return;
    case FASTSVM_RMSPROP:
        p = c->decay1 * LOAD(to_p) + c->rest1 * (g * g);
        STORE(to_p, p);
        STORE(to_x, x - c->rate * g / (NAME(roots)(p, divider) + c->eps));
        return;
    default: /* Adam and AdamW */
        p = c->decay1 * LOAD(to_p) + c->rest1 * g;
        q = c->decay2 * LOAD(to_q) + c->rest2 * (g * g);
        STORE(to_p, p);
        STORE(to_q, q);
        const VEC direction = c->rate * p / (NAME(roots)(q, divider) + c->eps);
        STORE(to_x, x - (rule == FASTSVM_ADAMW ? direction + c->shrink * x : direction));
    }
}

/* Fewer numbers than a vector has, in a vector of their own. */
static void NAME(update_part)(int rule, const NAME(numbers) * c, T *x, const T *g, T *p, T *q, ptrdiff_t n) {
    T parts[4][LANES] = {{0}};
    const T *from[4] = {x, g, p, q};
    T *to[4] = {x, NULL, p, q};
    for (int a = 0; a < 4; a++)
        for (ptrdiff_t k = 0; from[a] && k < n; k++) parts[a][k] = from[a][k];
    NAME(update_vector)(rule, 1, c, parts[0], parts[1], parts[2], parts[3]);
    for (int a = 0; a < 4; a++)
        for (ptrdiff_t k = 0; to[a] && k < n; k++) to[a][k] = parts[a][k];
}

INLINE void NAME(update_run)(int rule, const NAME(numbers) * c, T *x, const T *g, T *p, T *q, ptrdiff_t n) {
    /* Up to the first number of x that begins a cache line; NumPy's large arrays begin alike. */
    const ptrdiff_t n_first = (ptrdiff_t)(-(uintptr_t)x % sizeof(VEC) / sizeof(T));
    ptrdiff_t k = n_first < n ? n_first : n;
    if (k > 0) NAME(update_part)(rule, c, x, g, p, q, k);
    /* Two vectors' roots from the multipliers, the third's from the divider: both are busy then. */
    for (; k + 3 * LANES <= n; k += 3 * LANES) {
        UNROLL
        for (int j = 0; j < 3; j++) {
            const ptrdiff_t at = k + j * LANES;
            FASTSVM_FETCH(x + at);
            FASTSVM_FETCH(g + at);
            if (rule != FASTSVM_SGD) FASTSVM_FETCH(p + at);
            if (rule >= FASTSVM_ADAM) FASTSVM_FETCH(q + at);
            NAME(update_vector)(rule, j == 2, c, x + at, g + at, p + at, q + at);
        }
    }
    for (; k + LANES <= n; k += LANES) NAME(update_vector)(rule, 0, c, x + k, g + k, p + k, q + k);
    if (k < n) NAME(update_part)(rule, c, x + k, g + k, p ? p + k : NULL, q ? q + k : NULL, n - k);
}

static void NAME(update)(int rule, const double *coefficients, void *parameters, const void *gradient, void *slot1,
                         void *slot2, ptrdiff_t n) {
    T *x = parameters, *p = slot1, *q = slot2;
    const T *g = gradient;
    double rate = coefficients[FASTSVM_LEARNING_RATE], eps = coefficients[FASTSVM_EPS];
    const double decay1 = coefficients[FASTSVM_DECAY1], decay2 = coefficients[FASTSVM_DECAY2];
    const double shrink = rate * coefficients[FASTSVM_WEIGHT_DECAY];
    if (rule == FASTSVM_ADAM || rule == FASTSVM_ADAMW) {
        const double root = sqrt(coefficients[FASTSVM_CORRECTION2]);
        rate = rate * root / coefficients[FASTSVM_CORRECTION1];
        eps *= root;
    }
    const NAME(numbers) c = {
        .rate = SPLAT((T)rate),
        .eps = SPLAT((T)eps),
        .decay1 = SPLAT((T)decay1),
        .rest1 = SPLAT((T)(1 - decay1)),
        .decay2 = SPLAT((T)decay2),
        .rest2 = SPLAT((T)(1 - decay2)),
        .ahead = SPLAT((T)(1 + decay1)),
        .shrink = SPLAT((T)shrink),
    };
    switch (rule) {
    case FASTSVM_SGD: NAME(update_run)(FASTSVM_SGD, &c, x, g, p, q, n); break;
    case FASTSVM_MOMENTUM: NAME(update_run)(FASTSVM_MOMENTUM, &c, x, g, p, q, n); break;
    case FASTSVM_NESTEROV: NAME(update_run)(FASTSVM_NESTEROV, &c, x, g, p, q, n); break;
    case FASTSVM_ADAGRAD: NAME(update_run)(FASTSVM_ADAGRAD, &c, x, g, p, q, n); break;
    case FASTSVM_RMSPROP: NAME(update_run)(FASTSVM_RMSPROP, &c, x, g, p, q, n); break;
    case FASTSVM_ADAM: NAME(update_run)(FASTSVM_ADAM, &c, x, g, p, q, n); break;
    case FASTSVM_ADAMW: NAME(update_run)(FASTSVM_ADAMW, &c, x, g, p, q, n); break;
    }
}
