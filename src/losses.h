/* The loss of one row of scores, and its gradient in place. Included once for each T, compiled without contraction:
 * every operation is rounded as in NumPy.
 *
 * At a kink the subgradient is 0: strict > 0, as in fastsvm/backends/reference.py, which defines all of this.
 *
 * A row is taken vector by vector, and what is summed over its scores has SWEEP running sums, added up by halves: the
 * order depends on the number of classes only, not on the level.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#undef SWEEP
#undef N_SUMS
#define SWEEP (128 / T_BYTES)
#define N_SUMS ((int)(SWEEP / LANES)) /* vectors of running sums */

#undef BITS
#undef EXP_LEAST
#undef EXP_LN2_HIGH
#undef EXP_LN2_LOW
#undef EXP_ROUND
#undef EXP_EXPONENT
#undef EXP_TERMS
#undef EXP_SERIES
#if T_BYTES == 4
#define BITS uint32_t
#define EXP_LEAST (-104) /* less than half of the least float is left */
#define EXP_LN2_HIGH 0x1.63p-1f
#define EXP_LN2_LOW -0x1.bd0106p-13f
#define EXP_ROUND 0x1.8p23f
#define EXP_EXPONENT(bits) (((bits) + 64 + 127) << 23)
#define EXP_TERMS 5
#define EXP_SERIES {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23dp-10f}
#else
#define BITS uint64_t
#define EXP_LEAST (-746)
#define EXP_LN2_HIGH 0x1.62e4p-1
#define EXP_LN2_LOW 0x1.7f7d1cf79abcap-20
#define EXP_ROUND 0x1.8p52
#define EXP_EXPONENT(bits) (((bits) + 64 + 1023) << 52)
#define EXP_TERMS 10
#define EXP_SERIES                                                                                  \
    {                                                                                               \
        0x1.000000000000ap-1,  0x1.55555555554f9p-3,  0x1.555555555083ep-5,  0x1.1111111127d0ep-7,  \
        0x1.6c16c18438b08p-10, 0x1.a01a012a0f351p-13, 0x1.a01999e2633fdp-16, 0x1.71df25b3100a2p-19, \
        0x1.28ad9b8551757p-22, 0x1.ad7f3ee016e7dp-26}
#endif

/* A comparison of vectors holds all bits set or none, one of numbers 1 or 0. */
#undef SELECT
#if defined(__GNUC__)
typedef BITS NAME(bits_vector) __attribute__((vector_size(FASTSVM_VECTOR_BYTES)));
#define BITS_VECTOR NAME(bits_vector)
#define SELECT(condition, a, b) \
    ((VEC)(((BITS_VECTOR)(condition) & (BITS_VECTOR)(a)) | (~(BITS_VECTOR)(condition) & (BITS_VECTOR)(b))))
#else
#define BITS_VECTOR BITS
#define SELECT(condition, a, b) ((condition) ? (a) : (b))
#endif

/* exp(x) for x <= 0, within 1 ulp; 1 at 0, and gradual underflow to 0.
 *
 * x = n ln 2 + r, with ln 2 in two parts of which the first times n is exact (W. Cody, W. Waite, "Software manual for
 * the elementary functions", 1980); exp(r) = 1 + r + r^2 q(r), q by the Remez exchange for the least relative error of
 * exp(r) on [-ln(2)/2, ln(2)/2] (3e-9 for float, 4e-18 for double). Adding EXP_ROUND rounds to n and leaves it in the
 * low bits; 2^(n + 64) is a normal number. */
INLINE VEC NAME(exp)(VEC x) {
    static const T series[EXP_TERMS] = EXP_SERIES;
    const VEC limit = SPLAT((T)EXP_LEAST), zero = SPLAT((T)0);
    const VEC least = SELECT(x > limit, x, zero); /* what is to underflow takes the processor a hundred cycles */
    const VEC shifted = least * (T)1.4426950408889634 + EXP_ROUND, n = shifted - EXP_ROUND;
    const VEC r = (least - n * EXP_LN2_HIGH) - n * EXP_LN2_LOW;
    VEC q = SPLAT(series[EXP_TERMS - 1]), power;
    UNROLL
    for (int k = EXP_TERMS - 2; k >= 0; k--) q = q * r + series[k];
    BITS_VECTOR bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = EXP_EXPONENT(bits);
    memcpy(&power, &bits, sizeof power);
    return SELECT(x > limit, ((r * r * q + r) + 1) * power * (T)0x1p-64, zero);
}

/* Numbers 0 to LANES - 1. */
INLINE BITS_VECTOR NAME(places)(void) {
    BITS place[LANES];
    BITS_VECTOR places;
    for (int l = 0; l < LANES; l++) place[l] = (BITS)l;
    memcpy(&places, place, sizeof places);
    return places;
}

/* The first n < LANES numbers at s, then `rest`. */
INLINE VEC NAME(take)(const T *s, ptrdiff_t n, T rest) {
    return SELECT(NAME(places)() < (BITS)n, NAME(load_part)(s, n), SPLAT(rest));
}

/* Sum of running sums; they are spoilt. */
INLINE T NAME(total)(VEC *sums) {
    UNROLL
    for (int width = N_SUMS / 2; width > 0; width /= 2) {
        UNROLL
        for (int k = 0; k < width; k++) sums[k] += sums[k + width];
    }
    return NAME(sum)(sums[0]);
}

/* The statements given, for each vector v of a row, whose running sums are number k; v is put back where `want`. The
 * last vector, if it is not whole, is `part`. */
#define SWEEP_ROW(s, n_scores, part, want, ...)                      \
    for (ptrdiff_t j = 0; j < (n_scores); j += SWEEP) {              \
        T *at = (s) + j;                                             \
        ptrdiff_t left = (n_scores) - j;                             \
        if (left >= SWEEP) {                                         \
            UNROLL                                                   \
            for (int k = 0; k < N_SUMS; k++, at += LANES) {          \
                VEC v = LOAD(at);                                    \
                __VA_ARGS__                                          \
                if (want) STORE(at, v);                              \
            }                                                        \
            continue;                                                \
        }                                                            \
        UNROLL                                                       \
        for (int k = 0; k < N_SUMS; k++, at += LANES, left -= LANES) \
            if (left > 0) {                                          \
                VEC v = left >= LANES ? LOAD(at) : (part);           \
                __VA_ARGS__                                          \
                if ((want) && left >= LANES)                         \
                    STORE(at, v);                                    \
                else if (want)                                       \
                    NAME(store_part)(at, left, v);                   \
            }                                                        \
    }

INLINE void NAME(clear)(VEC *sums) {
    UNROLL
    for (int k = 0; k < N_SUMS; k++) sums[k] = SPLAT((T)0);
}

#undef TAKE_LARGER
#define TAKE_LARGER(v, turned)           \
    do {                                 \
        const VEC other = (turned);      \
        v = SELECT(other > v, other, v); \
    } while (0)

/* Largest score of another class than y. `zero`, running sums, become NaN where a score is not finite, and 0 otherwise.
 */
INLINE T NAME(largest)(T *s, ptrdiff_t y, ptrdiff_t n, VEC *zero) {
    const VEC least = SPLAT(-(T)INFINITY);
    BITS_VECTOR place = NAME(places)();
    VEC tops[N_SUMS];
    UNROLL
    for (int k = 0; k < N_SUMS; k++) tops[k] = least, zero[k] = SPLAT((T)0);
    SWEEP_ROW(s, n, NAME(take)(at, left, -(T)(T_BYTES == 4 ? FLT_MAX : DBL_MAX)), 0, {
        const VEC other = SELECT(place != (BITS)y, v, least);
        zero[k] += v - v;
        tops[k] = SELECT(other > tops[k], other, tops[k]);
        place += (BITS)LANES;
    })
    UNROLL
    for (int width = N_SUMS / 2; width > 0; width /= 2) {
        UNROLL
        for (int k = 0; k < width; k++) tops[k] = SELECT(tops[k + width] > tops[k], tops[k + width], tops[k]);
    }
    VEC top = tops[0];
    T first;
    EACH_TURN(top, TAKE_LARGER)
    memcpy(&first, &top, sizeof first);
    return first;
}

/* First of n scores that equals `value`, or n. */
INLINE ptrdiff_t NAME(find)(const T *s, ptrdiff_t n, T value) {
    ptrdiff_t j = 0;
    for (; j + SWEEP <= n; j += SWEEP) {
        int found = 0;
        for (int l = 0; l < SWEEP; l++) found |= s[j + l] == value;
        if (found) break;
    }
    while (j < n && s[j] != value) j++;
    return j;
}

/* sum_{j != y} max(0, m_j), m_j = s_j - s_y + delta; or of the squares; or smoothed over a width of 1: m_j^2 / 2 up to
 * there, m_j - 1/2 beyond. `losses`, running sums, have begun. */
INLINE double NAME(weston_watkins)(T *s, ptrdiff_t y, T own, T delta, T weight, ptrdiff_t n, const int loss,
                                   int want_gradient, VEC *losses) {
    VEC totals[N_SUMS];
    const VEC zero = SPLAT((T)0), one = SPLAT((T)1);
    BITS_VECTOR place = NAME(places)();
    NAME(clear)(totals);
    SWEEP_ROW(s, n, NAME(take)(at, left, -(T)INFINITY), want_gradient, {
        const VEC margin = v - own + delta;
        const BITS_VECTOR violated = (BITS_VECTOR)(margin > zero) & (BITS_VECTOR)(place != (BITS)y);
        const VEC violation = SELECT(violated, margin, zero);
        VEC d, value;
        if (loss == FASTSVM_SMOOTHED_WESTON_WATKINS)
            d = SELECT(violation > one, one, violation), value = d * (violation - d * (T)0.5);
        else if (loss == FASTSVM_WESTON_WATKINS_SQUARED)
            d = 2 * violation, value = violation * violation;
        else
            d = SELECT(violated, one, zero), value = violation;
        place += (BITS)LANES;
        losses[k] += value;
        totals[k] += d;
        v = weight * d;
    })
    if (want_gradient) s[y] = -(weight * NAME(total)(totals));
    return NAME(total)(losses);
}

/* max(0, max_{j != y} s_j - s_y + delta); the first j in a tie. */
INLINE void NAME(crammer_singer)(T *s, ptrdiff_t y, T largest, T weight, ptrdiff_t n) {
    ptrdiff_t j = NAME(find)(s, n, largest);
    if (j == y) j += 1 + NAME(find)(s + y + 1, n - y - 1, largest);
    memset(s, 0, (size_t)n * sizeof(T));
    if (j < n) s[j] = weight;
    s[y] = -weight;
}

/* The largest of sum_j a_j m_j - |a|^2 / 2 over a >= 0 with sum_j a_j <= 1, j != y, which is at a_j = max(0, m_j - t)
 * with the least t >= 0 that keeps the sum. t by Newton's method: the sum is convex in t and too large at first, so
 * that t rises, and has been found once no m_j is left behind (C. Michelot, 1986). `losses`, running sums, have begun.
 */
INLINE double NAME(smoothed_crammer_singer)(T *s, ptrdiff_t y, T own, T largest, T delta, T weight, ptrdiff_t n,
                                            int want_gradient, VEC *losses) {
    VEC totals[N_SUMS], counts[N_SUMS];
    const VEC zero = SPLAT((T)0), one = SPLAT((T)1);
    BITS_VECTOR place;
    T t = largest - 1 > 0 ? largest - 1 : (T)0;
    for (T before = -1, count = 0; count != before;) {
        before = count;
        place = NAME(places)();
        NAME(clear)(totals);
        NAME(clear)(counts);
        SWEEP_ROW(s, n, NAME(take)(at, left, -(T)INFINITY), 0, {
            const VEC rest = v - own + delta - t;
            const BITS_VECTOR counted = (BITS_VECTOR)(rest > zero) & (BITS_VECTOR)(place != (BITS)y);
            place += (BITS)LANES;
            totals[k] += SELECT(counted, rest, zero);
            counts[k] += SELECT(counted, one, zero);
        })
        count = NAME(total)(counts);
        const T excess = NAME(total)(totals) - 1;
        if (!(excess > 0)) break; /* also the sum of so few that it is less than 1 */
        t += excess / count;
    }
    place = NAME(places)();
    NAME(clear)(totals);
    SWEEP_ROW(s, n, NAME(take)(at, left, -(T)INFINITY), want_gradient, {
        const VEC margin = v - own + delta, rest = margin - t;
        const BITS_VECTOR counted = (BITS_VECTOR)(rest > zero) & (BITS_VECTOR)(place != (BITS)y);
        const VEC a = SELECT(counted, rest, zero), value = a * (margin - a * (T)0.5);
        place += (BITS)LANES;
        losses[k] += SELECT(counted, value, zero);
        totals[k] += a;
        v = weight * a;
    })
    if (want_gradient) s[y] = -(weight * NAME(total)(totals));
    return NAME(total)(losses);
}

/* log sum_j exp(s_j) - s_y, after subtracting the largest score. `sums`, running sums, have begun. */
INLINE double NAME(softmax)(T *s, ptrdiff_t y, T own, T top, T weight, ptrdiff_t n, int want_gradient, VEC *sums) {
    VEC tail = SPLAT((T)0); /* read back from memory, it would be waited for */
    SWEEP_ROW(s, n, NAME(take)(at, left, -(T)INFINITY), want_gradient, {
        v = NAME(exp)(v - top);
        sums[k] += v;
        tail = v;
    })
    const T total = NAME(total)(sums);
    if (want_gradient) {
        const VEC factor = SPLAT(weight / total), own_part = SPLAT(weight), zero = SPLAT((T)0);
        BITS_VECTOR place = NAME(places)();
        SWEEP_ROW(s, n, tail, 1, {
            v = v * factor - SELECT(place == (BITS)y, own_part, zero);
            place += (BITS)LANES;
        })
    }
    return log((double)total) - (own - top);
}

static double NAME(loss)(int loss, double delta, void *scores, ptrdiff_t y, double weight, ptrdiff_t n,
                         int want_gradient, int *correct) {
    T *s = scores;
    const T own = s[y];
    VEC sums[N_SUMS]; /* NaN where a score is not finite: begins the sums of a loss */
    const T other = NAME(largest)(s, y, n, sums), margin = other - own + (T)delta;
    *correct = own > other || (own == other && NAME(find)(s, y, own) == y);
    double value = 0;
    if (loss == FASTSVM_SOFTMAX) {
        value = NAME(softmax)(s, y, own, own > other ? own : other, (T)weight, n, want_gradient, sums);
    } else if (!(margin > 0)) { /* as rounded, no other margin is larger */
        value = NAME(total)(sums);
        if (want_gradient) memset(s, 0, (size_t)n * sizeof(T));
    } else if (loss == FASTSVM_CRAMMER_SINGER) {
        value = margin + NAME(total)(sums);
        if (want_gradient) NAME(crammer_singer)(s, y, other, (T)weight, n);
    } else if (loss == FASTSVM_SMOOTHED_CRAMMER_SINGER)
        value = NAME(smoothed_crammer_singer)(s, y, own, margin, (T)delta, (T)weight, n, want_gradient, sums);
    else if (loss == FASTSVM_SMOOTHED_WESTON_WATKINS)
        value = NAME(weston_watkins)(s, y, own, (T)delta, (T)weight, n, FASTSVM_SMOOTHED_WESTON_WATKINS, want_gradient,
                                     sums);
    else if (loss == FASTSVM_WESTON_WATKINS)
        value = NAME(weston_watkins)(s, y, own, (T)delta, (T)weight, n, FASTSVM_WESTON_WATKINS, want_gradient, sums);
    else
        value = NAME(weston_watkins)(s, y, own, (T)delta, (T)weight, n, FASTSVM_WESTON_WATKINS_SQUARED, want_gradient,
                                     sums);
    return value * weight;
}
