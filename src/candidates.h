/* Objectives of many candidates. See candidates.c. */
#ifndef FASTSVM_CANDIDATES_H
#define FASTSVM_CANDIDATES_H

#include "passes.h"

/* out[k] = the objective at candidate k over the samples in their order: W and b of the job are n_candidates of them,
 * one after the other. 0, or -1 where memory was refused. */
int fastsvm_losses(const fastsvm_job *job, ptrdiff_t n_candidates, double *out, int n_threads);

#endif
