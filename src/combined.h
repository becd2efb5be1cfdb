/* Losses at combinations of several matrices of scores, for a block of rows at once. Included in rows.c for each T.
 *
 *   t  for each matrix q and class c other than the sample's own, the differences s_c - s_y of up to ROWS samples:
 *      t[(q * (n_classes - 1) + c) * ROWS + i]. The losses are functions of them, and no class is left to be excepted.
 */
#define ROWS FASTSVM_MAX_TILE_ROWS
#define VECTORS ((int)(ROWS / LANES))
#define SUMS 8 /* running sums over rows, in a fixed order at every level */

/* The differences of n <= ROWS rows of one matrix; those of the first row stand in for rows that are not there. Without
 * a branch on the label, which no processor could foresee. */
static void NAME(lay_differences)(const void *scores, const int64_t *y, ptrdiff_t n, ptrdiff_t n_classes, void *out) {
    const T *s = scores;
    T *RESTRICT t = out;
    T own[ROWS];
    int32_t first[ROWS], label[ROWS];
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        const ptrdiff_t row = i < n ? i : 0;
        first[i] = (int32_t)(row * n_classes);
        label[i] = (int32_t)y[row];
        own[i] = s[first[i] + label[i]];
    }
    for (int32_t c = 0; c < n_classes - 1; c++, t += ROWS) {
#if defined(__AVX512F__) && FASTSVM_VECTOR_BYTES == 64 && T_BYTES == 4
        const __m512i class = _mm512_set1_epi32(c);
        UNROLL
        for (int i = 0; i < ROWS; i += 16) {
            const __m512i at = _mm512_add_epi32(_mm512_loadu_si512(first + i), class);
            const __mmask16 behind = _mm512_cmpge_epi32_mask(class, _mm512_loadu_si512(label + i));
            const __m512 other = _mm512_i32gather_ps(_mm512_mask_add_epi32(at, behind, at, _mm512_set1_epi32(1)), s, 4);
            _mm512_storeu_ps(t + i, _mm512_sub_ps(other, _mm512_loadu_ps(own + i)));
        }
#else
        for (ptrdiff_t i = 0; i < ROWS; i++) t[i] = s[first[i] + c + (c >= label[i])] - own[i];
#endif
    }
}

/* v = start + sum_q a_q t_q for class c; what has no part in it is not read. */
INLINE void NAME(combine)(const T *t, const T *a, ptrdiff_t n_matrices, ptrdiff_t apart, T start, VEC *v) {
    UNROLL
    for (int k = 0; k < VECTORS; k++) v[k] = SPLAT(start);
    for (ptrdiff_t q = 0; q < n_matrices; q++, t += apart) {
        if (a[q] == 0) continue;
        const VEC factor = SPLAT(a[q]);
        UNROLL
        for (int k = 0; k < VECTORS; k++) v[k] += factor * LOAD(t + k * LANES);
    }
}

/* sum_i weight_i (value_i + zero_i). */
INLINE double NAME(weighted)(const VEC *value, const double *weight) {
    T values[ROWS];
    double sums[SUMS] = {0};
    UNROLL
    for (int k = 0; k < VECTORS; k++) STORE(values + k * LANES, value[k]);
    for (int i = 0; i < ROWS; i += SUMS)
        for (int j = 0; j < SUMS; j++) sums[j] += weight[i + j] * values[i + j];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/* A comparison that NaN fails comes first, so that NaN stays. */
INLINE double NAME(combined_hinge)(int loss, T delta, const T *t, const T *a, ptrdiff_t n_matrices, ptrdiff_t n_classes,
                                   const double *weight) {
    const ptrdiff_t apart = (n_classes - 1) * ROWS;
    const VEC zero = SPLAT((T)0);
    VEC value[VECTORS], margin[VECTORS];
    UNROLL
    for (int k = 0; k < VECTORS; k++) value[k] = zero;
    for (ptrdiff_t c = 0; c < n_classes - 1; c++) {
        NAME(combine)(t + c * ROWS, a, n_matrices, apart, delta, margin);
        UNROLL
        for (int k = 0; k < VECTORS; k++) {
            if (loss == FASTSVM_CRAMMER_SINGER) {
                value[k] = SELECT(margin[k] > value[k], margin[k], value[k]) + (margin[k] - margin[k]);
                continue;
            }
            const VEC violation = SELECT(margin[k] <= zero, zero, margin[k]);
            value[k] += loss == FASTSVM_WESTON_WATKINS ? violation : violation * violation;
        }
    }
    return NAME(weighted)(value, weight);
}

/* log(1 + sum_c exp(v_c)), the largest subtracted first. Eight rows of weight 1 share a logarithm. */
INLINE double NAME(combined_softmax)(const T *t, const T *a, ptrdiff_t n_matrices, ptrdiff_t n_classes,
                                     const double *weight, int weighted) {
    const ptrdiff_t apart = (n_classes - 1) * ROWS;
    const VEC zero = SPLAT((T)0);
    VEC top[VECTORS], total[VECTORS], v[VECTORS];
    T totals[ROWS];
    UNROLL
    for (int k = 0; k < VECTORS; k++) top[k] = zero;
    for (ptrdiff_t c = 0; c < n_classes - 1; c++) {
        NAME(combine)(t + c * ROWS, a, n_matrices, apart, 0, v);
        UNROLL
        for (int k = 0; k < VECTORS; k++) top[k] = SELECT(v[k] > top[k], v[k], top[k]) + (v[k] - v[k]);
    }
    UNROLL
    for (int k = 0; k < VECTORS; k++) total[k] = NAME(exp)(zero - top[k]);
    for (ptrdiff_t c = 0; c < n_classes - 1; c++) {
        NAME(combine)(t + c * ROWS, a, n_matrices, apart, 0, v);
        UNROLL
        for (int k = 0; k < VECTORS; k++) total[k] += NAME(exp)(v[k] - top[k]);
    }
    UNROLL
    for (int k = 0; k < VECTORS; k++) STORE(totals + k * LANES, total[k]);
    double logs = 0;
    for (int i = 0; i < ROWS; i += SUMS) {
        double product = 1;
        for (int j = 0; j < SUMS; j++) {
            if (weighted)
                logs += weight[i + j] * log((double)totals[i + j]);
            else
                product *= weight[i + j] > 0 ? totals[i + j] : 1;
        }
        if (!weighted) logs += log(product);
    }
    return logs + NAME(weighted)(top, weight);
}

/* sums[p] += sum_i weight_i loss_i at the combination that row p of the coefficients gives; where there is a base, the
 * first matrix, it has none, and is added to all. The weights of rows beyond the block's are 0; `weighted` says whether
 * the others may be something else than 1. */
static void NAME(combined_losses)(int loss, double delta, const void *differences, int has_base, ptrdiff_t n_matrices,
                                  ptrdiff_t n_classes, const double *weight, int weighted, const double *coefficients,
                                  ptrdiff_t n_points, void *scratch, double *sums) {
    const T *t = differences;
    T *a = scratch;
    a[0] = 1;
    for (ptrdiff_t p = 0; p < n_points; p++) {
        for (ptrdiff_t q = has_base; q < n_matrices; q++) a[q] = (T)*coefficients++;
        if (loss == FASTSVM_SOFTMAX)
            sums[p] += NAME(combined_softmax)(t, a, n_matrices, n_classes, weight, weighted);
        else if (loss == FASTSVM_WESTON_WATKINS)
            sums[p] += NAME(combined_hinge)(FASTSVM_WESTON_WATKINS, (T)delta, t, a, n_matrices, n_classes, weight);
        else if (loss == FASTSVM_WESTON_WATKINS_SQUARED)
            sums[p] +=
                NAME(combined_hinge)(FASTSVM_WESTON_WATKINS_SQUARED, (T)delta, t, a, n_matrices, n_classes, weight);
        else
            sums[p] += NAME(combined_hinge)(FASTSVM_CRAMMER_SINGER, (T)delta, t, a, n_matrices, n_classes, weight);
    }
}
#undef ROWS
#undef VECTORS
#undef SUMS
