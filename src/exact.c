/* The hinge losses on bytes: a gradient that is exact, from scores that need not be.
 *
 * With D the gradient of the loss on the scores, integers from -(n_classes - 1) to 1, and u the stored bytes, D^T u is
 * a sum of integers. It is formed in int32, or in float32 where that is exact, and so does not depend on the order of
 * the sum, the number of threads or the SIMD level. What remains is to find D, the same everywhere, and this needs the
 * signs of margins only, not their values:
 *
 *   V_j = (W_j - W_last) / scale     is rounded to v_j q_j, an integer q of 23 bits times a power of two v, for each
 * class t_j = V_j . (x - mean) + b_j - b_last = v_j (q_j . u - M_j) + b_j - b_last,      M_j = q_j . (mean + origin),
 *
 * where x = u - origin, is the score of class j beyond that of the last class: differences are all the losses look at,
 * so one class costs nothing. An approximation of t_j with a certain bound on its error decides nearly every margin
 * (decide.h). Rows with a margin within the bound are decided again from exact t_j: q has three digits of 8 bits, whose
 * products with u are exact in int32.
 *
 *   with integer products (integers.h): the two upper digits; the error is at most 128 sum |lowest digit|, since the
 *     product of the lowest with 128 is known and |u - 128| <= 128
 *   without: float32 products with v q, of u - 128; a sum of n rounded products is off by n 2^-24 sum |product|
 *
 * The loss, and with it its sum over samples, is linear in the scores where D does not change:
 *
 *   sum_i loss_i = sum_j (D^T x)_j . W_j + (sum_i D_ij) b_j + delta times the number of violations,
 *
 * all in double, from the exact gradient. The last class's row of D^T x is minus the sum of the others.
 */
#include "planes.h"
#include "shared.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS FASTSVM_MAX_TILE_ROWS
#define TILE_BYTES (384 * 1024)
#define CHUNK_ROWS (4 * ROWS)
#define SLICE FASTSVM_EXACT_SLICE     /* features whose weights a thread prepares and updates together */
#define LARGEST_WHOLE_FLOAT (1 << 24) /* up to which float32 holds every integer */
#define MAX_CLASSES 128               /* -(n_classes - 1) is a signed byte */

/* What a class's scores are made of. */
typedef struct {
    double unit, moment, offset; /* v, M, b_j - b_last */
    double constant;             /* which the approximation adds */
} class_terms;

typedef struct {
    fastsvm_planes planes;
    const fastsvm_integers *integers;
    ptrdiff_t n_others, stride; /* classes but the last; features of a row of G, padded */
    ptrdiff_t tile_rows, n_slices, wave_rows;
    unsigned flip;
    char *memory, *scratch;
    float *center; /* 128 for each feature, where the products are of floats */
    double *squares, *slice_loss, *totals;
    float *intercept_gradient;
    ptrdiff_t scratch_bytes;
} exact;

/* What a thread works with, and its shares of the sums. */
typedef struct {
    const void *rows[ROWS], *next[ROWS];
    class_terms terms[MAX_CLASSES];
    float error[MAX_CLASSES];
    int32_t y[ROWS], unsure[ROWS], correct[ROWS];
    int64_t db[MAX_CLASSES], violations, n_correct;
    int used; /* G holds something */
    int8_t *D;
    float *t;
    int32_t *products;
    float *float_scores;
    void *G, *kernel;
} thread_state;

int fastsvm_exact_applies(const fastsvm_job *job) {
    return job->kernels->rows->decide && (job->storage == FASTSVM_UINT8 || job->storage == FASTSVM_INT8) &&
           (job->loss == FASTSVM_WESTON_WATKINS || job->loss == FASTSVM_CRAMMER_SINGER) && wants_gradient(job) &&
           job->y && !job->sample_weight && !job->dX && !job->scores && job->n_classes <= MAX_CLASSES;
}

static int make_plan(const fastsvm_job *job, int n_threads, exact *p) {
    const fastsvm_tiles *tiles = job->kernels->tiles;
    const ptrdiff_t C = job->n_classes, D = job->n_features;
    memset(p, 0, sizeof *p);
    p->integers = job->kernels->integers;
    p->n_others = C - 1;
    p->stride = PAD(D) + 64; /* so that rows of G do not share a place in the caches */
    p->n_slices = ceil_div(D, SLICE);
    p->flip = job->storage == FASTSVM_INT8 ? 128 : 0;
    p->planes = (fastsvm_planes){.kernels = job->kernels,
                                 .W = job->W,
                                 .mean = job->mean,
                                 .inverse_scale = job->inverse_scale,
                                 .n_rows = C,
                                 .n_classes = C,
                                 .n_features = D,
                                 .differences = 1,
                                 .n_packed = 2,
                                 .keep = 1,
                                 .origin = p->flip};
    p->tile_rows = max(4, min(ROWS, TILE_BYTES / D / 4 * 4));
    /* So many rows fit into a sum, whichever thread takes them. */
    p->wave_rows = p->integers ? INT32_MAX / (255 * p->n_others) : LARGEST_WHOLE_FLOAT / (128 * p->n_others);

    const ptrdiff_t planes = fastsvm_planes_size(&p->planes), scores = C * ROWS * 4, G = p->n_others * p->stride * 4;
    const ptrdiff_t center = p->integers ? 0 : PAD(D * 4);
    const ptrdiff_t per_slice = PAD((p->n_slices + 1) * 8), totals = PAD(C * D * 8), per_class = PAD(C * 8);
    const ptrdiff_t kernel = p->integers ? p->integers->scratch_size(ROWS) : PAD(tiles->scratch_size(ROWS) * 4);
    const ptrdiff_t products = p->integers ? 2 * p->n_others * ROWS * 4 : C * ROWS * 4;
    p->scratch_bytes = PAD((ptrdiff_t)sizeof(thread_state)) + PAD(C * ROWS) + scores + products + PAD(G) + PAD(kernel);
    p->memory =
        malloc((size_t)(planes + center + 2 * per_slice + totals + per_class + n_threads * p->scratch_bytes + 64));
    if (!p->memory) return -1;
    char *at = (char *)(((uintptr_t)p->memory + 63) / 64 * 64);
    fastsvm_planes_place(&p->planes, at), at += planes;
    p->center = (float *)at, at += center;
    p->squares = (double *)at, at += per_slice;
    p->slice_loss = (double *)at, at += per_slice;
    p->totals = (double *)at, at += totals;
    p->intercept_gradient = (float *)at, at += per_class;
    p->scratch = at;
    for (int t = 0; t < n_threads; t++) {
        thread_state *s = (thread_state *)(p->scratch + t * p->scratch_bytes);
        memset(s, 0, sizeof *s);
        at = (char *)s + PAD((ptrdiff_t)sizeof(thread_state));
        s->D = (int8_t *)at, at += PAD(C * ROWS);
        s->t = (float *)at, at += scores;
        s->products = (int32_t *)at, s->float_scores = (float *)at, at += products;
        s->G = at, at += PAD(G);
        s->kernel = at;
        memset(s->t, 0, (size_t)scores);
    }
    for (ptrdiff_t k = 0; k < (center ? D : 0); k++) p->center[k] = 128;
    return 0;
}

static thread_state *state_of(const exact *p, int thread) {
    return (thread_state *)(p->scratch + thread * p->scratch_bytes);
}

/* Slice s of the weights: squares for the penalty, and the sizes their units depend on. */
static void measure_slice(const fastsvm_job *job, const exact *p, ptrdiff_t s) {
    const ptrdiff_t D = job->n_features, k0 = s * SLICE, n = min(SLICE, D - k0);
    const float *W = (const float *)job->W + k0;
    double squares = 0;
    for (ptrdiff_t c = 0; c < job->n_classes && job->alpha > 0; c++)
        squares += job->kernels->rows->squares(W + c * D, n);
    p->squares[s] = squares;
    for (ptrdiff_t c = 0; c < p->n_others; c++) fastsvm_planes_measure(&p->planes, c, s);
}

/* Each thread makes the terms of the classes for itself. Returns 0 where a weight or an intercept is not finite. */
static int make_terms(const fastsvm_job *job, const exact *p, thread_state *s) {
    const float *b = job->b;
    const ptrdiff_t last = p->n_others;
    /* Sums of n products in lanes: at most so many roundings each, and some more where lanes and terms are added. */
    const double roundings = (double)job->n_features / job->kernels->tiles->lanes + 16;
    memset(s->terms + last, 0, sizeof *s->terms);
    s->error[last] = 0;
    if (b && !isfinite(b[last])) return 0;
    for (ptrdiff_t c = 0; c < last; c++) {
        class_terms *terms = s->terms + c;
        const fastsvm_digit_sums all = fastsvm_planes_sums(&p->planes, c);
        terms->unit = fastsvm_planes_unit(&p->planes, c);
        terms->moment = all.moment;
        terms->offset = b ? (double)b[c] - b[last] : 0;
        if (terms->unit == 0 || !isfinite(terms->offset)) return 0;
        const double known = 128 * (p->integers ? all.lowest_sum : all.sum) - all.moment;
        const double unknown = p->integers ? 128 * all.lowest_size : roundings * 0x1p-23 * 128 * all.size;
        terms->constant = terms->unit * known + terms->offset;
        /* What is left out, and a few roundings to float of terms no larger than these. */
        const double terms_size = terms->unit * (255 * all.size + fabs(all.moment)) + fabs(terms->offset);
        const double error = terms->unit * unknown + 8 * 0x1p-24 * terms_size;
        s->error[c] = error < FLT_MAX ? (float)(error * (1 + 0x1p-20)) : FLT_MAX;
        if (terms_size > 0 && s->error[c] < FLT_MIN) s->error[c] = FLT_MIN;
    }
    return 1;
}

/* Approximate t for the n rows of a tile, padded to n_padded. */
static void approximate(const fastsvm_job *job, const exact *p, thread_state *s, ptrdiff_t n_padded,
                        const fastsvm_ahead *ahead) {
    const ptrdiff_t D = job->n_features;
    if (!p->integers) {
        const fastsvm_view view = {job->storage, job->storage == FASTSVM_UINT8 ? p->center : NULL};
        job->kernels->tiles->scores(&view, s->rows, n_padded, p->planes.packed, NULL, p->n_others, D, s->kernel,
                                    s->float_scores, ahead);
        for (ptrdiff_t c = 0; c < p->n_others; c++)
            for (ptrdiff_t i = 0; i < n_padded; i++)
                s->t[c * ROWS + i] = (float)(s->float_scores[i * p->n_others + c] + s->terms[c].constant);
        return;
    }
    const fastsvm_ahead none = {NULL, 0, 1};
    for (ptrdiff_t k0 = 0; k0 < D; k0 += FASTSVM_MAX_PRODUCTS) {
        p->integers->scores(s->rows, n_padded, (int)p->flip, p->planes.packed, 2 * p->n_others, D, k0,
                            min(FASTSVM_MAX_PRODUCTS, D - k0), s->kernel, s->products, k0 ? &none : ahead);
        for (ptrdiff_t c = 0; c < p->n_others; c++) {
            const int32_t *high = s->products + c * ROWS, *middle = high + p->n_others * ROWS;
            const float constant = k0 ? 0 : (float)s->terms[c].constant, unit = (float)s->terms[c].unit;
            float *t = s->t + c * ROWS;
            for (ptrdiff_t i = 0; i < ROWS; i++) {
                const float sum = (float)high[i] * 65536.0f + (float)middle[i] * 256.0f;
                t[i] = (k0 ? t[i] : 0) + sum * unit + constant;
            }
        }
    }
}

/* t of class c for a row, the same at every level. */
static double exact_score(const fastsvm_job *job, const exact *p, const thread_state *s, const void *row, ptrdiff_t c) {
    if (c == p->n_others) return 0;
    int64_t sum = 0;
    for (ptrdiff_t k0 = 0; k0 < job->n_features; k0 += FASTSVM_MAX_PRODUCTS) {
        const uint8_t *u = (const uint8_t *)row + k0;
        const ptrdiff_t n = min(FASTSVM_MAX_PRODUCTS, job->n_features - k0);
        for (int digit = 0; digit < 3; digit++) {
            const int8_t *plane = p->planes.planes + (digit * p->n_others + c) * p->planes.width + k0;
            const int64_t part = job->kernels->rows->dot_bytes(u, p->flip, plane, n);
            sum += part * (digit == 0 ? 65536 : digit == 1 ? 256 : 1);
        }
    }
    const class_terms *terms = s->terms + c;
    return terms->unit * ((double)sum - terms->moment) + terms->offset;
}

/* Row i of the tile from exact scores, of those classes whose approximation leaves a doubt. */
static void decide_again(const fastsvm_job *job, const exact *p, thread_state *s, ptrdiff_t i) {
    const ptrdiff_t C = job->n_classes, y = s->y[i];
    const double own = exact_score(job, p, s, s->rows[i], y);
    const int crammer_singer = job->loss == FASTSVM_CRAMMER_SINGER;
    const float *t = s->t + i;
    ptrdiff_t likely = y == 0, largest = -1;
    double gap_of_largest = 0;
    int count = 0, correct = 1;
    for (ptrdiff_t c = likely + 1; c < C; c++)
        if (c != y && t[c * ROWS] > t[likely * ROWS]) likely = c;
    for (ptrdiff_t c = 0; c < C; c++) {
        int8_t *d = s->D + c * ROWS + i;
        if (c == y) continue;
        if (crammer_singer) {
            *d = 0;
            if (t[likely * ROWS] - t[c * ROWS] > s->error[likely] + s->error[c]) continue; /* it is not the largest */
        }
        const float rough = t[c * ROWS] - t[y * ROWS], error = s->error[c] + s->error[y];
        const float margin = rough + (float)job->delta;
        const int sure = !crammer_singer && fabsf(rough) > error && fabsf(margin) > error;
        const double gap = sure ? rough : exact_score(job, p, s, s->rows[i], c) - own;
        const int violated = sure ? margin > 0 : gap + job->delta > 0;
        if (gap > 0 || (gap == 0 && c < y)) correct = 0;
        if (largest < 0 || gap > gap_of_largest) largest = c, gap_of_largest = gap;
        if (!crammer_singer) *d = (int8_t)violated;
        count += violated;
    }
    if (crammer_singer) {
        count = gap_of_largest + job->delta > 0;
        s->D[largest * ROWS + i] = (int8_t)count;
    }
    s->D[y * ROWS + i] = (int8_t)-count;
    s->correct[i] = correct;
}

/* Rows [first, first + n) of the pass, with rows of `ahead` fetched meanwhile. */
static void run_tile(const fastsvm_job *job, const exact *p, thread_state *s, ptrdiff_t first, ptrdiff_t n,
                     const fastsvm_ahead *ahead) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t C = job->n_classes,
                    n_padded = p->integers ? ceil_div(n, p->integers->row_group) * p->integers->row_group : n;
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        const ptrdiff_t at = first + min(i, n - 1);
        s->y[i] = (int32_t)job->y[job->order ? (ptrdiff_t)job->order[at] : at];
        if (i >= n) s->rows[i] = s->rows[n - 1];
    }
    approximate(job, p, s, n_padded, ahead);
    leaf->decide(job->loss, s->t, s->error, s->y, (float)job->delta, C, s->D, s->unsure, s->correct);
    for (ptrdiff_t i = 0; i < n; i++) {
        if (s->unsure[i]) decide_again(job, p, s, i);
        s->n_correct += s->correct[i];
        s->violations -= s->D[s->y[i] * ROWS + i];
    }
    for (ptrdiff_t c = 0; c < p->n_others; c++) {
        int8_t *d = s->D + c * ROWS;
        int32_t sum = 0;
        for (ptrdiff_t i = n; i < ROWS; i++) d[i] = 0;
        for (ptrdiff_t i = 0; i < ROWS; i++) sum += d[i];
        s->db[c] += sum;
    }
    if (p->integers) {
        p->integers->gradient(s->rows, n_padded, (int)p->flip, s->D, ROWS, p->n_others, job->n_features, s->G,
                              p->stride, s->used, ahead);
    } else {
        const fastsvm_view view = {job->storage, job->storage == FASTSVM_UINT8 ? p->center : NULL};
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t c = 0; c < p->n_others; c++) s->float_scores[i * p->n_others + c] = s->D[c * ROWS + i];
        job->kernels->tiles->gradient(&view, s->rows, n, s->float_scores, p->n_others, job->n_features, s->kernel, s->G,
                                      p->stride, s->used, ahead);
    }
    s->used = 1;
}

/* Rows [lo, hi) of the pass, tile by tile. The rows that this thread will probably take next begin at `after`. */
static void run_chunk(const fastsvm_job *job, const exact *p, thread_state *s, ptrdiff_t lo, ptrdiff_t hi,
                      ptrdiff_t after) {
    for (ptrdiff_t first = lo; first < hi; first += p->tile_rows) {
        const ptrdiff_t n = min(p->tile_rows, hi - first), next = first + n < hi ? first + n : after;
        const ptrdiff_t n_next = max(0, min(p->tile_rows, job->n_rows - next));
        const fastsvm_ahead ahead = {s->next, n_next, 1};
        locate_rows(job, first, n, s->rows);
        locate_rows(job, next, n_next, s->next);
        run_tile(job, p, s, first, n, &ahead);
    }
}

/* Slice k of the gradient: sum over the threads; with the last wave the share in the loss, the penalty, and the update
 * or the result. */
static void finish_slice(const fastsvm_job *job, const exact *p, ptrdiff_t k, int n_threads, const double *db,
                         int first_wave, int last_wave, ptrdiff_t n_batch, ptrdiff_t update) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t D = job->n_features, C = job->n_classes, k0 = k * SLICE, n = min(SLICE, D - k0);
    const float *mean = job->mean ? (const float *)job->mean + k0 : NULL;
    const float *inverse = job->inverse_scale ? (const float *)job->inverse_scale + k0 : NULL;
    const double origin = p->integers ? (double)p->flip : job->storage == FASTSVM_UINT8 ? -128.0 : 0.0;
    double *last = p->totals + p->n_others * D + k0, loss = 0;
    float g[SLICE];
    for (ptrdiff_t c = 0; c < p->n_others; c++) {
        double *total = p->totals + c * D + k0;
        if (first_wave) memset(total, 0, (size_t)n * sizeof *total);
        for (int t = 0; t < n_threads; t++) {
            const thread_state *s = state_of(p, t);
            if (!s->used) continue;
            if (p->integers)
                p->integers->add((const int32_t *)s->G + c * p->stride, k0, n, total);
            else
                leaf->sum_parts((const float *)s->G + c * p->stride + k0, 0, 1, n, total, 1);
        }
    }
    if (!last_wave) return;
    memset(last, 0, (size_t)n * sizeof *last);
    for (ptrdiff_t c = 0; c < C; c++) {
        double *total = p->totals + c * D + k0;
        float *W = (float *)job->W + c * D + k0, *to = job->dW ? (float *)job->dW + c * D + k0 : g;
        for (ptrdiff_t j = 0; j < n && c < p->n_others; j++) last[j] -= total[j];
        loss += leaf->center(total, db[c], mean, origin, inverse, W, n);
        leaf->finish(total, 1.0 / n_batch, inverse, job->alpha, W, n, to);
        if (job->rule == FASTSVM_NO_RULE) continue;
        const ptrdiff_t at = c * D + k0;
        float *slot1 = job->slots_W[0], *slot2 = job->slots_W[1];
        leaf->update(job->rule, job->coefficients + update * FASTSVM_N_COEFFICIENTS, W, to, slot1 ? slot1 + at : NULL,
                     slot2 ? slot2 + at : NULL, n);
    }
    p->slice_loss[k] = loss;
    if (job->rule != FASTSVM_NO_RULE) measure_slice(job, p, k);
}

/* db of the batch from the threads' counts. */
static void sum_counts(const exact *p, int n_threads, double *db) {
    double *last = db + p->n_others;
    *last = 0;
    for (ptrdiff_t c = 0; c < p->n_others; c++) {
        int64_t sum = 0;
        for (int t = 0; t < n_threads; t++) sum += state_of(p, t)->db[c];
        db[c] = (double)sum;
        *last -= db[c];
    }
}

/* What the intercept and the margin add to the loss of the batch; its count of correct samples is added too. */
static double count_loss(const fastsvm_job *job, const exact *p, int n_threads, const double *db, int64_t *n_correct) {
    double loss = 0;
    for (ptrdiff_t c = 0; job->b && c < job->n_classes; c++) loss += db[c] * ((const float *)job->b)[c];
    for (int t = 0; t < n_threads; t++) {
        loss += job->delta * (double)state_of(p, t)->violations;
        *n_correct += state_of(p, t)->n_correct;
    }
    return loss;
}

static double total_penalty(const fastsvm_job *job, const exact *p) {
    double squares = 0;
    for (ptrdiff_t k = 0; k < p->n_slices; k++) squares += p->squares[k];
    const int wanted = job->b && job->alpha_intercept > 0;
    const double intercept = wanted ? job->kernels->rows->squares(job->b, job->n_classes) : 0;
    return 0.5 * job->alpha * squares + 0.5 * job->alpha_intercept * intercept;
}

/* What every thread of a team does. */
static void work(fastsvm_job *job, void *plan_of_job, int thread, fastsvm_barrier *team) {
    exact *p = plan_of_job;
    thread_state *s = state_of(p, thread);
    const ptrdiff_t n_updates = ceil_div(job->n_rows, job->batch_size);
    const int n_threads = team->n_threads;
    double db[MAX_CLASSES];
    int64_t n_correct = 0;
    ptrdiff_t update = 0;
#pragma omp for schedule(static) nowait
    for (ptrdiff_t k = 0; k < p->n_slices; k++) measure_slice(job, p, k);
    fastsvm_wait(team);
    for (int finite = 1; update < n_updates && finite; update++) {
        const ptrdiff_t begin = update * job->batch_size, end = min(begin + job->batch_size, job->n_rows);
        const double penalty = total_penalty(job, p);
        double loss = 0;
#pragma omp for schedule(static) nowait
        for (ptrdiff_t k = 0; k < p->n_slices; k++)
            for (ptrdiff_t c = 0; c < p->n_others; c++) fastsvm_planes_round(&p->planes, c, k);
        s->violations = s->n_correct = 0;
        memset(s->db, 0, sizeof s->db);
        fastsvm_wait(team);
        finite = make_terms(job, p, s) && isfinite(penalty);
        if (!finite && job->rule != FASTSVM_NO_RULE) {
#pragma omp master
            if (job->losses) job->losses[update] = (double)NAN;
            update++;
            break;
        }
        for (ptrdiff_t lo = begin; lo < end; lo += p->wave_rows) {
            const ptrdiff_t hi = min(lo + p->wave_rows, end);
            const ptrdiff_t rows = min(CHUNK_ROWS, max(4, ceil_div(ceil_div(hi - lo, 2 * n_threads), 4) * 4));
            s->used = 0;
            if (hi - lo <= 2 * n_threads * rows) { /* few: to the thread that has fetched them */
#pragma omp for schedule(static, 1) nowait
                for (ptrdiff_t first = lo; first < hi; first += rows)
                    run_chunk(job, p, s, first, min(first + rows, hi), first + n_threads * rows);
            } else {
#pragma omp for schedule(dynamic, 1) nowait
                for (ptrdiff_t first = lo; first < hi; first += rows)
                    run_chunk(job, p, s, first, min(first + rows, hi), first + n_threads * rows);
            }
            fastsvm_wait(team);
            sum_counts(p, n_threads, db);
#pragma omp master
            if (hi == end) {
                loss += count_loss(job, p, n_threads, db, &n_correct);
                if (job->b) fastsvm_finish_intercept(job, db, end - begin, update, p->intercept_gradient);
            }
#pragma omp for schedule(static) nowait
            for (ptrdiff_t k = 0; k < p->n_slices; k++)
                finish_slice(job, p, k, n_threads, db, lo == begin, hi == end, end - begin, update);
            fastsvm_wait(team);
        }
#pragma omp master
        {
            for (ptrdiff_t k = 0; k < p->n_slices; k++) loss += p->slice_loss[k];
            if (job->losses) job->losses[update] = finite ? loss / (end - begin) + penalty : (double)NAN;
        }
    }
#pragma omp master
    {
        job->updates_done = update;
        job->n_correct = n_correct;
    }
}

int fastsvm_run_exact(fastsvm_job *job, int n_threads) {
    exact p;
    n_threads = (int)max(1, min(n_threads, ceil_div(min(job->batch_size, job->n_rows), 4)));
    if (make_plan(job, n_threads, &p)) return -1;
    fastsvm_in_team(n_threads, work, job, &p);
    free(p.memory);
    return 0;
}
