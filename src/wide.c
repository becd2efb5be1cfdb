/* Passes over many classes, where the products of matrices are most of the work (products.h), and the loss and all else
 * is done while what it needs is in the caches.
 *
 * A batch is cut into blocks of rows, a block into pieces. A thread takes a piece: lays its rows out for the products,
 * has their scores in its own memory, turns them into D, and lays D out. After a barrier the gradient is cut into
 * rectangles of classes x features; a thread takes one and adds the block's rows to it. These sums are of T; every
 * WINDOW_ROWS rows and at the end of the batch they go to sums of double. At the end of the batch the thread finishes
 * its rectangle, with the penalty and the update.
 *
 * How the work is cut depends on shapes alone, and every sum has a fixed order: the number of threads never changes a
 * bit.
 */
#include "shared.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MIN_CLASSES 64
#define MIN_ROWS 16
#define PIECE_ROWS 84 /* multiples of all levels' product_rows */
#define MIN_PIECES 8
#define MAX_BLOCK_ROWS 1008
#define MIN_BLOCK_ROWS 252
#define BLOCK_BYTES (8 * 1024 * 1024) /* of a block's rows and D */
#define WINDOW_ROWS 8192
#define CLASS_CUTS 8
#define RECTANGLES 16

typedef struct {
    ptrdiff_t piece_rows, block_rows, window_rows;
    ptrdiff_t panel_rows; /* of X and D as laid out: of a block, or of a piece where there is no gradient */
    ptrdiff_t class_panels, feature_panels, class_groups;
    ptrdiff_t rectangle_groups, rectangle_panels, n_rectangles, rectangles_per_row;
    ptrdiff_t slices_per_panel, n_slices;      /* of W, as it is laid out */
    ptrdiff_t s_stride, g_stride;              /* of a row of S and G */
    ptrdiff_t scratch_bytes, x_bytes, d_bytes; /* of a thread; of X and D as laid out */
    char *memory, *w_panels, *wx_panels, *x_panels, *d_groups, *G, *scratch, *start, *intercept_gradient;
    double *sums, *piece_db, *db_sum, *piece_loss, *squares;
    int64_t *piece_correct;
} plan;

int fastsvm_is_wide(const fastsvm_job *job) {
    return job->n_classes >= MIN_CLASSES && min(job->batch_size, job->n_rows) >= MIN_ROWS;
}

static ptrdiff_t round_up(ptrdiff_t n, ptrdiff_t multiple) { return ceil_div(n, multiple) * multiple; }

/* How rows and the gradient are cut. */
static void cut(const fastsvm_job *job, plan *p) {
    const fastsvm_products *products = job->kernels->products;
    const ptrdiff_t item = job->kernels->tiles->item, width = products->width, rows = products->rows,
                    C = job->n_classes, D = job->n_features, batch = min(job->batch_size, job->n_rows);
    p->class_panels = ceil_div(C, width);
    p->feature_panels = ceil_div(D, width);
    p->class_groups = ceil_div(C, rows);
    p->s_stride = p->class_panels * width + 64 / item;
    p->g_stride = p->feature_panels * width + 64 / item;

    p->piece_rows = min(PIECE_ROWS, round_up(ceil_div(batch, MIN_PIECES), rows));
    p->block_rows = min(MAX_BLOCK_ROWS, max(MIN_BLOCK_ROWS, BLOCK_BYTES / ((C + D) * item)));
    p->block_rows = min(p->block_rows, batch);
    p->block_rows = round_up(ceil_div(batch, ceil_div(batch, p->block_rows)), p->piece_rows); /* blocks alike */
    p->window_rows = max(1, WINDOW_ROWS / p->block_rows) * p->block_rows;
    p->panel_rows = wants_gradient(job) ? p->block_rows : p->piece_rows;

    p->rectangle_groups = ceil_div(p->class_groups, CLASS_CUTS);
    const ptrdiff_t cuts = ceil_div(p->class_groups, p->rectangle_groups);
    p->rectangle_panels = ceil_div(p->feature_panels, ceil_div(RECTANGLES, cuts));
    p->rectangles_per_row = ceil_div(p->feature_panels, p->rectangle_panels);
    p->n_rectangles = wants_gradient(job) ? cuts * p->rectangles_per_row : 0;

    p->slices_per_panel = ceil_div(D, WEIGHTS_AT_ONCE);
    p->n_slices = p->class_panels * p->slices_per_panel;
}

/* Where everything lies in `memory`, if that is not NULL; how many bytes it takes. */
static ptrdiff_t place(const fastsvm_job *job, plan *p, int n_threads, char *memory) {
    const fastsvm_products *products = job->kernels->products;
    const ptrdiff_t item = job->kernels->tiles->item, C = job->n_classes, D = job->n_features,
                    batch = min(job->batch_size, job->n_rows), n_pieces = p->block_rows / p->piece_rows,
                    panel = products->width * item;
    const int gradient = wants_gradient(job);
    ptrdiff_t bytes = 0;
#define PLACE(member, n) (p->member = memory && (n) > 0 ? (void *)(memory + bytes) : NULL, bytes += PAD(n))
    PLACE(w_panels, p->class_panels * D * panel);
    PLACE(start, p->class_panels * panel);
    PLACE(intercept_gradient, C * item);
    PLACE(squares, (p->n_slices + 1) * 8);
    PLACE(db_sum, C * 8);
    PLACE(piece_db, n_pieces * C * 8);
    PLACE(piece_loss, n_pieces * 8);
    PLACE(piece_correct, n_pieces * 8);
    PLACE(wx_panels, job->dX ? p->feature_panels * p->class_groups * products->rows * panel : 0);
    PLACE(x_panels, gradient ? p->x_bytes : 0);
    PLACE(d_groups, gradient ? p->d_bytes : 0);
    PLACE(G, gradient ? p->class_groups * products->rows * p->g_stride * item : 0);
    PLACE(sums, gradient && batch > p->window_rows ? C * D * 8 : 0);
    PLACE(scratch, n_threads * p->scratch_bytes);
#undef PLACE
    return bytes;
}

static int make_plan(const fastsvm_job *job, int *n_threads, plan *p) {
    const fastsvm_products *products = job->kernels->products;
    const ptrdiff_t item = job->kernels->tiles->item, panel = products->width * item;
    memset(p, 0, sizeof *p);
    cut(job, p);
    *n_threads = (int)min(*n_threads, max(p->block_rows / p->piece_rows, p->n_rectangles));
    p->x_bytes = PAD(p->feature_panels * p->panel_rows * panel);
    p->d_bytes = wants_gradient(job) || job->dX ? PAD(p->class_groups * products->rows * p->panel_rows * item) : 0;
    p->scratch_bytes = PAD(p->piece_rows * (ptrdiff_t)sizeof(void *)) + PAD(p->piece_rows * p->s_stride * item) +
                       PAD(p->piece_rows * panel);
    if (!wants_gradient(job)) p->scratch_bytes += p->x_bytes + p->d_bytes;
    /* Zeros, so that what only pads the last rows of a block is numbers. */
    p->memory = calloc(1, (size_t)place(job, p, *n_threads, NULL) + 64);
    if (!p->memory) return -1;
    place(job, p, *n_threads, (char *)(((uintptr_t)p->memory + 63) / 64 * 64));
    return 0;
}

/* Rows [lo, lo + n) of the batches, n <= piece_rows, which begin at row `at` of the panels: their scores and loss, D
 * laid out, and what of the job's results belongs to single rows. */
static void run_piece(const fastsvm_job *job, const plan *p, char *scratch, ptrdiff_t lo, ptrdiff_t n, ptrdiff_t at) {
    const fastsvm_products *products = job->kernels->products;
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t item = job->kernels->tiles->item, width = products->width, C = job->n_classes, D = job->n_features,
                    slot = at / p->piece_rows;
    const int gradient = wants_gradient(job);
    const fastsvm_view view = {job->storage, job->mean};
    const void **rows = (const void **)scratch;
    char *S = scratch + PAD(p->piece_rows * (ptrdiff_t)sizeof(void *));
    char *tile = S + PAD(p->piece_rows * p->s_stride * item), *own = tile + PAD(p->piece_rows * width * item);
    char *X = gradient ? p->x_panels + at * width * item : own;
    char *groups = gradient ? p->d_groups + at * products->rows * item : own + p->x_bytes;
    double loss = 0, *db = p->piece_db + slot * C;
    int64_t n_correct = 0;

    locate_rows(job, lo, n, rows);
    products->lay_rows(&view, rows, n, D, X, p->panel_rows * width);
    for (ptrdiff_t c = 0; c < C; c += width)
        products->rows_by_panel(X, n, p->panel_rows * width, p->w_panels + c * D * item, min(width, C - c), D,
                                p->start + c * item, S + c * item, p->s_stride);
    for (ptrdiff_t c = 0; c < C; c++) db[c] = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        char *s = S + i * p->s_stride * item;
        if (job->scores) memcpy((char *)job->scores + (lo + i) * C * item, s, (size_t)(C * item));
        if (!job->y) continue;
        const ptrdiff_t row = job->order ? (ptrdiff_t)job->order[lo + i] : lo + i;
        const double weight = job->sample_weight ? job->sample_weight[row] : 1.0;
        int correct;
        loss += leaf->loss(job->loss, job->delta, s, job->y[row], weight, C, p->d_bytes > 0, &correct);
        n_correct += correct;
        if (gradient) leaf->add_row(s, C, db);
    }
    if (p->d_bytes) products->lay_groups(S, n, p->s_stride, C, groups, p->panel_rows * products->rows);
    p->piece_loss[slot] = loss;
    p->piece_correct[slot] = n_correct;
    for (ptrdiff_t k = 0; job->dX && k < D; k += width) {
        products->groups_by_panel(groups, n, p->panel_rows * products->rows,
                                  p->wx_panels + k * p->class_groups * products->rows * item, min(width, D - k), C,
                                  tile, width);
        for (ptrdiff_t i = 0; i < n; i++)
            products->scale(tile + i * width * item, min(width, D - k), 1.0 / job->n_rows,
                            job->inverse_scale ? (const char *)job->inverse_scale + k * item : NULL,
                            (char *)job->dX + ((lo + i) * D + k) * item);
    }
}

/* Rectangle r of the gradient: the products of n rows of the panels, and at the end of a window their sum. */
static void run_rectangle(const fastsvm_job *job, const plan *p, ptrdiff_t r, ptrdiff_t n, ptrdiff_t window,
                          int first_of_window, int last_of_window, int last, ptrdiff_t n_batch, ptrdiff_t update) {
    const fastsvm_products *products = job->kernels->products;
    const ptrdiff_t item = job->kernels->tiles->item, width = products->width, D = job->n_features;
    const ptrdiff_t c0 = r / p->rectangles_per_row * p->rectangle_groups * products->rows;
    const ptrdiff_t c1 = min(job->n_classes, c0 + p->rectangle_groups * products->rows);
    const ptrdiff_t k0 = r % p->rectangles_per_row * p->rectangle_panels * width;
    const ptrdiff_t k1 = min(D, k0 + p->rectangle_panels * width);
    double local[WEIGHTS_AT_ONCE];
    for (ptrdiff_t k = k0; k < k1; k += width)
        products->columns_by_panel(p->d_groups + c0 * p->panel_rows * item, c1 - c0, p->panel_rows * products->rows,
                                   p->x_panels + k * p->panel_rows * item, min(width, D - k), n, !first_of_window,
                                   p->G + (c0 * p->g_stride + k) * item, p->g_stride);
    if (!last_of_window) return;
    for (ptrdiff_t c = c0; c < c1; c++)
        for (ptrdiff_t k = k0; k < k1; k += WEIGHTS_AT_ONCE) {
            double *sum = p->sums ? p->sums + c * D + k : local;
            const ptrdiff_t length = min(WEIGHTS_AT_ONCE, k1 - k);
            job->kernels->rows->sum_parts(p->G + (c * p->g_stride + k) * item, 0, 1, length, sum, window > 0);
            if (last) fastsvm_finish_weights(job, sum, c, k, length, n_batch, update);
        }
}

/* Slice k of W as the product of scores reads it, and its squares for the penalty. */
static void prepare_slice(const fastsvm_job *job, const plan *p, ptrdiff_t k) {
    const fastsvm_products *products = job->kernels->products;
    const ptrdiff_t item = job->kernels->tiles->item, D = job->n_features, width = products->width;
    const ptrdiff_t c = k / p->slices_per_panel * width, k0 = k % p->slices_per_panel * WEIGHTS_AT_ONCE;
    const ptrdiff_t n = min(width, job->n_classes - c), length = min(WEIGHTS_AT_ONCE, D - k0);
    const char *W = (const char *)job->W + c * D * item;
    double squares = 0;
    products->lay_classes(W, job->inverse_scale, n, D, k0, k0 + length, p->w_panels + c * D * item);
    for (ptrdiff_t i = 0; i < n; i++) {
        const char *row = W + (i * D + k0) * item;
        if (job->alpha > 0) squares += job->kernels->rows->squares(row, length);
        if (job->dX) /* its panels begin at multiples of width, and so does the slice */
            products->lay_panels(row, length,
                                 p->wx_panels + (k0 * p->class_groups * products->rows + (c + i) * width) * item,
                                 p->class_groups * products->rows * width);
    }
    p->squares[k] = squares;
}

static void prepare_intercept(const fastsvm_job *job, const plan *p) {
    const fastsvm_rows *leaf = job->kernels->rows;
    if (job->b) memcpy(p->start, job->b, (size_t)(job->n_classes * job->kernels->tiles->item));
    p->squares[p->n_slices] = job->b && job->alpha_intercept > 0 ? leaf->squares(job->b, job->n_classes) : 0;
}

static void sum_intercept(const fastsvm_job *job, const plan *p, ptrdiff_t n_pieces, int first, int last,
                          ptrdiff_t n_batch, ptrdiff_t update) {
    const ptrdiff_t C = job->n_classes;
    if (!job->b || !wants_gradient(job)) return;
    for (ptrdiff_t c = 0; first && c < C; c++) p->db_sum[c] = 0;
    for (ptrdiff_t k = 0; k < n_pieces; k++)
        for (ptrdiff_t c = 0; c < C; c++) p->db_sum[c] += p->piece_db[k * C + c];
    if (last) fastsvm_finish_intercept(job, p->db_sum, n_batch, update, p->intercept_gradient);
}

/* The weights as the next update reads them. */
static void prepare(const fastsvm_job *job, const plan *p, fastsvm_barrier *team) {
#pragma omp master
    prepare_intercept(job, p);
#pragma omp for schedule(static) nowait
    for (ptrdiff_t k = 0; k < p->n_slices; k++) prepare_slice(job, p, k);
    fastsvm_wait(team);
}

/* What every thread of a team does. */
static void work(fastsvm_job *job, void *plan_of_job, int thread, fastsvm_barrier *team) {
    const plan *p = plan_of_job;
    char *scratch = p->scratch + thread * p->scratch_bytes;
    const ptrdiff_t n_updates = ceil_div(job->n_rows, job->batch_size);
    int64_t n_correct = 0;
    ptrdiff_t update = 0;
    int finite = 1;
    while (update < n_updates && finite) {
        const ptrdiff_t begin = update * job->batch_size, end = min(begin + job->batch_size, job->n_rows),
                        n = end - begin;
        prepare(job, p, team);
        const double penalty = penalty_of(job, p->squares, p->n_slices);
        double loss = 0;
        for (ptrdiff_t lo = begin; lo < end; lo += p->block_rows) {
            const ptrdiff_t hi = min(lo + p->block_rows, end), n_pieces = ceil_div(hi - lo, p->piece_rows);
            const ptrdiff_t window = (lo - begin) / p->window_rows;
            const int first_of_window = (lo - begin) % p->window_rows == 0, last = hi == end,
                      last_of_window = last || (hi - begin) % p->window_rows == 0;
#pragma omp for schedule(dynamic, 1) nowait
            for (ptrdiff_t k = 0; k < n_pieces; k++)
                run_piece(job, p, scratch, lo + k * p->piece_rows, min(p->piece_rows, hi - lo - k * p->piece_rows),
                          k * p->piece_rows);
            fastsvm_wait(team);
            /* Every thread adds up the same numbers, so that all agree whether to go on. */
            for (ptrdiff_t k = 0; k < n_pieces; k++) {
                loss += p->piece_loss[k];
                n_correct += p->piece_correct[k];
            }
            finite = isfinite(loss / n + penalty);
            if (last && !finite && job->rule != FASTSVM_NO_RULE) break;
#pragma omp master
            sum_intercept(job, p, n_pieces, lo == begin, last, n, update);
#pragma omp for schedule(dynamic, 1) nowait
            for (ptrdiff_t r = 0; r < p->n_rectangles; r++)
                run_rectangle(job, p, r, hi - lo, window, first_of_window, last_of_window, last, n, update);
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

int fastsvm_run_wide(fastsvm_job *job, int n_threads) {
    plan p;
    if (make_plan(job, &n_threads, &p)) return -1;
    fastsvm_in_team(n_threads, work, job, &p);
    free(p.memory);
    return 0;
}
