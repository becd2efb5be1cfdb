/* What the loops over samples share: sizes, and where rows lie. */
#ifndef FASTSVM_SHARED_H
#define FASTSVM_SHARED_H

#include "barrier.h"
#include "passes.h"

#ifdef _OPENMP
#include <omp.h>
static inline int fastsvm_thread(void) { return omp_get_thread_num(); }
#else
static inline int fastsvm_thread(void) { return 0; }
#endif

#define PAD(n) (((n) + 63) / 64 * 64)
#define WEIGHTS_AT_ONCE 1024 /* features of one class that are finished together */

static inline ptrdiff_t min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

static inline int wants_gradient(const fastsvm_job *job) { return job->rule != FASTSVM_NO_RULE || job->dW; }

static inline ptrdiff_t storage_size(int storage) {
    switch (storage) {
    case FASTSVM_FLOAT64: return 8;
    case FASTSVM_FLOAT32: return 4;
    case FASTSVM_FLOAT16:
    case FASTSVM_BFLOAT16: return 2;
    default: return 1;
    }
}

static inline void locate_rows(const fastsvm_job *job, ptrdiff_t first, ptrdiff_t n, const void **rows) {
    const ptrdiff_t bytes = job->n_features * storage_size(job->storage);
    for (ptrdiff_t i = 0; i < n; i++)
        rows[i] = job->X + (job->order ? (ptrdiff_t)job->order[first + i] : first + i) * bytes;
}

/* The penalty from the squares of the slices of W, and those of the intercept behind them. */
static inline double penalty_of(const fastsvm_job *job, const double *squares, ptrdiff_t n_slices) {
    double sum = 0;
    for (ptrdiff_t k = 0; k < n_slices; k++) sum += squares[k];
    return 0.5 * job->alpha * sum + 0.5 * job->alpha_intercept * squares[n_slices];
}

/* candidates.c. The penalty of one of the candidates for the weights that stand one after the other in W and b. */
double fastsvm_penalty(const fastsvm_job *job, ptrdiff_t candidate);

/* passes.c. Calls `work` once on each thread of a team, and returns when all have returned. `omp for` in it shares out
 * its loops. */
typedef void fastsvm_work(fastsvm_job *job, void *plan, int thread, fastsvm_barrier *team);
void fastsvm_in_team(int n_threads, fastsvm_work *work, fastsvm_job *job, void *plan);

/* passes.c. n <= WEIGHTS_AT_ONCE weights that begin at feature k0 of class c, from the sums of D^T X: their gradient,
 * with the penalty, and their update where there is a rule. */
void fastsvm_finish_weights(const fastsvm_job *job, const double *sums, ptrdiff_t c, ptrdiff_t k0, ptrdiff_t n,
                            ptrdiff_t n_batch, ptrdiff_t update);

/* passes.c. The intercept from the sums of D: its gradient, and its update where there is a rule. Weight decay does not
 * reach it. `gradient` is scratch space. */
void fastsvm_finish_intercept(const fastsvm_job *job, const double *sums, ptrdiff_t n_batch, ptrdiff_t update,
                              void *gradient);

/* exact.c. Whether its pass serves this job, and the pass itself; 0, or -1 where memory was refused. */
int fastsvm_exact_applies(const fastsvm_job *job);
int fastsvm_run_exact(fastsvm_job *job, int n_threads);

/* wide.c. Whether a job's shape makes its pass the faster one, and the pass itself, likewise. */
int fastsvm_is_wide(const fastsvm_job *job);
int fastsvm_run_wide(fastsvm_job *job, int n_threads);

#endif
