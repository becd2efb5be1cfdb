/* One example's block of the dual, exactly. For double only.
 *
 *   D(a) = (1/N) sum_ij [delta a_ij - r(a_ij)] - (lambda/2) |W(a)|^2
 *
 *   Weston-Watkins           0 <= a_ij <= 1,                  r = 0
 *   the same, squared        0 <= a_ij,                       r = a^2 / 4
 *   Crammer-Singer           0 <= a_ij, sum_j a_ij <= 1,      r = 0
 *
 * With h_j = delta - (s_y - s_j) and q = |x|^2 / (lambda N), other blocks fixed, the block's best b maximises
 * sum_j h_j (b_j - a_j) - r(b_j) - (q/2) (|b - a|^2 + (sum (b - a))^2). With v_j = h_j / q + a_j + sum a this is
 *
 *   b_j = clip((v_j - g) / c, 0, u),    g = sum b (+ t for Crammer-Singer, t >= 0 and t (1 - sum b) = 0)
 *
 * where c = 1 + 1/(2q) if squared, else 1, and u = 1 for Weston-Watkins, else infinity: one monotone equation in one
 * unknown, whose right-hand side is linear between the events v_j and v_j - c u (Y. Wang, C. Scott, "An exact solver
 * for the Weston-Watkins SVM subproblem", ICML 2021). Newton's method solves it without sorting the events: from g,
 * those b_j at the bound and between the bounds are known, and with them the line's zero; it is reached when they
 * change no more. A bracket keeps it from going in circles.
 */
#define MOST_PASSES 100

#define TAKE_LARGER(v, turned) (v) = SELECT((turned) > (v), turned, v)

INLINE double NAME(largest)(VEC v) {
    double first;
    EACH_TURN(v, TAKE_LARGER)
    memcpy(&first, &v, sizeof first);
    return first;
}

/* Numbers of the vectors at g: b_j at the bound, b_j between the bounds, and the sum of v_j of the latter. */
INLINE void NAME(count)(const double *v, ptrdiff_t n, double g, double reach, double *n_up, double *n_mid,
                        double *sum) {
    const VEC zero = SPLAT(0.0), one = SPLAT(1.0), low = SPLAT(g), high = SPLAT(g + reach);
    VEC ups = zero, mids = zero, total = zero;
    for (ptrdiff_t j = 0; j < n; j += LANES) {
        const VEC t = LOAD(v + j), above = SELECT(t > low, one, zero), up = SELECT(t >= high, one, zero);
        ups += up;
        mids += above - up;
        total += SELECT(t > low, SELECT(t >= high, zero, t), zero);
    }
    *n_up = NAME(sum)(ups);
    *n_mid = NAME(sum)(mids);
    *sum = NAME(sum)(total);
}

/* The g with sum_j clip((v_j - g)/c, 0, u) = g, reach = c u. */
static double NAME(balance)(const double *v, ptrdiff_t n, double c, double reach, double g, double high) {
    double low = 0;
    if (!(g >= low && g <= high)) g = 0;
    for (int pass = 0; pass < MOST_PASSES; pass++) {
        double n_up, n_mid, sum;
        NAME(count)(v, n, g, reach, &n_up, &n_mid, &sum);
        const double up = n_up > 0 ? n_up * reach : 0, next = (up + sum) / (c + n_mid);
        if (up + sum - n_mid * g > c * g)
            low = g;
        else
            high = g;
        if (next == g || high - low <= 1e-15 * high) return next;
        g = next > low && next < high ? next : 0.5 * (low + high);
    }
    return g;
}

/* The g with sum_j max(0, v_j - g) = 1, from a g where the sum is larger: Newton's method on a convex function. */
static double NAME(cap)(const double *v, ptrdiff_t n, double g) {
    for (int pass = 0; pass < MOST_PASSES; pass++) {
        double n_up, n_mid, sum;
        NAME(count)(v, n, g, HUGE_VAL, &n_up, &n_mid, &sum);
        const double next = n_mid > 0 ? (sum - 1) / n_mid : g;
        if (!(next > g)) return g;
        g = next;
    }
    return g;
}

/* A row of scores s (turned into h), the label y and the block a, all padded with anything to a multiple of LANES: the
 * block's share of the duality gap before the step, sum_j [l(h) - a_j h_j + r(a_j)] >= 0, and of the objective in
 * *value. With `certify` that is all; otherwise v becomes what a has gained, and a its best. */
static double NAME(step)(int loss, double delta, double q, ptrdiff_t y, ptrdiff_t n_classes, ptrdiff_t padded,
                         int certify, double *h, double *a, double *v, double *value) {
    const VEC zero = SPLAT(0.0), shift = SPLAT(delta - h[y]);
    VEC gaps = zero, values = zero, sums = zero, most = SPLAT(-HUGE_VAL);
    for (ptrdiff_t j = n_classes; j < padded; j++) h[j] = -HUGE_VAL, a[j] = 0;
    h[y] = -HUGE_VAL, a[y] = 0;
    for (ptrdiff_t j = 0; j < padded; j += LANES) {
        const VEC m = LOAD(h + j) + shift, b = LOAD(a + j), plus = SELECT(m > zero, m, zero);
        STORE(h + j, m);
        sums += b;
        const VEC used = SELECT(b > zero, b * m, zero); /* 0 times infinity is nothing here */
        if (loss == FASTSVM_WESTON_WATKINS_SQUARED) {
            values += plus * plus;
            gaps += plus * plus - used + 0.25 * b * b;
        } else {
            values += plus;
            gaps += loss == FASTSVM_WESTON_WATKINS ? plus - used : zero - used;
        }
        most = SELECT(m > most, m, most);
    }
    const double sum = NAME(sum)(sums);
    const double largest = NAME(largest)(most);
    double gap = NAME(sum)(gaps);
    *value = NAME(sum)(values);
    if (loss == FASTSVM_CRAMMER_SINGER) {
        *value = largest > 0 ? largest : 0;
        gap += *value;
    }
    if (certify || !(gap > 0)) return gap; /* also where it is not a number */
    const int capped = loss == FASTSVM_CRAMMER_SINGER, squared = loss == FASTSVM_WESTON_WATKINS_SQUARED;
    const double bound = loss == FASTSVM_WESTON_WATKINS ? 1.0 : HUGE_VAL;
    if (!(q > 0)) { /* x = 0: the scores are what they are */
        const double share = 1.0 / (double)(n_classes - 1);
        for (ptrdiff_t j = 0; j < padded; j++) {
            const double best = j >= n_classes || j == y ? 0 : capped ? share : squared ? 2 * delta : 1.0;
            v[j] = best - a[j];
            a[j] = best;
        }
        return gap;
    }
    const double c = squared ? 1 + 0.5 / q : 1.0, inverse = 1 / q;
    most = zero;
    for (ptrdiff_t j = 0; j < padded; j += LANES) {
        const VEC t = LOAD(h + j) * inverse + LOAD(a + j) + sum;
        STORE(v + j, t);
        most = SELECT(t > most, t, most);
    }
    double g = NAME(balance)(v, padded, c, c * bound, sum, NAME(largest)(most));
    if (capped && g > 1) g = NAME(cap)(v, padded, g);
    const VEC middle = SPLAT(g), scale = SPLAT(1 / c), top = SPLAT(bound);
    for (ptrdiff_t j = 0; j < padded; j += LANES) {
        VEC b = (LOAD(v + j) - middle) * scale;
        b = SELECT(b > zero, b, zero);
        b = SELECT(b < top, b, top);
        STORE(v + j, b - LOAD(a + j));
        STORE(a + j, b);
    }
    return gap;
}
