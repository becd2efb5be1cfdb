/* An epoch over samples in CSR form.
 *
 *   L = (1/B) sum_i w_i loss(scores_i, y_i) + alpha 1/2 |W|^2 + alpha_intercept 1/2 |b|^2       (w has mean 1 over all
 * samples)
 *
 * W and slots are laid out feature-major, and taken back when all updates are made. Features are cut into parts that a
 * thread owns: it makes the products of the batch's rows with its parts of W, whose sums over the parts are the scores;
 * and after the losses, which threads share by chunks of rows, it changes its parts. So W stays in the caches of those
 * who change it. Parts depend on X alone, sums over them have a fixed order: the number of threads never changes a bit.
 *
 * How an update reaches W:
 *
 *   DIRECT   SGD with batches of few rows: each row's share is added to W. The penalty's share is a factor: W = s V,
 *            where s becomes s (1 - rate alpha), and V changes in the runs of the row's entries alone. |V|^2 follows:
 *            |v + d x|^2 = |v|^2 + 2 d . (v x) + |d|^2 x^2 for an entry x, so that the loss recorded has its penalty.
 *            An update costs what its entries cost.
 *
 *   TOUCHED  SGD with larger batches, and AdaGrad without a penalty: the gradient is summed in double, and only runs
 *            of features that the batch has are updated; to AdaGrad a gradient of 0 is no change.
 *
 *   DENSE    All other rules, and those above where there is nothing to be gained.
 */
#include "sparse.h"

#include <math.h>
#include <string.h>

#define MAX_PARTS 8
#define PART_ENTRIES 8 /* of a row, on average, that are worth a part */
#define CHUNK_ROWS 32
#define WAVE_BYTES (16 * 1024 * 1024)
#define DIRECT_ROWS 512 /* so many products are summed in T */
#define KEPT_ROWS 8     /* of a batch, whose entries stay laid out from their scores to the update */
#define LEAST_SCALE 1e-6
#define MOST_DECAY 0.5             /* of s in an update */
#define APART 8                    /* doubles of a cache line */
#define LEAST_TURNED (1024 * 1024) /* weights that threads share */

enum way { DIRECT, TOUCHED, DENSE };

typedef struct {
    enum way way;
    int scaled; /* W = s V with s other than 1 */
    ptrdiff_t stride, n_parts, wave_rows, n_chunks, slice;
    ptrdiff_t cut[MAX_PARTS + 1], first_slice[MAX_PARTS + 1];
    ptrdiff_t scratch_bytes;
    char *V, *slots[2], *scratch;
    fastsvm_laid *kept; /* DIRECT with small batches: entries of the batch's rows, laid out; else NULL */
    char *products, *D; /* of a wave: x . V^T over each part, and scores that become D */
    ptrdiff_t *entries; /* of a part and a row: where its entries begin and end */
    double *sizes;      /* |d|^2 of each row of a wave; 0 where it changes nothing */
    double *G;          /* gradient, feature-major; zeros between updates */
    double *squares;    /* of the slices of V */
    double *changes;    /* of |V|^2 in a part, by an update */
    int64_t *last;      /* TOUCHED: update that touched a feature last */
    ptrdiff_t *touched; /* features of an update, those of a part from its cut on */
    double *chunk_loss, *chunk_db, *db;
    int64_t *chunk_correct;
    void *gradient_b;
    double scale; /* s when all updates are made */
} plan;

/* Rows of a batch whose scores are held together: n from `begin` of the order on. */
typedef struct {
    ptrdiff_t begin, n, n_batch, update;
    int first, last;           /* of the batch */
    double next_scale, factor; /* s after the update; what DIRECT adds to V is so many times D */
} wave;

static ptrdiff_t place(const fastsvm_job *job, plan *p, int n_threads, char *memory) {
    const ptrdiff_t item = job->kernels->tiles->item, D = job->n_features, C = job->n_classes;
    ptrdiff_t bytes = 0;
#define PLACE(member, n) (p->member = memory ? (void *)(memory + bytes) : NULL, bytes += PAD(n))
    PLACE(V, D * p->stride * item);
    for (int k = 0; k < 2; k++)
        if (job->slots_W[k]) PLACE(slots[k], D * p->stride * item);
    PLACE(G, p->way == DIRECT ? 0 : D * p->stride * 8);
    PLACE(last, p->way == TOUCHED ? D * 8 : 0);
    PLACE(touched, p->way == TOUCHED ? D * 8 : 0);
    PLACE(products, p->n_parts * p->wave_rows * p->stride * item);
    PLACE(D, p->wave_rows * p->stride * item);
    PLACE(entries, p->n_parts * p->wave_rows * 2 * 8);
    PLACE(sizes, p->wave_rows * 8);
    if (p->way == DIRECT && p->n_parts == 1 && p->wave_rows <= KEPT_ROWS)
        PLACE(kept, p->wave_rows * (ptrdiff_t)sizeof *p->kept);
    PLACE(squares, p->first_slice[p->n_parts] * 8);
    PLACE(changes, p->n_parts * APART * 8);
    PLACE(chunk_loss, p->n_chunks * 8);
    PLACE(chunk_correct, p->n_chunks * 8);
    PLACE(chunk_db, p->n_chunks * C * 8);
    PLACE(db, C * 8);
    PLACE(gradient_b, C * 8);
    PLACE(scratch, n_threads * p->scratch_bytes);
#undef PLACE
    return bytes;
}

/* Whether s (1 - rate alpha) does for the penalty. */
static int can_scale(const fastsvm_job *job, ptrdiff_t n_updates) {
    if (job->rule != FASTSVM_SGD) return 0;
    for (ptrdiff_t u = 0; u < n_updates; u++) {
        const double decay = job->alpha * job->coefficients[u * FASTSVM_N_COEFFICIENTS + FASTSVM_LEARNING_RATE];
        if (!(decay >= 0 && decay <= MOST_DECAY)) return 0;
    }
    return 1;
}

static enum way choose_way(const fastsvm_job *job, const plan *p, ptrdiff_t batch, double batch_entries, int scaled) {
    const ptrdiff_t row_bytes = (MAX_PARTS + 1) * p->stride * job->kernels->tiles->item;
    if (scaled && batch <= DIRECT_ROWS && batch * row_bytes <= WAVE_BYTES) return DIRECT;
    if (scaled || (job->rule == FASTSVM_ADAGRAD && job->alpha == 0))
        if (batch_entries < (double)job->n_features) return TOUCHED;
    return DENSE;
}

static int make_plan(const fastsvm_job *job, ptrdiff_t least_shared, int *n_threads, plan *p) {
    const fastsvm_csr *X = job->csr;
    const ptrdiff_t item = job->kernels->tiles->item, C = job->n_classes, D = job->n_features,
                    batch = min(job->batch_size, job->n_rows);
    const double entries = (double)(fastsvm_first_entry(X, X->n_rows) - fastsvm_first_entry(X, 0)) / X->n_rows;
    const int scaled = can_scale(job, ceil_div(job->n_rows, job->batch_size));
    memset(p, 0, sizeof *p);
    p->stride = FASTSVM_STRIDE(C);
    p->way = choose_way(job, p, batch, batch * entries, scaled);
    p->scaled = scaled && p->way != DENSE && job->alpha > 0;

    const double products = (batch * entries + (p->way == DENSE ? D : 0)) * C;
    const int shared = products >= (double)least_shared;
    p->n_parts = shared ? max(2, min(MAX_PARTS, (ptrdiff_t)(entries / PART_ENTRIES))) : 1;
    *n_threads = shared ? (int)min(*n_threads, p->n_parts) : 1;
    const ptrdiff_t chunk_bytes = (p->n_parts + 1) * p->stride * item * CHUNK_ROWS;
    p->n_chunks = ceil_div(batch, CHUNK_ROWS); /* DIRECT needs the scores of a batch before V changes */
    if (p->way != DIRECT) p->n_chunks = max(1, min(p->n_chunks, WAVE_BYTES / chunk_bytes));
    p->wave_rows = min(batch, p->n_chunks * CHUNK_ROWS);

    p->slice = max(1, WEIGHTS_AT_ONCE / p->stride); /* features */
    fastsvm_cut_features(X, D, p->n_parts, p->cut);
    for (ptrdiff_t k = 0; k < p->n_parts; k++)
        p->first_slice[k + 1] = p->first_slice[k] + ceil_div(p->cut[k + 1] - p->cut[k], p->slice);
    /* Entries laid out; a row of D in double; the gradient of a slice; a line between threads. */
    p->scratch_bytes = PAD((ptrdiff_t)sizeof(fastsvm_laid)) + PAD(p->stride * 8) + PAD(p->slice * p->stride * 8) + 64;
    char *memory = fastsvm_large_memory((size_t)place(job, p, *n_threads, NULL));
    if (!memory) return -1;
    place(job, p, *n_threads, memory);
    return 0;
}

/* x . V^T of a wave's rows over one part. */
static void score_part(const fastsvm_job *job, const plan *p, fastsvm_laid *laid, ptrdiff_t part, const wave *w) {
    const fastsvm_nonzeros *leaf = job->kernels->nonzeros;
    const fastsvm_csr *X = job->csr;
    const ptrdiff_t bytes = p->stride * job->kernels->tiles->item;
    for (ptrdiff_t i = 0; i < w->n; i++) {
        const ptrdiff_t row = fastsvm_row(job, w->begin + i);
        char *to = p->products + (part * p->wave_rows + i) * bytes;
        ptrdiff_t *kept = p->entries + (part * p->wave_rows + i) * 2;
        ptrdiff_t first = fastsvm_first_entry(X, row), end = fastsvm_first_entry(X, row + 1);
        if (part > 0) first = fastsvm_find(X, first, end, p->cut[part]);
        if (part < p->n_parts - 1) end = fastsvm_find(X, first, end, p->cut[part + 1]);
        kept[0] = first, kept[1] = end;
        if (p->kept) laid = p->kept + i;
        ptrdiff_t at = first;
        do {
            const ptrdiff_t m = min(FASTSVM_LAID, end - at);
            leaf->lay(X, at, m, p->stride, job->inverse_scale, laid->offsets, laid->values);
            leaf->scores(laid->offsets, laid->values, m, p->V, p->stride, to, at > first);
            at += m;
        } while (at < end);
    }
}

/* Chunk k of a wave's rows: scores, losses and D. */
static void run_chunk(const fastsvm_job *job, const plan *p, ptrdiff_t k, const wave *w, double scale) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t C = job->n_classes, bytes = p->stride * job->kernels->tiles->item;
    const ptrdiff_t lo = k * CHUNK_ROWS, hi = min(lo + CHUNK_ROWS, w->n);
    double loss = 0, *db = p->chunk_db + k * C;
    int64_t n_correct = 0;
    memset(db, 0, (size_t)C * sizeof *db);
    for (ptrdiff_t i = lo; i < hi; i++) {
        const ptrdiff_t row = fastsvm_row(job, w->begin + i);
        char *d = p->D + i * bytes;
        int correct;
        job->kernels->nonzeros->join(p->products + i * bytes, p->wave_rows * p->stride, p->n_parts, p->stride, scale,
                                     job->b, C, d);
        loss += leaf->loss(job->loss, job->delta, d, job->y[row], job->sample_weight ? job->sample_weight[row] : 1.0, C,
                           1, &correct);
        n_correct += correct;
        p->sizes[i] = leaf->squares(d, C);
        if (p->sizes[i] == 0) continue;
        if (job->b) leaf->add_row(d, C, db);
        if (p->way == DIRECT) {
            leaf->scale_row(d, w->factor, C);
            p->sizes[i] *= w->factor * w->factor;
        }
    }
    p->chunk_loss[k] = loss;
    p->chunk_correct[k] = n_correct;
}

/* DIRECT: a row's share in one part of V. Returns the change of |V|^2 where that is wanted. */
static double add_to_weights(const fastsvm_job *job, const plan *p, fastsvm_laid *laid, const ptrdiff_t *entries,
                             const char *d, double size) {
    const fastsvm_nonzeros *leaf = job->kernels->nonzeros;
    const int is_laid = p->kept && entries[1] - entries[0] <= FASTSVM_LAID;
    double change = 0;
    for (ptrdiff_t at = entries[0], m; at < entries[1]; at += m) {
        m = min(FASTSVM_LAID, entries[1] - at);
        if (!is_laid) leaf->lay(job->csr, at, m, p->stride, job->inverse_scale, laid->offsets, laid->values);
        const double product = leaf->add(laid->offsets, laid->values, m, d, p->V, p->stride, p->scaled);
        if (p->scaled) change += 2 * product + size * job->kernels->rows->squares(laid->values, m);
    }
    return change;
}

/* A row's share in one part of G. */
static void add_to_gradient(const fastsvm_job *job, const plan *p, char *scratch, const ptrdiff_t *entries,
                            const char *d_of_row, ptrdiff_t f0, ptrdiff_t update, ptrdiff_t *n_touched) {
    const fastsvm_nonzeros *leaf = job->kernels->nonzeros;
    fastsvm_laid *laid = (fastsvm_laid *)scratch;
    double *d = (double *)(scratch + PAD((ptrdiff_t)sizeof(fastsvm_laid)));
    job->kernels->rows->sum_parts(d_of_row, 0, 1, p->stride, d, 0);
    for (ptrdiff_t at = entries[0], m; at < entries[1]; at += m) {
        m = min(FASTSVM_LAID, entries[1] - at);
        if (p->way == TOUCHED)
            for (ptrdiff_t k = at; k < at + m; k++) {
                const ptrdiff_t feature = fastsvm_feature(job->csr, k);
                if (p->last[feature] == update) continue;
                p->last[feature] = update;
                p->touched[f0 + (*n_touched)++] = feature;
            }
        leaf->lay_double(job->csr, at, m, p->stride, job->inverse_scale, laid->offsets, laid->values);
        leaf->add_double(laid->offsets, laid->values, m, d, p->G, p->stride);
    }
}

/* n features from `first` on: their update from G, which becomes zeros. */
static void update_features(const fastsvm_job *job, const plan *p, char *scratch, ptrdiff_t first, ptrdiff_t n,
                            double alpha, const double *coefficients, ptrdiff_t n_batch) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t item = job->kernels->tiles->item, at = first * p->stride, count = n * p->stride;
    char *g = scratch + PAD((ptrdiff_t)sizeof(fastsvm_laid)) + PAD(p->stride * 8), *V = p->V + at * item;
    leaf->finish(p->G + at, 1.0 / n_batch, NULL, alpha, V, count, g);
    leaf->update(job->rule, coefficients, V, g, p->slots[0] ? p->slots[0] + at * item : NULL,
                 p->slots[1] ? p->slots[1] + at * item : NULL, count);
    memset(p->G + at, 0, (size_t)count * sizeof *p->G);
}

static double squares_of(const fastsvm_job *job, const plan *p, ptrdiff_t first, ptrdiff_t n) {
    return job->kernels->rows->squares(p->V + first * p->stride * job->kernels->tiles->item, n * p->stride);
}

/* Slice k of a part begins with the feature returned. */
static ptrdiff_t locate_slice(const plan *p, ptrdiff_t part, ptrdiff_t k, ptrdiff_t *n) {
    const ptrdiff_t first = p->cut[part] + (k - p->first_slice[part]) * p->slice;
    *n = min(p->slice, p->cut[part + 1] - first);
    return first;
}

/* A wave's rows reach one part; with the last wave the part is updated. */
static void update_part(const fastsvm_job *job, const plan *p, char *scratch, ptrdiff_t part, const wave *w,
                        ptrdiff_t *n_touched) {
    const ptrdiff_t item = job->kernels->tiles->item, f0 = p->cut[part], f1 = p->cut[part + 1];
    double row[FASTSVM_N_COEFFICIENTS], *change = p->changes + part * APART;
    if (w->first) *change = 0, *n_touched = 0;
    for (ptrdiff_t i = 0; i < w->n; i++) {
        const ptrdiff_t *entries = p->entries + (part * p->wave_rows + i) * 2;
        const char *d = p->D + i * p->stride * item;
        if (p->sizes[i] == 0) continue;
        if (p->way == DIRECT)
            *change += add_to_weights(job, p, p->kept ? p->kept + i : (fastsvm_laid *)scratch, entries, d, p->sizes[i]);
        else
            add_to_gradient(job, p, scratch, entries, d, f0, w->update, n_touched);
    }
    if (!w->last) return;
    memcpy(row, job->coefficients + w->update * FASTSVM_N_COEFFICIENTS, sizeof row);
    if (p->scaled) row[FASTSVM_LEARNING_RATE] /= w->next_scale; /* what is added to V is added to W s times */
    for (ptrdiff_t k = 0; p->way == TOUCHED && k < *n_touched; k++) {
        const ptrdiff_t feature = p->touched[f0 + k];
        if (p->scaled) *change -= squares_of(job, p, feature, 1);
        update_features(job, p, scratch, feature, 1, 0, row, w->n_batch);
        if (p->scaled) *change += squares_of(job, p, feature, 1);
    }
    if (p->scaled && w->next_scale < LEAST_SCALE)
        job->kernels->rows->scale_row(p->V + f0 * p->stride * item, w->next_scale, (f1 - f0) * p->stride);
    if (p->way != DENSE) return;
    for (ptrdiff_t k = p->first_slice[part], n; k < p->first_slice[part + 1]; k++) {
        const ptrdiff_t first = locate_slice(p, part, k, &n);
        update_features(job, p, scratch, first, n, job->alpha, row, w->n_batch);
        p->squares[k] = job->alpha > 0 ? squares_of(job, p, first, n) : 0;
    }
}

/* The intercept's share, by one thread. */
static void update_intercept(const fastsvm_job *job, const plan *p, const wave *w) {
    const ptrdiff_t C = job->n_classes;
    if (!job->b) return;
    if (w->first) memset(p->db, 0, (size_t)C * sizeof *p->db);
    for (ptrdiff_t k = 0; k < ceil_div(w->n, CHUNK_ROWS); k++)
        for (ptrdiff_t c = 0; c < C; c++) p->db[c] += p->chunk_db[k * C + c];
    if (w->last) fastsvm_finish_intercept(job, p->db, w->n_batch, w->update, p->gradient_b);
}

/* What every thread knows, and all alike: W = scale V. Once the parts have been updated, |V|^2 is `size` and what they
 * have changed, times the square of `shrunk`. */
typedef struct {
    double scale, shrunk, size;
} state;

/* The penalty before an update. */
static double penalty(const fastsvm_job *job, const plan *p, state *s, int first_update) {
    double sum = 0, intercept = 0;
    if (job->alpha > 0 && (first_update || !p->scaled))
        for (ptrdiff_t k = 0; k < p->first_slice[p->n_parts]; k++) sum += p->squares[k];
    if (p->scaled) {
        for (ptrdiff_t k = 0; k < (first_update ? 0 : p->n_parts); k++) s->size += p->changes[k * APART];
        s->size = first_update ? sum : fmax(s->size, 0) * s->shrunk * s->shrunk;
        sum = s->size * s->scale * s->scale;
    }
    if (job->b && job->alpha_intercept > 0) intercept = job->kernels->rows->squares(job->b, job->n_classes);
    return 0.5 * job->alpha * sum + 0.5 * job->alpha_intercept * intercept;
}

/* One update by this thread, which owns the parts [first, last): what all threads find to be the loss. It is made if
 * that is finite. */
static double run_update(fastsvm_job *job, const plan *p, char *scratch, int thread, fastsvm_barrier *team,
                         ptrdiff_t update, state *s, int64_t *n_correct) {
    const ptrdiff_t begin = update * job->batch_size, n = min(job->batch_size, job->n_rows - begin);
    const ptrdiff_t first = thread * p->n_parts / team->n_threads, last = (thread + 1) * p->n_parts / team->n_threads;
    const double rate = job->coefficients[update * FASTSVM_N_COEFFICIENTS + FASTSVM_LEARNING_RATE];
    ptrdiff_t n_touched[MAX_PARTS];
    double loss = 0, added = 0;
    wave w = {.n_batch = n, .update = update};
    w.next_scale = p->scaled ? s->scale * (1 - rate * job->alpha) : 1;
    w.factor = -rate / (n * w.next_scale);
    for (ptrdiff_t at = 0; at < n; at += w.n) {
        w.begin = begin + at, w.n = min(p->wave_rows, n - at);
        w.first = at == 0, w.last = at + w.n == n;
        for (ptrdiff_t part = first; part < last; part++) score_part(job, p, (fastsvm_laid *)scratch, part, &w);
        fastsvm_wait(team);
        if (w.first) added = penalty(job, p, s, update == 0);
        const ptrdiff_t n_chunks = ceil_div(w.n, CHUNK_ROWS);
        for (ptrdiff_t k = thread; k < n_chunks; k += team->n_threads) run_chunk(job, p, k, &w, s->scale);
        fastsvm_wait(team);
        /* Every thread adds up the same numbers, so that all agree whether to go on. */
        for (ptrdiff_t k = 0; k < n_chunks; k++) {
            loss += p->chunk_loss[k];
            *n_correct += p->chunk_correct[k];
        }
        if (w.last && !isfinite(loss / n + added)) break;
        if (thread == 0) update_intercept(job, p, &w);
        for (ptrdiff_t part = first; part < last; part++) update_part(job, p, scratch, part, &w, n_touched + part);
    }
    const int shrinks = p->scaled && w.next_scale < LEAST_SCALE;
    s->shrunk = shrinks ? w.next_scale : 1;
    s->scale = shrinks ? 1 : w.next_scale;
    return loss / n + added;
}

/* What every thread of a team does. */
static void work(fastsvm_job *job, void *plan_of_job, int thread, fastsvm_barrier *team) {
    plan *p = plan_of_job;
    const ptrdiff_t n_updates = ceil_div(job->n_rows, job->batch_size);
    char *scratch = p->scratch + thread * p->scratch_bytes;
    state s = {1, 1, 0};
    int64_t n_correct = 0;
    ptrdiff_t update = 0;
    double loss = 0;
    while (update < n_updates && isfinite(loss)) {
        const double scale = s.scale;
        loss = run_update(job, p, scratch, thread, team, update, &s, &n_correct);
        if (!isfinite(loss)) s.scale = scale;
        if (thread == 0) job->losses[update] = loss;
        update++;
    }
    if (thread > 0) return;
    p->scale = s.scale;
    job->updates_done = update;
    job->n_correct = n_correct;
}

/* Slice k of W and slots into feature-major order, and all else as an epoch begins; or back. */
static void turn_slice(fastsvm_job *job, const plan *p, ptrdiff_t part, ptrdiff_t k, int back) {
    const fastsvm_nonzeros *leaf = job->kernels->nonzeros;
    const ptrdiff_t C = job->n_classes, D = job->n_features, stride = p->stride;
    void *const ours[3] = {p->V, p->slots[0], p->slots[1]};
    void *const theirs[3] = {job->W, job->slots_W[0], job->slots_W[1]};
    ptrdiff_t n;
    const ptrdiff_t first = locate_slice(p, part, k, &n), end = first + n;
    for (int a = 0; a < 3; a++)
        if (ours[a] && back)
            leaf->take_weights(ours[a], stride, a ? 1 : p->scale, C, D, first, end, theirs[a]);
        else if (ours[a])
            leaf->lay_weights(theirs[a], C, D, first, end, stride, ours[a]);
    if (back) return;
    p->squares[k] = job->alpha > 0 ? squares_of(job, p, first, n) : 0;
    if (p->way != DIRECT) memset(p->G + first * stride, 0, (size_t)(n * stride) * sizeof *p->G);
    for (ptrdiff_t f = first; p->way == TOUCHED && f < end; f++) p->last[f] = -1;
}

static void turn(fastsvm_job *job, const plan *p, int back, int n_threads) {
    if (job->n_classes * job->n_features < LEAST_TURNED) n_threads = 1;
#pragma omp parallel num_threads(n_threads) if (n_threads > 1)
    for (ptrdiff_t part = 0; part < p->n_parts; part++) {
#pragma omp for schedule(static) nowait
        for (ptrdiff_t k = p->first_slice[part]; k < p->first_slice[part + 1]; k++) turn_slice(job, p, part, k, back);
    }
}

int fastsvm_sparse_epoch(fastsvm_job *job, ptrdiff_t least_shared, int n_threads) {
    plan p;
    int n_sharing = n_threads;
    if (make_plan(job, least_shared, &n_sharing, &p)) return -1;
    turn(job, &p, 0, n_sharing);
    fastsvm_in_team(n_sharing, work, job, &p);
    turn(job, &p, 1, n_sharing);
    free(p.V);
    return 0;
}
