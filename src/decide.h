/* Which margins a hinge loss finds violated, from scores that are known up to an error, for up to FASTSVM_MAX_TILE_ROWS
 * rows at once. Included in rows.c for float.
 *
 *   t       scores, class by class: t[c * FASTSVM_MAX_TILE_ROWS + row]
 *   error   of class c at most error[c]
 *   D       gradient of the loss on the scores in the same layout: 0, 1 or -count
 *   unsure  rows where an error may have decided, to be decided again from exact scores
 *
 * At a kink the subgradient is 0: strict > 0.
 */
#define ROWS FASTSVM_MAX_TILE_ROWS

/* What a row's own class adds. */
INLINE void own_scores(const float *t, const float *error, const int32_t *y, float *own, float *own_error) {
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        own[i] = t[y[i] * ROWS + i];
        own_error[i] = error[y[i]];
    }
}

static void decide_weston_watkins(const float *t, const float *error, const int32_t *y, float delta,
                                  ptrdiff_t n_classes, int8_t *D, int32_t *unsure, int32_t *correct) {
    float own[ROWS], own_error[ROWS];
    int32_t count[ROWS] = {0}, beaten[ROWS] = {0}, close[ROWS] = {0};
    own_scores(t, error, y, own, own_error);
    for (ptrdiff_t i = 0; i < ROWS; i++) unsure[i] = 0;
    for (ptrdiff_t c = 0; c < n_classes; c++) {
        const float *RESTRICT tc = t + c * ROWS, error_c = error[c];
        int8_t *RESTRICT d = D + c * ROWS;
        for (ptrdiff_t i = 0; i < ROWS; i++) {
            const float gap = tc[i] - own[i], margin = gap + delta, e = error_c + own_error[i];
            const int32_t other = -(y[i] != c), violated = -(margin > 0) & other;
            unsure[i] |= -!((margin < 0 ? -margin : margin) > e) & other; /* also where it is not finite */
            const int32_t ahead = gap > e, tied = (gap == 0) & (e == 0) & (c < y[i]);
            beaten[i] |= -(ahead | tied) & other;
            close[i] |= -(!((gap < 0 ? -gap : gap) > e) & (e > 0)) & other;
            count[i] -= violated;
            d[i] = (int8_t)-violated;
        }
    }
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        unsure[i] |= close[i] & ~beaten[i];
        correct[i] = !beaten[i];
        D[y[i] * ROWS + i] = (int8_t)-count[i];
    }
}

static void decide_crammer_singer(const float *t, const float *error, const int32_t *y, float delta,
                                  ptrdiff_t n_classes, int8_t *D, int32_t *unsure, int32_t *correct) {
    float own[ROWS], own_error[ROWS], largest[ROWS], largest_error[ROWS];
    int32_t at[ROWS], rivals[ROWS] = {0};
    own_scores(t, error, y, own, own_error);
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        at[i] = y[i] == 0;
        largest[i] = t[at[i] * ROWS + i];
        largest_error[i] = error[at[i]];
    }
    for (ptrdiff_t c = 1; c < n_classes; c++) {
        for (ptrdiff_t i = 0; i < ROWS; i++) {
            const int32_t better = (y[i] != c) & (t[c * ROWS + i] > largest[i]);
            largest[i] = better ? t[c * ROWS + i] : largest[i];
            largest_error[i] = better ? error[c] : largest_error[i];
            at[i] = better ? (int32_t)c : at[i];
        }
    }
    for (ptrdiff_t c = 0; c < n_classes; c++) {
        for (ptrdiff_t i = 0; i < ROWS; i++) {
            rivals[i] += (y[i] != c) & !(largest[i] - t[c * ROWS + i] > largest_error[i] + error[c]);
            D[c * ROWS + i] = 0;
        }
    }
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        const float gap = largest[i] - own[i], margin = gap + delta, e = largest_error[i] + own_error[i];
        unsure[i] =
            !((margin < 0 ? -margin : margin) > e) | !((gap < 0 ? -gap : gap) > e) | ((margin > 0) & (rivals[i] > 1));
        correct[i] = gap <= 0;
        if (margin > 0) {
            D[at[i] * ROWS + i] = 1;
            D[y[i] * ROWS + i] = -1;
        }
    }
}

static void decide(int loss, const float *t, const float *error, const int32_t *y, float delta, ptrdiff_t n_classes,
                   int8_t *D, int32_t *unsure, int32_t *correct) {
    if (loss == FASTSVM_CRAMMER_SINGER)
        decide_crammer_singer(t, error, y, delta, n_classes, D, unsure, correct);
    else
        decide_weston_watkins(t, error, y, delta, n_classes, D, unsure, correct);
}

/* Sum over n <= FASTSVM_MAX_PRODUCTS features of a stored row's byte, its top bit flipped where `flip` is 128, times a
 * signed byte. */
static int32_t dot_bytes(const uint8_t *RESTRICT u, unsigned flip, const int8_t *RESTRICT plane, ptrdiff_t n) {
    int32_t sum = 0;
    for (ptrdiff_t k = 0; k < n; k++) sum += (int32_t)(uint8_t)(u[k] ^ flip) * plane[k];
    return sum;
}
#undef ROWS
