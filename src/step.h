/* The update of parameters whose gradient somebody else computed. */
#ifndef FASTSVM_STEP_H
#define FASTSVM_STEP_H

#include "kernels.h"

void fastsvm_step(const fastsvm_kernels *kernels, int rule, const double *coefficients, void *x, const void *g,
                  void *slot1, void *slot2, ptrdiff_t n, int n_threads);

#endif
