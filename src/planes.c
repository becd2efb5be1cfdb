/* Weights as integers in digits of 8 bits. See planes.h. */
#include "planes.h"

#include "shared.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define SLICE FASTSVM_EXACT_SLICE
#define LARGEST_Q 8355711 /* 127 * 256^2 + 127 * 256 + 127 */

typedef struct {
    ptrdiff_t planes, packed, rounded, largest, sums;
} sizes;

static const fastsvm_packing *packing_of(const fastsvm_planes *p) {
    return p->packing ? p->packing : &p->kernels->integers->packing;
}

static sizes sizes_of(const fastsvm_planes *p) {
    const ptrdiff_t pairs = p->n_slices * p->n_vectors;
    const int integers = p->kernels->integers != NULL;
    sizes s;
    s.planes = p->keep ? PAD(FASTSVM_DIGITS * p->n_vectors * p->width) : 0;
    s.packed = PAD(integers ? packing_of(p)->size(p->n_packed * p->n_vectors, p->n_features)
                            : p->kernels->tiles->packed_size(p->n_vectors, p->n_features) * 4);
    s.rounded = integers ? 0 : PAD(p->n_vectors * p->n_features * 4);
    s.largest = PAD(pairs * 8);
    s.sums = PAD(pairs * (ptrdiff_t)sizeof(fastsvm_digit_sums));
    return s;
}

ptrdiff_t fastsvm_planes_size(fastsvm_planes *p) {
    p->n_vectors = p->differences ? p->n_rows / p->n_classes * (p->n_classes - 1) : p->n_rows;
    p->width = PAD(p->n_features);
    p->n_slices = ceil_div(p->n_features, SLICE);
    const sizes s = sizes_of(p);
    return s.planes + s.packed + s.rounded + s.largest + s.sums;
}

void fastsvm_planes_place(fastsvm_planes *p, char *memory) {
    const sizes s = sizes_of(p);
    p->planes = (int8_t *)memory, memory += s.planes;
    p->packed = memory, memory += s.packed;
    p->rounded = (float *)memory, memory += s.rounded;
    p->largest = (double *)memory, memory += s.largest;
    p->sums = (fastsvm_digit_sums *)memory;
}

/* Where vector v begins in W, and what is subtracted from it. */
static const float *locate(const fastsvm_planes *p, ptrdiff_t v, const float **last) {
    const ptrdiff_t others = p->n_classes - 1, D = p->n_features;
    if (!p->differences) {
        *last = NULL;
        return p->W + v * D;
    }
    *last = p->W + (v / others * p->n_classes + others) * D;
    return p->W + (v / others * p->n_classes + v % others) * D;
}

void fastsvm_planes_measure(const fastsvm_planes *p, ptrdiff_t v, ptrdiff_t s) {
    const ptrdiff_t k0 = s * SLICE, n = min(SLICE, p->n_features - k0);
    const float *last, *W = locate(p, v, &last), *inverse = p->inverse_scale;
    p->largest[s * p->n_vectors + v] =
        p->kernels->rows->measure(W + k0, last ? last + k0 : NULL, inverse ? inverse + k0 : NULL, n);
}

double fastsvm_planes_unit(const fastsvm_planes *p, ptrdiff_t v) {
    double largest = 0;
    for (ptrdiff_t s = 0; s < p->n_slices; s++) {
        const double here = p->largest[s * p->n_vectors + v];
        if (!isfinite(here)) return 0;
        largest = here > largest ? here : largest;
    }
    if (largest < DBL_MIN * 0x1p30) return DBL_MIN * 0x1p7;
    int exponent;
    const double fraction = frexp(largest, &exponent);
    return ldexp(1.0, exponent - (fraction * 0x1p23 > LARGEST_Q ? 22 : 23));
}

void fastsvm_planes_round(const fastsvm_planes *p, ptrdiff_t v, ptrdiff_t s) {
    const ptrdiff_t k0 = s * SLICE, n = min(SLICE, p->n_features - k0), plane = p->n_vectors * p->width;
    const float *last, *W = locate(p, v, &last), *inverse = p->inverse_scale, *mean = p->mean;
    const double unit = fastsvm_planes_unit(p, v);
    if (unit == 0) return;
    int8_t digits[FASTSVM_DIGITS][SLICE];
    float *rounded = p->kernels->integers ? NULL : p->rounded + v * p->n_features + k0;
    p->kernels->rows->round_weights(W + k0, last ? last + k0 : NULL, inverse ? inverse + k0 : NULL,
                                    mean ? mean + k0 : NULL, p->origin, unit, n, digits[0], digits[1], digits[2],
                                    rounded, p->sums + s * p->n_vectors + v);
    for (int d = 0; d < FASTSVM_DIGITS && p->keep; d++)
        memcpy(p->planes + d * plane + v * p->width + k0, digits[d], (size_t)n);
    if (rounded) p->kernels->tiles->pack(p->rounded, NULL, p->n_vectors, p->n_features, v, k0, k0 + n, p->packed);
    for (int d = 0; d < p->n_packed && !rounded; d++)
        packing_of(p)->pack(digits[d], p->n_packed * p->n_vectors, p->n_features, d * p->n_vectors + v, k0, n,
                            p->packed);
}

fastsvm_digit_sums fastsvm_planes_sums(const fastsvm_planes *p, ptrdiff_t v) {
    fastsvm_digit_sums all = {0};
    for (ptrdiff_t s = 0; s < p->n_slices; s++) {
        const fastsvm_digit_sums *part = p->sums + s * p->n_vectors + v;
        all.sum += part->sum, all.size += part->size, all.moment += part->moment;
        all.lowest_sum += part->lowest_sum, all.lowest_size += part->lowest_size;
        all.lowest_moment += part->lowest_moment;
    }
    return all;
}
