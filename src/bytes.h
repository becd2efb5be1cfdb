/* Scores of stored bytes from integer products. See bytes.c. */
#ifndef FASTSVM_BYTES_H
#define FASTSVM_BYTES_H

#include "passes.h"

/* Whether scores, loss or correct samples of this job can be had so; and those. 0, or -1 where memory was refused. */
int fastsvm_bytes_apply(const fastsvm_job *job);
int fastsvm_run_bytes(fastsvm_job *job, int n_threads);

/* out[k] = the objective at candidate k: W and b of the job are n_candidates of them, one after the other. */
int fastsvm_byte_losses(const fastsvm_job *job, ptrdiff_t n_candidates, double *out, int n_threads);

#endif
