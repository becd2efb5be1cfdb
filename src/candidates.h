/* Objectives of many candidates. See candidates.c. */
#ifndef FASTSVM_CANDIDATES_H
#define FASTSVM_CANDIDATES_H

#include "passes.h"

/* out[k] = the objective at candidate k over the samples in their order: W and b of the job are n_candidates of them,
 * one after the other. Where the job has memory for them, also the scores of each candidate, up to a number for each
 * row; they are made for bytes only. 0, 1 where there are no scores to be had here, or -1 where memory was refused. */
int fastsvm_losses(const fastsvm_job *job, ptrdiff_t n_candidates, double *out, int n_threads);

#endif
