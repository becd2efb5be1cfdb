/* Scores of stored bytes from integer products, where no gradient is wanted: of one W, or the losses of many.
 *
 * exact.c has the mathematics. One W is taken with all three digits: its scores are then as good as W in float32 to 23
 * bits of each class's largest weight. For many candidates two digits may do, with the lowest digit's product with the
 * mean of the samples (as the standardisation has it, else 128). What is left out is its product with the deviations
 * from the mean, of both signs, and it is small where the objective is a mean of MEAN_ROWS samples or more and it adds
 * less than LEFT_OUT of their spread to a candidate's scores.
 *
 * Candidates go in groups whose digits take bounded memory, and rows in blocks that stay in the second-level cache
 * while all candidates of a group pass by; where the kernels know how, laid out for them.
 */
#include "bytes.h"

#include "planes.h"
#include "shared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS FASTSVM_MAX_TILE_ROWS
#define MAX_BLOCK_TILES 6 /* losses are summed by blocks, whichever thread takes them */
#define MAX_BLOCK_ROWS (MAX_BLOCK_TILES * ROWS)
#define LAID_BYTES (5 << 18) /* of a block */
#define FEWEST_LAID 4        /* candidates for which rows are laid out */
#define GROUP_BYTES (8 * 1024 * 1024)
#define MAX_CLASSES 128
#define MEAN_ROWS 4096
#define LEFT_OUT 1e-4
#define MANY_SCORES 16 /* candidates, below which their scores are worth three digits */

/* What makes a score of the sums of products with one vector. */
typedef struct {
    double unit, constant; /* score = unit * sum + constant */
    int n_digits;          /* the same for all vectors of a candidate */
} terms;

typedef struct {
    const fastsvm_job *job;
    ptrdiff_t n_candidates, n_vectors; /* vectors of a candidate */
    ptrdiff_t group, planes_bytes;     /* candidates of a group, and the memory of one */
    ptrdiff_t block_rows, n_blocks, laid_bytes, scratch_bytes;
    const fastsvm_laid *laid; /* NULL where rows are taken as they are */
    int differences, fewest_digits;
    unsigned flip;
    char *memory, *planes, *scratch;
    terms *terms;       /* group x n_vectors */
    double *block_loss; /* n_blocks x group */
    int64_t *block_correct;
} plan;

/* What a thread works with. */
typedef struct {
    const void *rows[MAX_BLOCK_ROWS];
    int32_t y[MAX_BLOCK_ROWS];
    double weight[MAX_BLOCK_ROWS];
    int32_t *products; /* FASTSVM_DIGITS * n_vectors x ROWS */
    float *t;          /* n_classes x ROWS */
    float *row;        /* n_classes */
    void *kernel;
    char *laid; /* the block's tiles */
} thread_state;

int fastsvm_bytes_apply(const fastsvm_job *job) {
    return job->kernels->integers && (job->storage == FASTSVM_UINT8 || job->storage == FASTSVM_INT8) &&
           !wants_gradient(job) && !job->dX && !job->order && job->batch_size >= job->n_rows &&
           job->n_classes <= MAX_CLASSES;
}

static fastsvm_planes planes_of(const plan *p, ptrdiff_t first_candidate, ptrdiff_t k, int n_digits) {
    const fastsvm_job *job = p->job;
    const ptrdiff_t W_size = job->n_classes * job->n_features;
    fastsvm_planes planes = {.kernels = job->kernels,
                             .W = (const float *)job->W + (first_candidate + k) * W_size,
                             .mean = job->mean,
                             .inverse_scale = job->inverse_scale,
                             .n_rows = job->n_classes,
                             .n_classes = job->n_classes,
                             .n_features = job->n_features,
                             .differences = p->differences,
                             .n_packed = n_digits,
                             .packing = p->laid ? &p->laid->packing : NULL,
                             .origin = p->flip};
    fastsvm_planes_size(&planes);
    if (p->planes) fastsvm_planes_place(&planes, p->planes + k * p->planes_bytes);
    return planes;
}

static int make_plan(const fastsvm_job *job, ptrdiff_t n_candidates, int *n_threads, plan *p) {
    const ptrdiff_t C = job->n_classes;
    memset(p, 0, sizeof *p);
    p->job = job;
    p->n_candidates = n_candidates;
    p->differences = n_candidates > 1 && job->loss != FASTSVM_SOFTMAX;
    const int many = n_candidates >= (job->scores ? MANY_SCORES : 2);
    p->fewest_digits = many && job->n_rows >= MEAN_ROWS ? 2 : FASTSVM_DIGITS;
    p->flip = job->storage == FASTSVM_INT8 ? 128 : 0;
    p->laid = n_candidates >= FEWEST_LAID ? job->kernels->integers->laid : NULL;
    p->laid_bytes = p->laid ? p->laid->rows_size(job->n_features) : 0;
    p->block_rows = ROWS * max(1, min(MAX_BLOCK_TILES, LAID_BYTES / max(1, p->laid_bytes)));
    fastsvm_planes planes = planes_of(p, 0, 0, FASTSVM_DIGITS);
    p->n_vectors = planes.n_vectors;
    p->planes_bytes = fastsvm_planes_size(&planes);
    p->group = max(1, min(n_candidates, GROUP_BYTES / p->planes_bytes));
    p->n_blocks = ceil_div(job->n_rows, p->block_rows);
    *n_threads = (int)max(1, min(*n_threads, max(p->n_blocks, p->group)));

    const ptrdiff_t products = FASTSVM_DIGITS * p->n_vectors * ROWS * 4, scores = C * ROWS * 4, row = PAD(C * 4);
    const ptrdiff_t kernel = job->kernels->integers->scratch_size(ROWS);
    const ptrdiff_t group_terms = PAD(p->group * p->n_vectors * (ptrdiff_t)sizeof(terms));
    const ptrdiff_t blocks = PAD(p->n_blocks * p->group * 8), correct = PAD(p->n_blocks * 8);
    const ptrdiff_t laid = p->block_rows / ROWS * p->laid_bytes;
    p->scratch_bytes = PAD((ptrdiff_t)sizeof(thread_state)) + products + scores + row + PAD(kernel) + PAD(laid);
    p->memory = malloc(
        (size_t)(p->group * p->planes_bytes + group_terms + blocks + correct + *n_threads * p->scratch_bytes + 64));
    if (!p->memory) return -1;
    char *at = (char *)(((uintptr_t)p->memory + 63) / 64 * 64);
    p->planes = at, at += p->group * p->planes_bytes;
    p->terms = (terms *)at, at += group_terms;
    p->block_loss = (double *)at, at += blocks;
    p->block_correct = (int64_t *)at, at += correct;
    p->scratch = at;
    for (int t = 0; t < *n_threads; t++) {
        thread_state *s = (thread_state *)(p->scratch + t * p->scratch_bytes);
        at = (char *)s + PAD((ptrdiff_t)sizeof(thread_state));
        s->products = (int32_t *)at, at += products;
        s->t = (float *)at, at += scores;
        s->row = (float *)at, at += row;
        s->kernel = at, at += PAD(kernel);
        s->laid = at;
        memset(s->t, 0, (size_t)scores);
    }
    return 0;
}

/* Whether two digits of candidate first + k are enough. The lowest digit is some number up to 127 in size, and a
 * feature varies by the inverse of its scale, where that is known; otherwise all features are taken to vary alike. */
static int two_suffice(const plan *p, const fastsvm_planes *planes, ptrdiff_t first, ptrdiff_t k) {
    const fastsvm_job *job = p->job;
    const ptrdiff_t C = job->n_classes, D = job->n_features;
    const float *W = (const float *)job->W + (first + k) * C * D, *inverse = job->inverse_scale;
    for (ptrdiff_t v = 0; v < p->n_vectors; v++) {
        const float *w = W + v * D, *last = W + (C - 1) * D;
        const double unit = fastsvm_planes_unit(planes, v) * 127 / sqrt(3);
        double left_out = 0, spread = 0;
        for (ptrdiff_t i = 0; i < D; i++) {
            const double q = p->differences ? (double)w[i] - last[i] : w[i], step = inverse ? unit / inverse[i] : unit;
            left_out += step * step;
            spread += q * q;
        }
        if (!(left_out <= LEFT_OUT * LEFT_OUT * spread)) return 0;
    }
    return 1;
}

/* Digits and terms of candidate first + k. */
static void prepare(const plan *p, ptrdiff_t first, ptrdiff_t k) {
    const fastsvm_job *job = p->job;
    const ptrdiff_t last = job->n_classes - 1;
    fastsvm_planes planes = planes_of(p, first, k, FASTSVM_DIGITS);
    const float *b = job->b ? (const float *)job->b + (first + k) * job->n_classes : NULL;
    for (ptrdiff_t v = 0; v < p->n_vectors; v++)
        for (ptrdiff_t s = 0; s < planes.n_slices; s++) fastsvm_planes_measure(&planes, v, s);
    if (p->fewest_digits == 2 && two_suffice(p, &planes, first, k)) planes.n_packed = 2; /* of the same memory */
    for (ptrdiff_t v = 0; v < p->n_vectors; v++) {
        for (ptrdiff_t s = 0; s < planes.n_slices; s++) fastsvm_planes_round(&planes, v, s);
        terms *to = p->terms + k * p->n_vectors + v;
        const fastsvm_digit_sums sums = fastsvm_planes_sums(&planes, v);
        const double unit = fastsvm_planes_unit(&planes, v);
        const double intercept = !b ? 0 : p->differences ? (double)b[v] - b[last] : b[v];
        to->n_digits = planes.n_packed;
        to->unit = unit;
        to->constant = unit * ((planes.n_packed == 2 ? sums.lowest_moment : 0) - sums.moment) + intercept;
        if (unit == 0) to->constant = (double)NAN;
    }
}

/* t for rows [at, at + n_padded) of the block. */
static void make_scores(const plan *p, thread_state *s, ptrdiff_t at, ptrdiff_t k, ptrdiff_t n_padded) {
    const fastsvm_job *job = p->job;
    const terms *all = p->terms + k * p->n_vectors;
    const int n_digits = all->n_digits;
    const void *packed = planes_of(p, 0, k, FASTSVM_DIGITS).packed;
    const fastsvm_ahead none = {NULL, 0, 1};
    for (ptrdiff_t k0 = 0; k0 < job->n_features; k0 += FASTSVM_MAX_PRODUCTS) {
        const ptrdiff_t n = min(FASTSVM_MAX_PRODUCTS, job->n_features - k0), digit = p->n_vectors * ROWS;
        if (p->laid)
            p->laid->scores(s->laid + at / ROWS * p->laid_bytes, packed, n_digits * p->n_vectors, job->n_features, k0,
                            n, s->products);
        else
            job->kernels->integers->scores(s->rows + at, n_padded, (int)p->flip, packed, n_digits * p->n_vectors,
                                           job->n_features, k0, n, s->kernel, s->products, &none);
        for (ptrdiff_t v = 0; v < p->n_vectors; v++)
            job->kernels->rows->from_digits(s->products + v * ROWS, digit, n_digits, k0 > 0,
                                            all[v].unit * (n_digits == FASTSVM_DIGITS ? 1 : 256),
                                            k0 ? 0 : all[v].constant, s->t + v * ROWS);
    }
}

/* Scores of candidate number k for n rows, from row `at` of the block that begins with sample `begin`; those of a
 * candidate among several may all be shifted, row by row. */
static void keep_scores(const plan *p, const thread_state *s, ptrdiff_t begin, ptrdiff_t at, ptrdiff_t n, ptrdiff_t k) {
    const fastsvm_job *job = p->job;
    const ptrdiff_t C = job->n_classes;
    float *out = (float *)job->scores + (k * job->n_rows + begin + at) * C;
    for (ptrdiff_t i = 0; i < n; i++, out += C)
        for (ptrdiff_t c = 0; c < C; c++) out[c] = s->t[c * ROWS + i];
}

/* Loss of n rows row by row, for what stacked_loss does not know, and where correct samples are wanted. */
static double take_rows(const plan *p, thread_state *s, ptrdiff_t at, ptrdiff_t n, int64_t *n_correct) {
    const fastsvm_job *job = p->job;
    const ptrdiff_t C = job->n_classes;
    double loss = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        float *row = s->row;
        int correct;
        for (ptrdiff_t c = 0; c < C; c++) row[c] = s->t[c * ROWS + i];
        loss += job->kernels->rows->loss(job->loss, job->delta, row, s->y[at + i], s->weight[at + i], C, 0, &correct);
        *n_correct += correct;
    }
    return loss;
}

/* A block of rows against all candidates of a group, which begins with candidate `first`. */
static void run_block(const plan *p, thread_state *s, ptrdiff_t block, ptrdiff_t first, ptrdiff_t n_group) {
    const fastsvm_job *job = p->job;
    const ptrdiff_t begin = block * p->block_rows, n = min(p->block_rows, job->n_rows - begin);
    const ptrdiff_t group = job->kernels->integers->row_group;
    const int stacked = p->n_candidates > 1 && job->loss != FASTSVM_SOFTMAX;
    locate_rows(job, begin, n, s->rows);
    for (ptrdiff_t i = 0; i < p->block_rows; i++) {
        const ptrdiff_t row = begin + min(i, n - 1);
        if (i >= n) s->rows[i] = s->rows[n - 1];
        s->y[i] = job->y ? (int32_t)job->y[row] : 0;
        s->weight[i] = job->sample_weight ? job->sample_weight[row] : 1;
    }
    for (ptrdiff_t at = 0; p->laid && at < n; at += ROWS)
        p->laid->lay_rows(s->rows + at, (int)p->flip, job->n_features, s->laid + at / ROWS * p->laid_bytes);
    p->block_correct[block] = 0;
    for (ptrdiff_t k = 0; k < n_group; k++) {
        double loss = 0;
        for (ptrdiff_t at = 0; at < n; at += ROWS) {
            const ptrdiff_t m = min(ROWS, n - at);
            make_scores(p, s, at, k, ceil_div(m, group) * group);
            if (job->scores) keep_scores(p, s, begin, at, m, first + k);
            if (!job->y) continue;
            loss += stacked ? job->kernels->rows->stacked_loss(job->loss, s->t, s->y + at, s->weight + at,
                                                               (float)job->delta, job->n_classes, m)
                            : take_rows(p, s, at, m, p->block_correct + block);
        }
        p->block_loss[block * p->group + k] = loss;
    }
}

/* What every thread of a team does. */
static void work(const plan *p, int thread, double *out, int64_t *n_correct) {
    thread_state *s = (thread_state *)(p->scratch + thread * p->scratch_bytes);
    for (ptrdiff_t first = 0; first < p->n_candidates; first += p->group) {
        const ptrdiff_t n_group = min(p->group, p->n_candidates - first);
#pragma omp for schedule(dynamic, 1)
        for (ptrdiff_t k = 0; k < n_group; k++) prepare(p, first, k);
#pragma omp for schedule(dynamic, 1)
        for (ptrdiff_t block = 0; block < p->n_blocks; block++) run_block(p, s, block, first, n_group);
#pragma omp for schedule(static)
        for (ptrdiff_t k = 0; k < n_group; k++) {
            double loss = 0;
            for (ptrdiff_t block = 0; block < p->n_blocks; block++) loss += p->block_loss[block * p->group + k];
            if (out && p->job->y) out[first + k] = loss / p->job->n_rows + fastsvm_penalty(p->job, first + k);
        }
    }
#pragma omp master
    for (ptrdiff_t block = 0; block < p->n_blocks; block++) *n_correct += p->block_correct[block];
}

static int run(const fastsvm_job *job, ptrdiff_t n_candidates, double *out, int64_t *n_correct, int n_threads) {
    plan p;
    if (make_plan(job, n_candidates, &n_threads, &p)) return -1;
#pragma omp parallel num_threads(n_threads) if (n_threads > 1)
    work(&p, fastsvm_thread(), out, n_correct);
    free(p.memory);
    return 0;
}

int fastsvm_run_bytes(fastsvm_job *job, int n_threads) {
    job->n_correct = 0;
    job->updates_done = 1;
    return run(job, 1, job->losses, &job->n_correct, n_threads);
}

int fastsvm_byte_losses(const fastsvm_job *job, ptrdiff_t n_candidates, double *out, int n_threads) {
    int64_t n_correct = 0;
    return run(job, n_candidates, out, &n_correct, n_threads);
}
