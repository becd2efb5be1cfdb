/* Loops over samples in CSR form. See sparse.c and sparse_epoch.c. */
#ifndef FASTSVM_SPARSE_H
#define FASTSVM_SPARSE_H

#include "shared.h"

#include <stdlib.h>

/* Results of a job without a rule (job->csr is given): scores and objective at each of the candidates that stand one
 * after the other in W and b, or of one candidate also the gradient and n_correct. 0, or -1 where memory was refused.
 */
int fastsvm_sparse_pass(fastsvm_job *job, ptrdiff_t n_candidates, int n_threads);

/* All updates of a job with a rule, likewise. Threads share an update only where it takes at least so many products. */
int fastsvm_sparse_epoch(fastsvm_job *job, ptrdiff_t least_shared, int n_threads);

/* The gradient of job, of W in double, as difference quotients without the penalty, from job->scores; likewise. */
int fastsvm_sparse_quotients(const fastsvm_job *job, double h, int central, int n_threads);

/* Space in which a thread lays out entries. */
typedef struct {
    ptrdiff_t offsets[FASTSVM_LAID];
    double values[FASTSVM_LAID]; /* or as many of T */
} fastsvm_laid;

static inline ptrdiff_t fastsvm_first_entry(const fastsvm_csr *X, ptrdiff_t row) {
    return X->wide ? (ptrdiff_t)((const int64_t *)X->indptr)[row] : ((const int32_t *)X->indptr)[row];
}

static inline ptrdiff_t fastsvm_feature(const fastsvm_csr *X, ptrdiff_t entry) {
    return X->wide ? (ptrdiff_t)((const int64_t *)X->indices)[entry] : ((const int32_t *)X->indices)[entry];
}

static inline ptrdiff_t fastsvm_row(const fastsvm_job *job, ptrdiff_t i) {
    return job->order ? (ptrdiff_t)job->order[i] : i;
}

/* First of the entries [begin, end) of a row whose feature is at least `feature`, or end. */
static inline ptrdiff_t fastsvm_find(const fastsvm_csr *X, ptrdiff_t begin, ptrdiff_t end, ptrdiff_t feature) {
    while (begin < end) {
        const ptrdiff_t middle = begin + (end - begin) / 2;
        if (fastsvm_feature(X, middle) < feature)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* cut[p] to cut[p + 1] are the features of part p of n_parts, with about as many entries as any other. They are counted
 * in some of the rows. */
#define FASTSVM_MAX_CUTS 256
void fastsvm_cut_features(const fastsvm_csr *X, ptrdiff_t n_features, ptrdiff_t n_parts, ptrdiff_t *cut);

/* Memory that begins at a cache line, in large pages where the system has them: entries jump about in it. */
void *fastsvm_large_memory(size_t bytes);

#endif
