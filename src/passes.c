/* One pass over the rows of a batch, and the epoch made of such passes.
 *
 *   L = (1/B) sum_i w_i loss(scores_i, y_i) + alpha 1/2 |W|^2 + alpha_intercept 1/2 |b|^2       (w has mean 1 over all
 * samples)
 *
 * A batch is cut into chunks of rows. A thread takes a chunk and goes through it in tiles that fit into its
 * second-level cache: scores, loss and D in place, then the tile's share of the gradient while its rows are still
 * there. Each chunk has a G of its own. After a barrier the gradient is cut into slices; a thread sums a slice of all
 * Gs in order, in double, adds the penalty and makes the update, while the slice is in its cache. A batch of many
 * chunks goes in waves, so that the Gs take bounded memory.
 *
 * How rows are cut depends on shapes alone, and every sum has a fixed order: the number of threads never changes a bit.
 */
#include "passes.h"

#include "bytes.h"
#include "shared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#define TILE_BYTES (288 * 1024)
#define MAX_TILE_ROWS 48 /* at most FASTSVM_MAX_TILE_ROWS */
#define MIN_CHUNK_ROWS 64
#define MAX_CHUNK_ROWS 512 /* so many products are summed in T before double takes over */
#define MAX_WAVE_CHUNKS 64
#define WAVE_BYTES (8 * 1024 * 1024)
#define SLICE WEIGHTS_AT_ONCE /* features of one class */

typedef struct {
    ptrdiff_t tile_rows, chunk_rows, wave_chunks, n_slices, slices_per_class;
    ptrdiff_t stride, g_bytes;             /* of a row of G; of a G */
    ptrdiff_t kernel_bytes, scratch_bytes; /* of a thread: for the kernels, in all */
    char *memory, *packed, *parts, *scratch;
    double *sums, *chunk_db, *db_sum, *chunk_loss, *squares;
    void *intercept_gradient;
    int64_t *chunk_correct;
} plan;

/* Decide from the shapes how the work is cut, and take the memory for it. More threads than chunks would only wait. */
static int make_plan(const fastsvm_job *job, int *n_threads, plan *p) {
    const fastsvm_tiles *tiles = job->kernels->tiles;
    const ptrdiff_t item = tiles->item, C = job->n_classes, D = job->n_features,
                    batch = min(job->batch_size, job->n_rows);
    const int gradient = wants_gradient(job);
    memset(p, 0, sizeof *p);

    p->stride = PAD(D * item) / item + 64 / item; /* a multiple of the cache line, rarely of the page */
    p->g_bytes = gradient ? PAD(C * p->stride * item) : 0;
    p->wave_chunks = min(MAX_WAVE_CHUNKS, max(4, WAVE_BYTES / max(1, p->g_bytes)));
    p->chunk_rows = min(MAX_CHUNK_ROWS, max(MIN_CHUNK_ROWS, ceil_div(batch, p->wave_chunks)));
    p->wave_chunks = min(p->wave_chunks, ceil_div(batch, p->chunk_rows));
    *n_threads = (int)min(*n_threads, p->wave_chunks);

    ptrdiff_t rows =
        min(MAX_TILE_ROWS, max(1, TILE_BYTES / (D * storage_size(job->storage))) / tiles->row_block * tiles->row_block);
    rows = max(rows, tiles->row_block);
    rows = ceil_div(p->chunk_rows, ceil_div(p->chunk_rows, rows)); /* tiles of a chunk alike */
    p->tile_rows = ceil_div(rows, tiles->row_block) * tiles->row_block;

    p->slices_per_class = ceil_div(D, SLICE);
    p->n_slices = C * p->slices_per_class;

    p->kernel_bytes = PAD(tiles->scratch_size(p->tile_rows) * item);
    const ptrdiff_t pointers = PAD(2 * p->tile_rows * (ptrdiff_t)sizeof(void *)), scores = PAD(p->tile_rows * C * item);
    p->scratch_bytes = pointers + scores + p->kernel_bytes;

    const ptrdiff_t packed = PAD(tiles->packed_size(C, D) * item), parts = p->wave_chunks * p->g_bytes;
    const ptrdiff_t sums = gradient && batch > p->wave_chunks * p->chunk_rows ? PAD(C * D * 8) : 0;
    const ptrdiff_t db = PAD(p->wave_chunks * C * 8), per_class = PAD(C * 8), per_chunk = PAD(p->wave_chunks * 8);
    const ptrdiff_t squares = PAD((p->n_slices + 1) * 8), scratch = *n_threads * p->scratch_bytes;
    p->memory = malloc((size_t)(packed + parts + sums + db + 2 * per_class + 2 * per_chunk + squares + scratch + 64));
    if (!p->memory) return -1;
    char *at = (char *)(((uintptr_t)p->memory + 63) / 64 * 64);
    p->packed = at, at += packed;
    p->parts = at, at += parts;
    p->sums = sums ? (double *)at : NULL, at += sums;
    p->chunk_db = (double *)at, at += db;
    p->db_sum = (double *)at, at += per_class;
    p->intercept_gradient = at, at += per_class;
    p->chunk_loss = (double *)at, at += per_chunk;
    p->chunk_correct = (int64_t *)at, at += per_chunk;
    p->squares = (double *)at, at += squares;
    p->scratch = at;
    return 0;
}

/* Rows [lo, hi) of the batch: their loss, and their share of the gradient into part `slot` of the wave. The rows this
 * thread will probably take next begin at `after`. */
static void run_chunk(const fastsvm_job *job, const plan *p, char *scratch, ptrdiff_t lo, ptrdiff_t hi, ptrdiff_t slot,
                      ptrdiff_t after) {
    const fastsvm_tiles *tiles = job->kernels->tiles;
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t item = tiles->item, C = job->n_classes, D = job->n_features;
    const int gradient = wants_gradient(job), want_dscores = gradient || job->dX;
    const fastsvm_view view = {job->storage, job->mean};
    const void **rows = (const void **)scratch, **next = rows + p->tile_rows;
    char *S = scratch + PAD(2 * p->tile_rows * (ptrdiff_t)sizeof(void *));
    char *kernel_scratch = S + PAD(p->tile_rows * C * item);
    double loss = 0, *db = p->chunk_db + slot * C;
    int64_t n_correct = 0;

    for (ptrdiff_t c = 0; c < C; c++) db[c] = 0;
    for (ptrdiff_t first = lo; first < hi; first += p->tile_rows) {
        const ptrdiff_t n = min(p->tile_rows, hi - first), then = first + n < hi ? first + n : after;
        const ptrdiff_t n_next = max(0, min(p->tile_rows, job->n_rows - then));
        locate_rows(job, first, n, rows);
        locate_rows(job, then, n_next, next);
        const fastsvm_ahead ahead = {next, n_next, storage_size(job->storage)};
        char *out = job->scores ? (char *)job->scores + first * C * item : S;
        tiles->scores(&view, rows, n, p->packed, job->b, C, D, kernel_scratch, out, &ahead);
        if (!job->y) continue;
        for (ptrdiff_t i = 0; i < n; i++) {
            const ptrdiff_t row = job->order ? (ptrdiff_t)job->order[first + i] : first + i;
            int correct;
            char *d = out + i * C * item;
            const double weight = job->sample_weight ? job->sample_weight[row] : 1.0;
            loss += leaf->loss(job->loss, job->delta, d, job->y[row], weight, C, want_dscores, &correct);
            n_correct += correct;
            if (gradient) leaf->add_row(d, C, db);
            if (job->dX)
                tiles->data_gradient(d, job->W, C, D, 1.0 / job->n_rows, job->inverse_scale,
                                     (char *)job->dX + (first + i) * D * item);
        }
        if (gradient)
            tiles->gradient(&view, rows, n, S, C, D, kernel_scratch, p->parts + slot * p->g_bytes, p->stride,
                            first > lo, &ahead);
    }
    p->chunk_loss[slot] = loss;
    p->chunk_correct[slot] = n_correct;
}

/* Slice k of the weights as the score kernel reads it, and its squares for the penalty. */
static void prepare_slice(const fastsvm_job *job, const plan *p, ptrdiff_t k) {
    const ptrdiff_t D = job->n_features, c = k / p->slices_per_class;
    const ptrdiff_t k0 = k % p->slices_per_class * SLICE, n = min(SLICE, D - k0);
    const char *W = (const char *)job->W + (c * D + k0) * job->kernels->tiles->item;
    job->kernels->tiles->pack(job->W, job->inverse_scale, job->n_classes, D, c, k0, k0 + n, p->packed);
    p->squares[k] = job->alpha > 0 ? job->kernels->rows->squares(W, n) : 0;
}

static void prepare_intercept(const fastsvm_job *job, const plan *p) {
    const int wanted = job->b && job->alpha_intercept > 0;
    p->squares[p->n_slices] = wanted ? job->kernels->rows->squares(job->b, job->n_classes) : 0;
}

void fastsvm_finish_weights(const fastsvm_job *job, const double *sums, ptrdiff_t c, ptrdiff_t k0, ptrdiff_t n,
                            ptrdiff_t n_batch, ptrdiff_t update) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t item = job->kernels->tiles->item, at = (c * job->n_features + k0) * item;
    double g[SLICE]; /* n numbers of T */
    char *W = (char *)job->W + at, *slot1 = job->slots_W[0], *slot2 = job->slots_W[1];
    void *to = job->dW ? (char *)job->dW + at : (char *)g;
    const char *scale = job->inverse_scale ? (const char *)job->inverse_scale + k0 * item : NULL;
    leaf->finish(sums, 1.0 / n_batch, scale, job->alpha, W, n, to);
    if (job->rule == FASTSVM_NO_RULE) return;
    leaf->update(job->rule, job->coefficients + update * FASTSVM_N_COEFFICIENTS, W, to, slot1 ? slot1 + at : NULL,
                 slot2 ? slot2 + at : NULL, n);
}

/* Slice k of the gradient: sum over the wave's chunks; with the last wave the penalty, and the update or the result. */
static void finish_slice(const fastsvm_job *job, const plan *p, ptrdiff_t k, ptrdiff_t n_chunks, int first_wave,
                         int last_wave, ptrdiff_t n_batch, ptrdiff_t update) {
    const fastsvm_tiles *tiles = job->kernels->tiles;
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t item = tiles->item, D = job->n_features, c = k / p->slices_per_class;
    const ptrdiff_t k0 = k % p->slices_per_class * SLICE, n = min(SLICE, D - k0);
    double local[SLICE];
    double *sum = p->sums ? p->sums + c * D + k0 : local;
    leaf->sum_parts(p->parts + (c * p->stride + k0) * item, p->g_bytes / item, n_chunks, n, sum, !first_wave);
    if (!last_wave) return;
    fastsvm_finish_weights(job, sum, c, k0, n, n_batch, update);
    if (job->rule != FASTSVM_NO_RULE) prepare_slice(job, p, k);
}

void fastsvm_finish_intercept(const fastsvm_job *job, const double *sums, ptrdiff_t n_batch, ptrdiff_t update,
                              void *gradient) {
    const fastsvm_rows *leaf = job->kernels->rows;
    double row[FASTSVM_N_COEFFICIENTS];
    void *to = job->db ? job->db : gradient;
    leaf->finish(sums, 1.0 / n_batch, NULL, job->alpha_intercept, job->b, job->n_classes, to);
    if (job->rule == FASTSVM_NO_RULE) return;
    memcpy(row, job->coefficients + update * FASTSVM_N_COEFFICIENTS, sizeof row);
    row[FASTSVM_WEIGHT_DECAY] = 0;
    leaf->update(job->rule, row, job->b, to, job->slots_b[0], job->slots_b[1], job->n_classes);
}

/* The intercept's share of all that. */
static void finish_intercept(const fastsvm_job *job, const plan *p, ptrdiff_t n_chunks, int first_wave, int last_wave,
                             ptrdiff_t n_batch, ptrdiff_t update) {
    const ptrdiff_t C = job->n_classes;
    if (!job->b || !wants_gradient(job)) return;
    for (ptrdiff_t c = 0; c < C; c++) {
        double sum = first_wave ? 0 : p->db_sum[c];
        for (ptrdiff_t k = 0; k < n_chunks; k++) sum += p->chunk_db[k * C + c];
        p->db_sum[c] = sum;
    }
    if (!last_wave) return;
    fastsvm_finish_intercept(job, p->db_sum, n_batch, update, p->intercept_gradient);
    prepare_intercept(job, p);
}

void fastsvm_in_team(int n_threads, fastsvm_work *work, fastsvm_job *job, void *plan) {
    fastsvm_barrier team = FASTSVM_BARRIER;
#ifdef _OPENMP
    if (n_threads > 1) {
#pragma omp parallel num_threads(n_threads)
        {
#pragma omp single
            team.n_threads = omp_get_num_threads(); /* may be fewer than asked for */
            work(job, plan, omp_get_thread_num(), &team);
        }
        return;
    }
#endif
    work(job, plan, 0, &team);
}

/* Chunk k of the wave [lo, hi). */
static void run_chunk_of(const fastsvm_job *job, const plan *p, char *scratch, ptrdiff_t lo, ptrdiff_t hi, ptrdiff_t k,
                         int n_threads) {
    const ptrdiff_t first = lo + k * p->chunk_rows;
    run_chunk(job, p, scratch, first, min(first + p->chunk_rows, hi), k, first + n_threads * p->chunk_rows);
}

/* What every thread of a team does. */
static void work(fastsvm_job *job, void *plan_of_job, int thread, fastsvm_barrier *team) {
    const plan *p = plan_of_job;
    char *scratch = p->scratch + thread * p->scratch_bytes;
    const int gradient = wants_gradient(job);
    const ptrdiff_t n_updates = ceil_div(job->n_rows, job->batch_size);
#pragma omp for schedule(static) nowait
    for (ptrdiff_t k = 0; k < p->n_slices; k++) prepare_slice(job, p, k);
#pragma omp master
    prepare_intercept(job, p);
    fastsvm_wait(team);
    int64_t n_correct = 0;
    ptrdiff_t update = 0;
    int finite = 1;
    while (update < n_updates && finite) {
        const ptrdiff_t begin = update * job->batch_size, end = min(begin + job->batch_size, job->n_rows),
                        n = end - begin;
        const ptrdiff_t wave_rows = p->wave_chunks * p->chunk_rows;
        const double penalty = penalty_of(job, p->squares, p->n_slices);
        double loss = 0;
        for (ptrdiff_t lo = begin; lo < end; lo += wave_rows) {
            const ptrdiff_t hi = min(lo + wave_rows, end), n_chunks = ceil_div(hi - lo, p->chunk_rows);
            const int first_wave = lo == begin, last_wave = hi == end;
            if (n_chunks <= 2 * team->n_threads) { /* few: to the thread that has fetched them */
#pragma omp for schedule(static, 1) nowait
                for (ptrdiff_t k = 0; k < n_chunks; k++) run_chunk_of(job, p, scratch, lo, hi, k, team->n_threads);
            } else {
#pragma omp for schedule(dynamic, 1) nowait
                for (ptrdiff_t k = 0; k < n_chunks; k++) run_chunk_of(job, p, scratch, lo, hi, k, team->n_threads);
            }
            fastsvm_wait(team);
            /* Every thread adds up the same numbers, so that all agree whether to go on. */
            for (ptrdiff_t k = 0; k < n_chunks; k++) {
                loss += p->chunk_loss[k];
                n_correct += p->chunk_correct[k];
            }
            finite = isfinite(loss / n + penalty);
            if (last_wave && !finite && job->rule != FASTSVM_NO_RULE) break;
#pragma omp master
            finish_intercept(job, p, n_chunks, first_wave, last_wave, n, update);
#pragma omp for schedule(static) nowait
            for (ptrdiff_t k = 0; k < (gradient ? p->n_slices : 0); k++)
                finish_slice(job, p, k, n_chunks, first_wave, last_wave, n, update);
            fastsvm_wait(team);
        }
#pragma omp master
        if (job->losses) job->losses[update] = loss / n + penalty;
        update++;
    }
#pragma omp master
    {
        job->updates_done = update;
        job->n_correct = n_correct;
    }
}

int fastsvm_run(fastsvm_job *job, int n_threads) {
    plan p;
    if (fastsvm_bytes_apply(job)) return fastsvm_run_bytes(job, n_threads);
    if (fastsvm_exact_applies(job)) return fastsvm_run_exact(job, n_threads);
    if (fastsvm_is_wide(job)) return fastsvm_run_wide(job, n_threads);
    if (make_plan(job, &n_threads, &p)) return -1;
    fastsvm_in_team(n_threads, work, job, &p);
    free(p.memory);
    return 0;
}

static double score_loss_rows(const fastsvm_rows *leaf, int loss, double delta, char *scores, ptrdiff_t item,
                              const int64_t *y, const double *sample_weight, ptrdiff_t lo, ptrdiff_t hi,
                              ptrdiff_t n_rows, ptrdiff_t n_classes, int want_gradient) {
    double sum = 0;
    for (ptrdiff_t i = lo; i < hi; i++) {
        int correct;
        char *row = scores + i * n_classes * item;
        sum += leaf->loss(loss, delta, row, y[i], sample_weight ? sample_weight[i] : 1.0, n_classes, want_gradient,
                          &correct);
        if (want_gradient) leaf->scale_row(row, 1.0 / n_rows, n_classes);
    }
    return sum;
}

double fastsvm_score_loss(const fastsvm_kernels *kernels, int loss, double delta, void *scores, const int64_t *y,
                          const double *sample_weight, ptrdiff_t n_rows, ptrdiff_t n_classes, int want_gradient,
                          int n_threads) {
    const ptrdiff_t n_chunks = ceil_div(n_rows, MAX_CHUNK_ROWS);
    double sums[256], total = 0;
    for (ptrdiff_t begin = 0; begin < n_chunks; begin += 256) {
        const ptrdiff_t end = min(begin + 256, n_chunks);
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads) if (n_threads > 1)
        for (ptrdiff_t k = begin; k < end; k++)
            sums[k - begin] = score_loss_rows(kernels->rows, loss, delta, scores, kernels->tiles->item, y,
                                              sample_weight, k * MAX_CHUNK_ROWS, min((k + 1) * MAX_CHUNK_ROWS, n_rows),
                                              n_rows, n_classes, want_gradient);
        for (ptrdiff_t k = begin; k < end; k++) total += sums[k - begin];
    }
    return total / n_rows;
}
