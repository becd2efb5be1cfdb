/* Passes over samples in CSR form that change nothing: scores, objective, gradient.
 *
 *   L = (1/n) sum_i w_i loss(scores_i, y_i) + alpha 1/2 |W|^2 + alpha_intercept 1/2 |b|^2       (w has mean 1)
 *
 * W is laid out feature-major once. Threads then take chunks of rows: scores, loss, and D = the loss's gradient on the
 * scores. For the gradient on W a thread owns a range of features, finds it in each row by bisection (features ascend),
 * and adds D^T x to its part of G, in double and in the order of the rows. Rows go in waves, so that D takes bounded
 * memory.
 *
 * Every sum has a fixed order that no range and no thread has a part in: the number of threads never changes a bit.
 */
#if defined(__linux__)
#define _DEFAULT_SOURCE /* madvise */
#include <sys/mman.h>
#endif
#include "sparse.h"

#include <math.h>
#include <string.h>

#define CHUNK_ROWS 32
#define WAVE_BYTES (8 * 1024 * 1024)
#define GROUP_BYTES (8 * 1024 * 1024) /* of the weights of candidates side by side */
#define GROUP_CLASSES 128
#define TURNED 64 /* features whose gradient is turned at a time */
#define SAMPLED_ROWS 512
#define BUCKETS 4096
#define LARGE_PAGE (2 * 1024 * 1024)

void *fastsvm_large_memory(size_t bytes) {
#if defined(_WIN32)
    return malloc(bytes ? bytes : 1);
#else
    const size_t unit = bytes >= LARGE_PAGE ? LARGE_PAGE : 64;
    void *memory = NULL;
    if (posix_memalign(&memory, unit, bytes ? bytes : 1)) return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes >= LARGE_PAGE) madvise(memory, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#endif
    return memory;
#endif
}

void fastsvm_cut_features(const fastsvm_csr *X, ptrdiff_t n_features, ptrdiff_t n_parts, ptrdiff_t *cut) {
    const ptrdiff_t width = ceil_div(n_features, BUCKETS), step = ceil_div(X->n_rows, SAMPLED_ROWS);
    ptrdiff_t counts[BUCKETS], total = 0, passed = 0, part = 0;
    cut[0] = 0, cut[n_parts] = n_features;
    if (n_parts == 1) return;
    memset(counts, 0, sizeof counts);
    for (ptrdiff_t row = 0; row < X->n_rows; row += step) {
        const ptrdiff_t end = fastsvm_first_entry(X, row + 1);
        for (ptrdiff_t k = fastsvm_first_entry(X, row); k < end; k++, total++) counts[fastsvm_feature(X, k) / width]++;
    }
    for (ptrdiff_t bucket = 0; bucket < BUCKETS; bucket++) {
        passed += counts[bucket];
        while (part + 1 < n_parts && passed * n_parts >= (part + 1) * total)
            cut[++part] = min((bucket + 1) * width, n_features);
    }
    while (part + 1 < n_parts) cut[++part] = n_features;
}

typedef struct {
    ptrdiff_t n_candidates, group, stride; /* candidates of a group, numbers of their classes for each feature */
    ptrdiff_t n_chunks, wave_rows, scratch_bytes, n_ranges; /* ranges of features, one for each thread */
    ptrdiff_t cut[FASTSVM_MAX_CUTS + 1];
    char *V, *D, *scratch;
    double *G, *chunk_loss, *chunk_db, *db, *squares; /* losses of a chunk: one for each candidate of the group */
    int64_t *chunk_correct;
} plan;

static ptrdiff_t place(const fastsvm_job *job, plan *p, int n_threads, char *memory) {
    const ptrdiff_t item = job->kernels->tiles->item, D = job->n_features, C = job->n_classes;
    const int gradient = wants_gradient(job);
    ptrdiff_t bytes = 0;
#define PLACE(member, n) (p->member = memory ? (void *)(memory + bytes) : NULL, bytes += PAD(n))
    PLACE(V, D * p->stride * item);
    PLACE(G, gradient ? D * p->stride * 8 : 0);
    PLACE(D, gradient ? p->wave_rows * p->stride * item : 0);
    PLACE(chunk_loss, p->n_chunks * p->group * 8);
    PLACE(chunk_correct, p->n_chunks * 8);
    PLACE(chunk_db, gradient ? p->n_chunks * C * 8 : 0);
    PLACE(db, C * 8);
    PLACE(squares, p->n_candidates * C * 8);
    PLACE(scratch, n_threads * p->scratch_bytes);
#undef PLACE
    return bytes;
}

static int make_plan(const fastsvm_job *job, ptrdiff_t n_candidates, int *n_threads, plan *p) {
    const ptrdiff_t item = job->kernels->tiles->item, C = job->n_classes, D = job->n_features;
    memset(p, 0, sizeof *p);
    *n_threads = (int)min(*n_threads, min(FASTSVM_MAX_CUTS, ceil_div(job->n_rows, CHUNK_ROWS)));
    p->n_candidates = n_candidates;
    p->group = max(1, min(min(n_candidates, GROUP_CLASSES / C), GROUP_BYTES / (C * D * item)));
    p->stride = FASTSVM_STRIDE(p->group * C);
    p->n_chunks = ceil_div(job->n_rows, CHUNK_ROWS);
    const ptrdiff_t wave = wants_gradient(job) ? WAVE_BYTES / (p->stride * item * CHUNK_ROWS) : p->n_chunks;
    p->wave_rows = max(1, min(p->n_chunks, wave)) * CHUNK_ROWS;
    p->n_ranges = *n_threads;
    /* Entries laid out; x . W^T of a row, or its d in double; its scores; a line between threads. */
    p->scratch_bytes = PAD((ptrdiff_t)sizeof(fastsvm_laid)) + 2 * PAD(p->stride * 8) + 64;
    char *memory = fastsvm_large_memory((size_t)place(job, p, *n_threads, NULL));
    if (!memory) return -1;
    place(job, p, *n_threads, memory);
    if (wants_gradient(job)) fastsvm_cut_features(job->csr, D, *n_threads, p->cut);
    return 0;
}

/* S = x . W^T of one row. */
static void score_row(const fastsvm_job *job, const plan *p, fastsvm_laid *laid, ptrdiff_t row, char *S) {
    const fastsvm_nonzeros *leaf = job->kernels->nonzeros;
    const ptrdiff_t begin = fastsvm_first_entry(job->csr, row), end = fastsvm_first_entry(job->csr, row + 1);
    ptrdiff_t at = begin;
    do {
        const ptrdiff_t n = min(FASTSVM_LAID, end - at);
        leaf->lay(job->csr, at, n, p->stride, job->inverse_scale, laid->offsets, laid->values);
        leaf->scores(laid->offsets, laid->values, n, p->V, p->stride, S, at > begin);
        at += n;
    } while (at < end);
}

/* Chunk k of the rows against candidates [first, first + n_group): scores, losses, D. */
static void run_chunk(const fastsvm_job *job, const plan *p, char *scratch, ptrdiff_t k, ptrdiff_t first,
                      ptrdiff_t n_group, ptrdiff_t wave) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t item = job->kernels->tiles->item, C = job->n_classes;
    const ptrdiff_t begin = k * CHUNK_ROWS, end = min(begin + CHUNK_ROWS, job->n_rows);
    const int gradient = wants_gradient(job);
    const char *b = job->b ? (const char *)job->b + first * C * item : NULL;
    double *loss = p->chunk_loss + k * p->group, *db = p->chunk_db + k * C;
    char *products = scratch + PAD((ptrdiff_t)sizeof(fastsvm_laid)), *S = products + PAD(p->stride * 8);
    memset(loss, 0, (size_t)n_group * sizeof *loss);
    if (gradient) memset(db, 0, (size_t)C * sizeof *db);
    p->chunk_correct[k] = 0;
    for (ptrdiff_t i = begin; i < end; i++) {
        if (gradient) S = p->D + (i - wave) * p->stride * item;
        score_row(job, p, (fastsvm_laid *)scratch, i, products);
        job->kernels->nonzeros->join(products, 0, 1, p->stride, 1.0, b, n_group * C, S);
        for (ptrdiff_t j = 0; j < n_group; j++) {
            char *s = S + j * C * item;
            int correct;
            if (job->scores)
                memcpy((char *)job->scores + ((first + j) * job->n_rows + i) * C * item, s, (size_t)(C * item));
            if (!job->y) continue;
            loss[j] += leaf->loss(job->loss, job->delta, s, job->y[i], job->sample_weight ? job->sample_weight[i] : 1.0,
                                  C, gradient, &correct);
            p->chunk_correct[k] += correct;
        }
        if (gradient) leaf->add_row(S, C, db);
    }
}

static int any(const double *d, ptrdiff_t n) {
    for (ptrdiff_t c = 0; c < n; c++)
        if (d[c] != 0) return 1;
    return 0;
}

/* G += D^T x over the rows [lo, hi), for a range of features. */
static void add_rows(const fastsvm_job *job, const plan *p, char *scratch, ptrdiff_t lo, ptrdiff_t hi,
                     ptrdiff_t range) {
    const fastsvm_nonzeros *leaf = job->kernels->nonzeros;
    const fastsvm_csr *X = job->csr;
    const ptrdiff_t item = job->kernels->tiles->item, C = job->n_classes;
    fastsvm_laid *laid = (fastsvm_laid *)scratch;
    double *d = (double *)(scratch + PAD((ptrdiff_t)sizeof(fastsvm_laid)));
    memset(d, 0, (size_t)p->stride * sizeof *d);
    for (ptrdiff_t i = lo; i < hi; i++) {
        ptrdiff_t at = fastsvm_first_entry(X, i), end = fastsvm_first_entry(X, i + 1);
        job->kernels->rows->sum_parts(p->D + (i - lo) * p->stride * item, 0, 1, C, d, 0);
        if (!any(d, C)) continue;
        if (range > 0) at = fastsvm_find(X, at, end, p->cut[range]);
        if (range < p->n_ranges - 1) end = fastsvm_find(X, at, end, p->cut[range + 1]);
        for (ptrdiff_t n; at < end; at += n) {
            n = min(FASTSVM_LAID, end - at);
            leaf->lay_double(X, at, n, p->stride, job->inverse_scale, laid->offsets, laid->values);
            leaf->add_double(laid->offsets, laid->values, n, d, p->G, p->stride);
        }
    }
}

/* dW of the features of block k, from G. */
static void finish_block(const fastsvm_job *job, const plan *p, ptrdiff_t k) {
    const ptrdiff_t item = job->kernels->tiles->item, D = job->n_features;
    const ptrdiff_t f0 = k * TURNED, n = min(TURNED, D - f0);
    double sums[TURNED];
    for (ptrdiff_t c = 0; c < job->n_classes; c++) {
        const ptrdiff_t at = (c * D + f0) * item;
        for (ptrdiff_t f = 0; f < n; f++) sums[f] = p->G[(f0 + f) * p->stride + c];
        job->kernels->rows->finish(sums, 1.0 / job->n_rows, NULL, job->alpha, (const char *)job->W + at, n,
                                   (char *)job->dW + at);
    }
}

/* The penalty of a candidate, from the squares of its classes. */
static double penalty(const fastsvm_job *job, const plan *p, ptrdiff_t candidate) {
    const ptrdiff_t C = job->n_classes;
    double sum = 0, intercept = 0;
    for (ptrdiff_t c = 0; c < C; c++) sum += p->squares[candidate * C + c];
    if (job->b && job->alpha_intercept > 0)
        intercept = job->kernels->rows->squares((const char *)job->b + candidate * C * job->kernels->tiles->item, C);
    return 0.5 * job->alpha * sum + 0.5 * job->alpha_intercept * intercept;
}

/* Losses of the candidates [first, first + n_group), and what the chunks have found besides. */
static void sum_chunks(fastsvm_job *job, const plan *p, ptrdiff_t first, ptrdiff_t n_group) {
    const ptrdiff_t C = job->n_classes;
    const int gradient = wants_gradient(job);
    for (ptrdiff_t j = 0; job->losses && j < n_group; j++) {
        double loss = 0;
        for (ptrdiff_t k = 0; k < p->n_chunks; k++) loss += p->chunk_loss[k * p->group + j];
        job->losses[first + j] = loss / job->n_rows + penalty(job, p, first + j);
    }
    for (ptrdiff_t k = 0; k < p->n_chunks; k++) job->n_correct += p->chunk_correct[k];
    if (!gradient || !job->db) return;
    memset(p->db, 0, (size_t)C * sizeof *p->db);
    for (ptrdiff_t k = 0; k < p->n_chunks; k++)
        for (ptrdiff_t c = 0; c < C; c++) p->db[c] += p->chunk_db[k * C + c];
    fastsvm_finish_intercept(job, p->db, job->n_rows, 0, p->db);
}

/* What every thread of a team does. */
static void work(fastsvm_job *job, void *plan_of_job, int thread, fastsvm_barrier *team) {
    const plan *p = plan_of_job;
    const ptrdiff_t item = job->kernels->tiles->item, C = job->n_classes, D = job->n_features;
    const ptrdiff_t n_blocks = ceil_div(D, TURNED);
    char *scratch = p->scratch + thread * p->scratch_bytes;
    const int gradient = wants_gradient(job), penalised = job->y && job->alpha > 0;
#pragma omp for schedule(static) nowait
    for (ptrdiff_t c = 0; c < p->n_candidates * C; c++)
        p->squares[c] = penalised ? job->kernels->rows->squares((const char *)job->W + c * D * item, D) : 0;
    for (ptrdiff_t first = 0; first < p->n_candidates; first += p->group) {
        const ptrdiff_t n_group = min(p->group, p->n_candidates - first);
#pragma omp for schedule(static) nowait
        for (ptrdiff_t k = 0; k < n_blocks; k++) {
            const ptrdiff_t f0 = k * TURNED, f1 = min(f0 + TURNED, D);
            job->kernels->nonzeros->lay_weights((const char *)job->W + first * C * D * item, n_group * C, D, f0, f1,
                                                p->stride, p->V);
            if (gradient) memset(p->G + f0 * p->stride, 0, (size_t)((f1 - f0) * p->stride) * sizeof *p->G);
        }
        fastsvm_wait(team);
        for (ptrdiff_t lo = 0; lo < job->n_rows; lo += p->wave_rows) {
            const ptrdiff_t hi = min(lo + p->wave_rows, job->n_rows);
#pragma omp for schedule(dynamic, 1) nowait
            for (ptrdiff_t k = lo / CHUNK_ROWS; k < ceil_div(hi, CHUNK_ROWS); k++)
                run_chunk(job, p, scratch, k, first, n_group, lo);
            fastsvm_wait(team);
            if (!gradient) continue;
            for (ptrdiff_t range = thread; range < p->n_ranges; range += team->n_threads)
                add_rows(job, p, scratch, lo, hi, range);
            fastsvm_wait(team);
        }
#pragma omp master
        if (job->y) sum_chunks(job, p, first, n_group);
        fastsvm_wait(team);
    }
#pragma omp for schedule(static) nowait
    for (ptrdiff_t k = 0; k < (gradient ? n_blocks : 0); k++) finish_block(job, p, k);
}

int fastsvm_sparse_pass(fastsvm_job *job, ptrdiff_t n_candidates, int n_threads) {
    plan p;
    if (make_plan(job, n_candidates, &n_threads, &p)) return -1;
    fastsvm_in_team(n_threads, work, job, &p);
    free(p.V);
    job->updates_done = 1;
    return 0;
}

/* Quotients of the weights of features [f0, f1), in the order of the rows; `sums` is scratch space. */
static void quotients_of(const fastsvm_job *job, ptrdiff_t f0, ptrdiff_t f1, double h, int central, fastsvm_laid *laid,
                         double *sums) {
    const fastsvm_csr *X = job->csr;
    const ptrdiff_t C = job->n_classes, D = job->n_features;
    const double *scores = job->scores;
    double *dW = job->dW;
    for (ptrdiff_t c = 0; c < C; c++) memset(dW + c * D + f0, 0, (size_t)(f1 - f0) * sizeof *dW);
    for (ptrdiff_t i = 0; i < job->n_rows; i++) {
        ptrdiff_t end = fastsvm_first_entry(X, i + 1), at = fastsvm_find(X, fastsvm_first_entry(X, i), end, f0);
        end = fastsvm_find(X, at, end, f1);
        for (ptrdiff_t n; at < end; at += n) {
            n = min(FASTSVM_LAID, end - at);
            job->kernels->nonzeros->lay_double(X, at, n, 1, job->inverse_scale, laid->offsets, laid->values);
            for (ptrdiff_t k = 0; k < n; k++) laid->values[k] *= h;
            memset(sums, 0, (size_t)(C * n) * sizeof *sums);
            job->kernels->rows->quotients(job->loss, central, job->delta, scores + i * C, job->y[i],
                                          job->sample_weight ? job->sample_weight[i] : 1, C, laid->values, n, sums, n);
            for (ptrdiff_t c = 0; c < C; c++)
                for (ptrdiff_t k = 0; k < n; k++) dW[c * D + laid->offsets[k]] += sums[c * n + k];
        }
    }
    const double factor = (double)job->n_rows * h * (central ? 2 : 1);
    for (ptrdiff_t c = 0; c < C; c++)
        for (ptrdiff_t f = f0; f < f1; f++) dW[c * D + f] /= factor;
}

/* Those of the intercept, which moves the scores of all rows by h. */
static void intercept_quotients(const fastsvm_job *job, double h, int central) {
    const ptrdiff_t C = job->n_classes;
    double *db = job->db;
    memset(db, 0, (size_t)C * sizeof *db);
    for (ptrdiff_t i = 0; i < job->n_rows; i++)
        job->kernels->rows->quotients(job->loss, central, job->delta, (const double *)job->scores + i * C, job->y[i],
                                      job->sample_weight ? job->sample_weight[i] : 1, C, &h, 1, db, 1);
    for (ptrdiff_t c = 0; c < C; c++) db[c] /= (double)job->n_rows * h * (central ? 2 : 1);
}

int fastsvm_sparse_quotients(const fastsvm_job *job, double h, int central, int n_threads) {
    ptrdiff_t cut[FASTSVM_MAX_CUTS + 1];
    n_threads = (int)min(n_threads, FASTSVM_MAX_CUTS);
    const ptrdiff_t sums = PAD(job->n_classes * FASTSVM_LAID * 8), bytes = sums + PAD((ptrdiff_t)sizeof(fastsvm_laid));
    char *memory = fastsvm_large_memory((size_t)(n_threads * bytes));
    if (!memory) return -1;
    fastsvm_cut_features(job->csr, job->n_features, n_threads, cut);
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads) if (n_threads > 1)
    for (ptrdiff_t p = 0; p < n_threads + (job->db != NULL); p++) {
        char *scratch = memory + fastsvm_thread() * bytes;
        if (p == n_threads)
            intercept_quotients(job, h, central);
        else
            quotients_of(job, cut[p], cut[p + 1], h, central, (fastsvm_laid *)(scratch + sums), (double *)scratch);
    }
    free(memory);
    return 0;
}
