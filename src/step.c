/* A lone update, in slices that threads take one after the other. No number depends on another: how the work is shared
 * never changes a bit. */
#include "step.h"

#include "team.h"

#include <stdint.h>

#define SLICE 4096
#define SMALL (256 * 1024) /* bytes of parameters, updated before a sleeping thread would have begun */
#define BACK ((uint64_t)1 << 32)

typedef struct {
    const fastsvm_kernels *kernels;
    int rule;
    const double *coefficients;
    char *x, *slot1, *slot2;
    const char *g;
    ptrdiff_t n, n_slices, ahead; /* numbers before the first of x that begins a cache line */
    uint64_t taken;               /* slices from the front; from the back, times BACK */
} step;

static void update_slice(const step *s, ptrdiff_t k) {
    const ptrdiff_t begin = k ? s->ahead + k * SLICE : 0, end = s->ahead + (k + 1) * SLICE;
    const ptrdiff_t n = (end < s->n ? end : s->n) - begin, at = begin * s->kernels->tiles->item;
    s->kernels->rows->update(s->rule, s->coefficients, s->x + at, s->g + at, s->slot1 ? s->slot1 + at : NULL,
                             s->slot2 ? s->slot2 + at : NULL, n);
}

/* The caller takes slices from the front and helpers from the back, so that with the next update most slices are in the
 * cache of the core that takes them. */
static void take_slices(void *context, int helper) {
    step *s = context;
    for (;;) {
#if defined(__GNUC__)
        const uint64_t taken = __atomic_fetch_add(&s->taken, helper ? BACK : 1, __ATOMIC_RELAXED);
#else
        const uint64_t taken = s->taken++;
#endif
        const ptrdiff_t front = (ptrdiff_t)(taken % BACK), back = (ptrdiff_t)(taken / BACK);
        if (front + back >= s->n_slices) return;
        update_slice(s, helper ? s->n_slices - 1 - back : front);
    }
}

void fastsvm_step(const fastsvm_kernels *kernels, int rule, const double *coefficients, void *x, const void *g,
                  void *slot1, void *slot2, ptrdiff_t n, int n_threads) {
    const ptrdiff_t item = kernels->tiles->item, ahead = (ptrdiff_t)(-(uintptr_t)x % 64) / item;
    const ptrdiff_t n_slices = n > ahead ? (n - ahead + SLICE - 1) / SLICE : n > 0;
    step s = {kernels, rule, coefficients, x, slot1, slot2, g, n, n_slices, ahead, 0};
    const int most = s.n_slices < n_threads ? (int)s.n_slices : n_threads;
    fastsvm_team(most, n * item > SMALL, take_slices, &s);
}
