/* Block coordinate ascent over the dual of a multiclass SVM: an example at a time, its block to its exact optimum.
 *
 *   L(W) = (1/N) sum_i w_i l(W x_i, y_i) + (lambda/2) |W|^2
 *   W(a) = (1/(lambda N)) sum_ij w_i a_ij (e_{y_i} - e_j) x_i^T
 *
 * block_step.h has the dual, and the step. W stays W(a). An intercept is the weight of a constant feature B: it is part
 * of |W|^2, B^2 is part of x_i . x_k, and b is B times its weight.
 *
 * Sparse examples are taken one by one. Dense ones go through in buckets (J. Devarakonda et al., "Avoiding
 * synchronization in first-order methods for sparse convex optimization", IPDPS 2018; the s-step form): scores of all
 * examples of the bucket, and their products with one another; then the steps, one by one, each correcting the scores
 * of those behind it; then the bucket's change of W. The iterates are those of one by one. Features are cut into parts,
 * which threads take: change of W and new scores of a part while it is in cache. While one thread makes the steps,
 * which are serial, the others widen the next bucket and multiply its examples with one another.
 *
 * Parts depend on the shape alone, and their sums are added in order: threads never change a bit.
 */
#include "dual.h"

#include "macros.h"
#include "shared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PARTS 8
#define LEAST_FEATURES 64              /* of a part */
#define BUCKET_BYTES (1 * 1024 * 1024) /* of a bucket's examples */
#define CERTIFIED_ROWS 256             /* that a thread takes at a time */
#define LINE 64                        /* bytes of a cache line */

typedef struct {
    double *h, *a, *old, *v;
    ptrdiff_t padded;
} workspace;

typedef struct {
    fastsvm_dual *job;
    ptrdiff_t stride, padded;
    ptrdiff_t bucket, n_buckets, n_parts, part, apart; /* examples; features; numbers from example to example */
    char *memory, *x[2], *gram[2], *S, *C;
    double *scores, *products;
    workspace own;
    int32_t chosen[FASTSVM_BUCKET];
    ptrdiff_t n_chosen, taken[2];
    int failed;
} plan;

static ptrdiff_t padded(ptrdiff_t n_classes) { return (n_classes + 7) / 8 * 8; }

static ptrdiff_t workspace_bytes(ptrdiff_t n_classes) { return 4 * PAD(padded(n_classes) * 8); }

static workspace place_workspace(ptrdiff_t n_classes, char *memory) {
    const ptrdiff_t bytes = PAD(padded(n_classes) * 8);
    workspace w;
    w.h = (double *)memory, w.a = (double *)(memory + bytes);
    w.old = (double *)(memory + 2 * bytes), w.v = (double *)(memory + 3 * bytes);
    w.padded = padded(n_classes);
    return w;
}

static double weight_of(const fastsvm_dual *job, ptrdiff_t row) { return job->weight ? job->weight[row] : 1.0; }

/* The step of one example with scores w->h: its gap, and in *value its loss; whether a changed. w->v becomes then what
 * the weights of its classes gain from x_i. */
static int step(const fastsvm_dual *job, const workspace *w, ptrdiff_t row, double square, double *gap, double *value) {
    const fastsvm_blocks *blocks = job->kernels->blocks;
    const ptrdiff_t K = job->n_classes, y = (ptrdiff_t)job->y[row];
    const double weight = weight_of(job, row), gain = weight * job->scale;
    char *a = (char *)job->a + row * K * blocks->item;
    blocks->to_double(a, K, w->a);
    memcpy(w->old, w->a, (size_t)K * sizeof(double));
    *gap = weight * blocks->step(job->loss, job->delta, gain * square, y, K, w->padded, job->certify || !(weight > 0),
                                 w->h, w->a, w->v, value);
    *value *= weight;
    if (!isfinite(square)) *gap = NAN; /* x . x overflows T */
    if (job->certify || !(*gap > 0)) return 0;
    blocks->from_double(w->a, K, a); /* rounded, and what is rounded is what W gets */
    blocks->to_double(a, K, w->a);
    double total = 0;
    for (ptrdiff_t j = 0; j < K; j++) {
        const double change = gain * (w->a[j] - w->old[j]);
        w->v[j] = -change;
        total += change;
    }
    w->v[y] = total;
    if (job->b)
        for (ptrdiff_t j = 0; j < K; j++) job->b[j] += job->square * w->v[j];
    return 1;
}

/* ---- Sparse examples ---- */

/* The entries of an example, as nonzeros.h takes them, and |x|^2. */
typedef struct {
    ptrdiff_t n, *offsets;
    void *values;
    double square;
} entries;

static ptrdiff_t pointer(const fastsvm_csr *csr, ptrdiff_t row) {
    return csr->wide ? (ptrdiff_t)((const int64_t *)csr->indptr)[row] : ((const int32_t *)csr->indptr)[row];
}

static void lay(const fastsvm_dual *job, ptrdiff_t stride, ptrdiff_t row, entries *to) {
    const ptrdiff_t first = pointer(&job->csr, row);
    double square = 0;
    to->n = pointer(&job->csr, row + 1) - first;
    job->kernels->nonzeros->lay(&job->csr, first, to->n, stride, job->factors, to->offsets, to->values);
    if (job->kernels->blocks->item == sizeof(double))
        for (ptrdiff_t k = 0; k < to->n; k++) square += ((double *)to->values)[k] * ((double *)to->values)[k];
    else
        for (ptrdiff_t k = 0; k < to->n; k++) square += (double)((float *)to->values)[k] * ((float *)to->values)[k];
    to->square = square;
}

/* The vectors of W that an example will need. They lie anywhere, and no hardware guesses where. */
static void fetch(const fastsvm_dual *job, ptrdiff_t stride, const entries *x) {
    const ptrdiff_t item = job->kernels->blocks->item, bytes = stride * item;
    for (ptrdiff_t k = 0; k < x->n; k++) {
        const char *w = (const char *)job->W + x->offsets[k] * item;
        for (ptrdiff_t line = 0; line < bytes; line += LINE) PREFETCH_NEAR(w + line);
    }
}

static ptrdiff_t longest_row(const fastsvm_dual *job) {
    ptrdiff_t longest = 0;
    for (ptrdiff_t k = 0; k < job->n_rows; k++) {
        const ptrdiff_t row = (ptrdiff_t)job->order[k];
        longest = max(longest, pointer(&job->csr, row + 1) - pointer(&job->csr, row));
    }
    return longest;
}

static ptrdiff_t sparse_bytes(const fastsvm_dual *job, ptrdiff_t stride, ptrdiff_t longest) {
    const ptrdiff_t item = job->kernels->blocks->item;
    return workspace_bytes(job->n_classes) + PAD(stride * item) +
           2 * (PAD(longest * (ptrdiff_t)sizeof(ptrdiff_t)) + PAD(longest * item));
}

/* Rows [lo, hi) of the order, one after the other; the next one's vectors of W are fetched meanwhile. */
static void take_sparse(fastsvm_dual *job, ptrdiff_t stride, ptrdiff_t longest, char *memory, ptrdiff_t lo,
                        ptrdiff_t hi, double *gap, double *value) {
    const fastsvm_blocks *blocks = job->kernels->blocks;
    const fastsvm_nonzeros *nonzeros = job->kernels->nonzeros;
    const ptrdiff_t K = job->n_classes, item = blocks->item;
    const workspace w = place_workspace(K, memory);
    entries rows[2];
    memory += workspace_bytes(K);
    char *s = memory;
    memory += PAD(stride * item);
    for (int k = 0; k < 2; k++) {
        rows[k].offsets = (ptrdiff_t *)memory, memory += PAD(longest * (ptrdiff_t)sizeof(ptrdiff_t));
        rows[k].values = memory, memory += PAD(longest * item);
    }
    *gap = *value = 0;
    if (lo < hi) lay(job, stride, (ptrdiff_t)job->order[lo], &rows[lo % 2]);
    for (ptrdiff_t k = lo; k < hi && isfinite(*gap); k++) {
        const entries *x = &rows[k % 2];
        double own_gap, own_value;
        if (k + 1 < hi) {
            lay(job, stride, (ptrdiff_t)job->order[k + 1], &rows[(k + 1) % 2]);
            fetch(job, stride, &rows[(k + 1) % 2]);
        }
        nonzeros->scores(x->offsets, x->values, x->n, job->W, stride, s, 0);
        blocks->to_double(s, K, w.h);
        if (job->b)
            for (ptrdiff_t j = 0; j < K; j++) w.h[j] += job->b[j];
        if (step(job, &w, (ptrdiff_t)job->order[k], x->square + job->square, &own_gap, &own_value)) {
            memset(s, 0, (size_t)(stride * item));
            blocks->from_double(w.v, K, s);
            nonzeros->add(x->offsets, x->values, x->n, s, job->W, stride, 0);
        }
        job->gaps[k] = own_gap;
        *gap += own_gap;
        *value += own_value;
    }
}

/* ---- Dense examples ---- */

static void locate(const fastsvm_dual *job, ptrdiff_t first, ptrdiff_t m, const void **rows) {
    const ptrdiff_t bytes = job->n_features * storage_size(job->storage);
    for (ptrdiff_t i = 0; i < m; i++) rows[i] = job->X + (ptrdiff_t)job->order[first + i] * bytes;
}

static ptrdiff_t rows_of(const plan *p, ptrdiff_t k) { return min(p->bucket, p->job->n_rows - k * p->bucket); }

/* Part `part` of the features of bucket k: widened, and multiplied with one another. */
static void prepare_part(const plan *p, ptrdiff_t k, ptrdiff_t part) {
    const fastsvm_dual *job = p->job;
    const fastsvm_blocks *blocks = job->kernels->blocks;
    const ptrdiff_t k0 = part * p->part, n = min(p->part, job->n_features - k0), m = rows_of(p, k);
    const fastsvm_view view = {job->storage, job->shift};
    const void *rows[FASTSVM_BUCKET];
    char *x = p->x[k % 2] + k0 * blocks->item;
    locate(job, k * p->bucket, m, rows);
    blocks->widen(&view, job->factors, rows, m, k0, n, x, p->apart);
    if (!job->certify)
        blocks->gram(x, m, n, p->apart, p->gram[k % 2] + part * FASTSVM_BUCKET * FASTSVM_BUCKET * blocks->item);
}

static void prepare_parts(plan *p, ptrdiff_t k) {
    ptrdiff_t part;
    if (k >= p->n_buckets) return;
    for (;;) {
#if defined(__GNUC__)
        part = __atomic_fetch_add(&p->taken[k % 2], 1, __ATOMIC_RELAXED);
#else
#pragma omp atomic capture
        part = p->taken[k % 2]++;
#endif
        if (part >= p->n_parts) return;
        prepare_part(p, k, part);
    }
}

/* A part of W gets what bucket k - 1 has changed, and bucket k its scores from it. */
static void score_part(const plan *p, ptrdiff_t k, ptrdiff_t part) {
    const fastsvm_dual *job = p->job;
    const fastsvm_blocks *blocks = job->kernels->blocks;
    const ptrdiff_t item = blocks->item, k0 = part * p->part, n = min(p->part, job->n_features - k0);
    char *W = (char *)job->W + k0 * p->stride * item;
    if (p->n_chosen)
        blocks->add(p->x[(k + 1) % 2] + k0 * item, p->chosen, p->n_chosen, n, p->apart, p->C, p->stride, W);
    if (k < p->n_buckets)
        blocks->scores(p->x[k % 2] + k0 * item, rows_of(p, k), n, p->apart, W, p->stride,
                       p->S + part * FASTSVM_BUCKET * p->stride * item);
}

/* Sums of the parts: scores of bucket k, and the products of its examples. */
static void add_parts(const plan *p, ptrdiff_t k) {
    const fastsvm_dual *job = p->job;
    const fastsvm_blocks *blocks = job->kernels->blocks;
    const ptrdiff_t m = rows_of(p, k), K = job->n_classes, item = blocks->item;
    double *row = p->own.v;
    for (ptrdiff_t i = 0; i < m; i++) {
        double *s = p->scores + i * p->padded, *g = p->products + i * FASTSVM_BUCKET;
        double part_of_products[FASTSVM_BUCKET];
        for (ptrdiff_t j = 0; j < K; j++) s[j] = job->b ? job->b[j] : 0;
        for (ptrdiff_t j = 0; j <= i; j++) g[j] = job->square;
        for (ptrdiff_t part = 0; part < p->n_parts; part++) {
            blocks->to_double(p->S + (part * FASTSVM_BUCKET + i) * p->stride * item, K, row);
            for (ptrdiff_t j = 0; j < K; j++) s[j] += row[j];
            if (job->certify) continue;
            blocks->to_double(p->gram[k % 2] + (part * FASTSVM_BUCKET + i) * FASTSVM_BUCKET * item, i + 1,
                              part_of_products);
            for (ptrdiff_t j = 0; j <= i; j++) g[j] += part_of_products[j];
        }
    }
}

/* The steps of bucket k, each of which corrects the scores of the examples behind it. Adds to the sums of gaps and
 * losses. */
static void take_bucket(plan *p, ptrdiff_t k, double *gap_sum, double *value_sum) {
    fastsvm_dual *job = p->job;
    const ptrdiff_t m = rows_of(p, k), K = job->n_classes, first = k * p->bucket;
    add_parts(p, k);
    p->n_chosen = 0;
    for (ptrdiff_t i = 0; i < m; i++) {
        double gap, value;
        memcpy(p->own.h, p->scores + i * p->padded, (size_t)K * sizeof(double));
        if (step(job, &p->own, (ptrdiff_t)job->order[first + i], p->products[i * FASTSVM_BUCKET + i], &gap, &value)) {
            p->chosen[p->n_chosen++] = (int32_t)i;
            job->kernels->blocks->from_double(p->own.v, K, p->C + i * p->stride * job->kernels->blocks->item);
            for (ptrdiff_t l = i + 1; l < m; l++) {
                const double product = p->products[l * FASTSVM_BUCKET + i];
                double *s = p->scores + l * p->padded;
                for (ptrdiff_t j = 0; j < K; j++) s[j] += product * p->own.v[j];
            }
        }
        job->gaps[first + i] = gap;
        *gap_sum += gap;
        *value_sum += value;
    }
    p->failed = !isfinite(*gap_sum);
}

/* What every thread of a team does. */
static void work(fastsvm_job *none, void *plan_of_job, int thread, fastsvm_barrier *team) {
    plan *p = plan_of_job;
    (void)none;
    prepare_parts(p, 0);
    fastsvm_wait(team);
    for (ptrdiff_t k = 0; k <= p->n_buckets; k++) {
        for (ptrdiff_t part = thread; part < p->n_parts; part += team->n_threads) score_part(p, k, part);
        if (thread == 0) p->taken[(k + 1) % 2] = 0;
        fastsvm_wait(team);
        if (k == p->n_buckets || p->failed) return;
        if (thread == 0) take_bucket(p, k, &p->job->gap, &p->job->value);
        prepare_parts(p, k + 1);
        fastsvm_wait(team);
    }
}

static int make_plan(fastsvm_dual *job, plan *p) {
    const ptrdiff_t item = job->kernels->blocks->item, D = job->n_features, K = job->n_classes;
    memset(p, 0, sizeof *p);
    p->job = job;
    p->stride = fastsvm_dual_stride(job->kernels, K, 1);
    p->padded = padded(K);
    p->bucket = min(FASTSVM_BUCKET, max(4, BUCKET_BYTES / (D * item)));
    p->n_buckets = ceil_div(job->n_rows, p->bucket);
    p->part = max(LEAST_FEATURES, ceil_div(D, MOST_PARTS * LINE) * LINE);
    p->n_parts = ceil_div(D, p->part);
    p->apart = (PAD(D * item) + 64) / item; /* not a multiple of the page */
    const ptrdiff_t x = PAD(p->bucket * p->apart * item), square = PAD(FASTSVM_BUCKET * FASTSVM_BUCKET * item),
                    row = PAD(FASTSVM_BUCKET * p->stride * item), scores = PAD(FASTSVM_BUCKET * p->padded * 8),
                    products = PAD(FASTSVM_BUCKET * FASTSVM_BUCKET * 8);
    const ptrdiff_t bytes = 2 * x + 2 * p->n_parts * square + p->n_parts * row + row + scores + products;
    p->memory = calloc(1, (size_t)(bytes + workspace_bytes(K) + 64));
    if (!p->memory) return -1;
    char *at = (char *)(((uintptr_t)p->memory + 63) / 64 * 64);
    for (int k = 0; k < 2; k++) {
        p->x[k] = at, at += x;
        p->gram[k] = at, at += p->n_parts * square;
    }
    p->S = at, at += p->n_parts * row;
    p->C = at, at += row;
    p->scores = (double *)at, at += scores;
    p->products = (double *)at, at += products;
    p->own = place_workspace(K, at);
    return 0;
}

static int ascend_dense(fastsvm_dual *job, int n_threads) {
    plan p;
    if (make_plan(job, &p)) return -1;
    fastsvm_in_team((int)min(n_threads, p.n_parts), work, NULL, &p);
    free(p.memory);
    return 0;
}

/* Bucket k from its widened examples to their gaps, by one thread. */
static void certify_bucket(plan *p, ptrdiff_t k, double *sums) {
    p->n_chosen = 0;
    for (ptrdiff_t part = 0; part < p->n_parts; part++) {
        prepare_part(p, k, part);
        score_part(p, k, part);
    }
    sums[0] = sums[1] = 0;
    take_bucket(p, k, &sums[0], &sums[1]);
}

/* Buckets do not depend on one another: each thread takes some, with a plan of its own. */
static int certify_dense(fastsvm_dual *job, int n_threads) {
    plan *plans = malloc((size_t)n_threads * sizeof(plan));
    int n_plans = 0, failed = !plans;
    while (!failed && n_plans < n_threads) {
        failed = make_plan(job, &plans[n_plans]);
        n_plans += !failed;
    }
    const ptrdiff_t n_buckets = failed ? 0 : plans[0].n_buckets;
    double *sums = malloc((size_t)(2 * n_buckets + 1) * sizeof(double));
    if (!failed && sums) {
#pragma omp parallel for schedule(dynamic, 4) num_threads(n_threads) if (n_threads > 1)
        for (ptrdiff_t k = 0; k < n_buckets; k++) certify_bucket(&plans[fastsvm_thread()], k, sums + 2 * k);
        for (ptrdiff_t k = 0; k < n_buckets; k++) {
            job->gap += sums[2 * k];
            job->value += sums[2 * k + 1];
        }
    }
    failed = failed || !sums;
    while (n_plans > 0) free(plans[--n_plans].memory);
    free(plans), free(sums);
    return failed ? -1 : 0;
}

static int pass_sparse(fastsvm_dual *job, int n_threads) {
    const ptrdiff_t stride = fastsvm_dual_stride(job->kernels, job->n_classes, 0), longest = longest_row(job);
    const ptrdiff_t bytes = sparse_bytes(job, stride, longest), n_chunks = ceil_div(job->n_rows, CERTIFIED_ROWS);
    if (!job->certify) n_threads = 1;
    n_threads = (int)max(1, min(n_threads, n_chunks));
    char *memory = malloc((size_t)(n_threads * bytes + 64));
    double *sums = malloc((size_t)(2 * n_chunks * (ptrdiff_t)sizeof(double)));
    if (!memory || !sums) {
        free(memory), free(sums);
        return -1;
    }
    char *aligned = (char *)(((uintptr_t)memory + 63) / 64 * 64);
    if (!job->certify)
        take_sparse(job, stride, longest, aligned, 0, job->n_rows, &job->gap, &job->value);
    else {
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads) if (n_threads > 1)
        for (ptrdiff_t k = 0; k < n_chunks; k++)
            take_sparse(job, stride, longest, aligned + fastsvm_thread() * bytes, k * CERTIFIED_ROWS,
                        min((k + 1) * CERTIFIED_ROWS, job->n_rows), sums + 2 * k, sums + 2 * k + 1);
        for (ptrdiff_t k = 0; k < n_chunks; k++) {
            job->gap += sums[2 * k];
            job->value += sums[2 * k + 1];
        }
    }
    free(memory), free(sums);
    return 0;
}

int fastsvm_dual_pass(fastsvm_dual *job, int n_threads) {
    job->gap = job->value = 0;
    if (job->n_rows == 0) return 0;
    if (!job->X) return pass_sparse(job, n_threads);
    return job->certify ? certify_dense(job, n_threads) : ascend_dense(job, n_threads);
}

ptrdiff_t fastsvm_dual_stride(const fastsvm_kernels *kernels, ptrdiff_t n_classes, int dense) {
    const ptrdiff_t lanes = kernels->blocks->lanes;
    return dense ? ceil_div(n_classes, lanes) * lanes : FASTSVM_STRIDE(n_classes);
}
