/* The objective at many candidates for the weights, from one read of the samples.
 *
 * The candidates' classes stand side by side: one matrix of n_candidates x n_classes rows. Samples are laid out for the
 * products (products.h) block by block. Then a thread takes a group of candidates and a part of the block's rows:
 * scores, loss, and the sum of the losses of each candidate, in double. Sums are added up in a fixed order.
 */
#include "candidates.h"

#include "bytes.h"
#include "shared.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_ROWS 84 /* whole groups of all levels */
#define BLOCK_BYTES (16 * 1024 * 1024)
#define MIN_BLOCK_PIECES 4
#define MAX_BLOCK_PIECES 24
#define GROUP_BYTES (1024 * 1024) /* of the group's weights, half of the second-level cache */
#define SHARED_BYTES (8 * 1024 * 1024)
#define SHARES 16 /* of a block at least, for threads to take */

typedef struct {
    const fastsvm_job *job;
    ptrdiff_t n_candidates, group, n_groups; /* candidates of a group */
    ptrdiff_t block_rows, n_parts, part_rows;
    ptrdiff_t group_bytes, s_stride, scratch_bytes;
    int shared; /* all weights are laid out once; otherwise a thread's group again for each block */
    char *memory, *panels, *weights, *start, *scratch;
    double *sums, *parts; /* of a candidate: over the blocks so far, over a part of the block */
} plan;

static ptrdiff_t place(plan *p, int n_threads, char *memory) {
    const fastsvm_products *products = p->job->kernels->products;
    const ptrdiff_t item = p->job->kernels->tiles->item, D = p->job->n_features, width = products->width;
    ptrdiff_t bytes = 0;
#define PLACE(member, n) (p->member = memory ? (void *)(memory + bytes) : NULL, bytes += PAD(n))
    PLACE(panels, ceil_div(D, width) * p->block_rows * width * item);
    PLACE(weights, p->shared ? p->n_groups * p->group_bytes : 0);
    PLACE(start, (p->n_candidates * p->job->n_classes + width) * item);
    PLACE(sums, p->n_candidates * 8);
    PLACE(parts, p->n_parts * p->n_candidates * 8);
    PLACE(scratch, n_threads * p->scratch_bytes);
#undef PLACE
    return bytes;
}

static int make_plan(const fastsvm_job *job, ptrdiff_t n_candidates, int *n_threads, plan *p) {
    const ptrdiff_t item = job->kernels->tiles->item, width = job->kernels->products->width, C = job->n_classes,
                    D = job->n_features, pieces = ceil_div(job->n_rows, PIECE_ROWS);
    memset(p, 0, sizeof *p);
    p->job = job;
    p->n_candidates = n_candidates;
    p->group = max(ceil_div(width, C), GROUP_BYTES / (C * D * item));
    p->group = min(n_candidates, p->group);
    p->n_groups = ceil_div(n_candidates, p->group);
    p->group_bytes = ceil_div(p->group * C, width) * width * D * item;
    p->shared = p->n_groups * p->group_bytes <= SHARED_BYTES;

    ptrdiff_t block = BLOCK_BYTES / (PIECE_ROWS * D * item);
    block = min(pieces, max(MIN_BLOCK_PIECES, min(MAX_BLOCK_PIECES, block)));
    p->block_rows = block * PIECE_ROWS;
    p->part_rows = ceil_div(block, min(block, ceil_div(SHARES, p->n_groups))) * PIECE_ROWS;
    p->n_parts = ceil_div(p->block_rows, p->part_rows);
    *n_threads = (int)min(*n_threads, max(block, p->n_parts * p->n_groups));

    p->s_stride = ceil_div(p->group * C, width) * width + 64 / item;
    p->scratch_bytes = PAD(PIECE_ROWS * (ptrdiff_t)sizeof(void *)) + PAD(PIECE_ROWS * p->s_stride * item) +
                       (p->shared ? 0 : PAD(p->group_bytes));
    /* Zeros, so that what only pads the last rows of a block is numbers. */
    p->memory = calloc(1, (size_t)place(p, *n_threads, NULL) + 64);
    if (!p->memory) return -1;
    place(p, *n_threads, (char *)(((uintptr_t)p->memory + 63) / 64 * 64));
    if (job->b) memcpy(p->start, job->b, (size_t)(n_candidates * C * item));
    return 0;
}

/* The weights of candidates [first, first + n) in panels. */
static void lay_group(const plan *p, ptrdiff_t first, ptrdiff_t n, char *to) {
    const fastsvm_job *job = p->job;
    const ptrdiff_t item = job->kernels->tiles->item, width = job->kernels->products->width, D = job->n_features,
                    rows = n * job->n_classes;
    const char *W = (const char *)job->W + first * job->n_classes * D * item;
    for (ptrdiff_t c = 0; c < rows; c += width)
        job->kernels->products->lay_classes(W + c * D * item, job->inverse_scale, min(width, rows - c), D, 0, D,
                                            to + c * D * item);
}

/* Rows [at, at + n) of a block that begins at sample `lo`, n <= PIECE_ROWS, in panels. */
static void lay_piece(const plan *p, char *scratch, ptrdiff_t lo, ptrdiff_t at, ptrdiff_t n) {
    const fastsvm_job *job = p->job;
    const fastsvm_products *products = job->kernels->products;
    const fastsvm_view view = {job->storage, job->mean};
    const void **rows = (const void **)scratch;
    locate_rows(job, lo + at, n, rows);
    products->lay_rows(&view, rows, n, job->n_features, p->panels + at * products->width * job->kernels->tiles->item,
                       p->block_rows * products->width);
}

/* Part `part` of the block's n rows against group g: the sums of the candidates' losses. */
static void run_share(const plan *p, char *scratch, ptrdiff_t lo, ptrdiff_t n, ptrdiff_t part, ptrdiff_t g) {
    const fastsvm_job *job = p->job;
    const fastsvm_products *products = job->kernels->products;
    const ptrdiff_t item = job->kernels->tiles->item, width = products->width, C = job->n_classes, D = job->n_features;
    const ptrdiff_t first = g * p->group, n_group = min(p->group, p->n_candidates - first), columns = n_group * C;
    const ptrdiff_t begin = part * p->part_rows, end = min(n, begin + p->part_rows);
    char *S = scratch + PAD(PIECE_ROWS * (ptrdiff_t)sizeof(void *));
    char *weights = p->shared ? p->weights + g * p->group_bytes : S + PAD(PIECE_ROWS * p->s_stride * item);
    double *sums = p->parts + part * p->n_candidates + first;
    memset(sums, 0, (size_t)n_group * sizeof *sums);
    if (!p->shared && begin < end) lay_group(p, first, n_group, weights);
    for (ptrdiff_t at = begin; at < end; at += PIECE_ROWS) {
        const ptrdiff_t m = min(PIECE_ROWS, end - at);
        for (ptrdiff_t c = 0; c < columns; c += width)
            products->rows_by_panel(p->panels + at * width * item, m, p->block_rows * width, weights + c * D * item,
                                    min(width, columns - c), D, p->start + (first * C + c) * item, S + c * item,
                                    p->s_stride);
        for (ptrdiff_t i = 0; i < m; i++) {
            const ptrdiff_t row = lo + at + i;
            const double weight = job->sample_weight ? job->sample_weight[row] : 1.0;
            int correct;
            for (ptrdiff_t k = 0; k < n_group; k++)
                sums[k] += job->kernels->rows->loss(job->loss, job->delta, S + (i * p->s_stride + k * C) * item,
                                                    job->y[row], weight, C, 0, &correct);
        }
    }
}

double fastsvm_penalty(const fastsvm_job *job, ptrdiff_t candidate) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t item = job->kernels->tiles->item, C = job->n_classes, D = job->n_features;
    double squares = 0, penalty = 0;
    for (ptrdiff_t c = candidate * C; job->alpha > 0 && c < (candidate + 1) * C; c++)
        squares += leaf->squares((const char *)job->W + c * D * item, D);
    if (job->b && job->alpha_intercept > 0)
        penalty = 0.5 * job->alpha_intercept * leaf->squares((const char *)job->b + candidate * C * item, C);
    return 0.5 * job->alpha * squares + penalty;
}

/* What every thread of a team does; each `omp for` waits for all. */
static void work(const plan *p, int thread, double *out) {
    const fastsvm_job *job = p->job;
    char *scratch = p->scratch + thread * p->scratch_bytes;
#pragma omp for schedule(static)
    for (ptrdiff_t g = 0; g < (p->shared ? p->n_groups : 0); g++)
        lay_group(p, g * p->group, min(p->group, p->n_candidates - g * p->group), p->weights + g * p->group_bytes);
    for (ptrdiff_t lo = 0; lo < job->n_rows; lo += p->block_rows) {
        const ptrdiff_t n = min(p->block_rows, job->n_rows - lo);
#pragma omp for schedule(static)
        for (ptrdiff_t at = 0; at < n; at += PIECE_ROWS) lay_piece(p, scratch, lo, at, min(PIECE_ROWS, n - at));
#pragma omp for schedule(dynamic, 1)
        for (ptrdiff_t k = 0; k < p->n_parts * p->n_groups; k++)
            run_share(p, scratch, lo, n, k / p->n_groups, k % p->n_groups);
#pragma omp for schedule(static)
        for (ptrdiff_t k = 0; k < p->n_candidates; k++)
            for (ptrdiff_t part = 0; part < p->n_parts; part++) p->sums[k] += p->parts[part * p->n_candidates + k];
    }
#pragma omp for schedule(static)
    for (ptrdiff_t k = 0; k < p->n_candidates; k++) out[k] = p->sums[k] / job->n_rows + fastsvm_penalty(job, k);
}

int fastsvm_losses(const fastsvm_job *job, ptrdiff_t n_candidates, double *out, int n_threads) {
    plan p;
    if (fastsvm_bytes_apply(job)) return fastsvm_byte_losses(job, n_candidates, out, n_threads);
    if (job->scores) return 1;
    if (make_plan(job, n_candidates, &n_threads, &p)) return -1;
#pragma omp parallel num_threads(n_threads) if (n_threads > 1)
    work(&p, fastsvm_thread(), out);
    free(p.memory);
    return 0;
}
