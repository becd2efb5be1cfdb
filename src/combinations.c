/* What the linearity of scores makes cheap.
 *
 * Losses at combinations of scores: a thread takes a chunk of rows and a group of points. The rows' scores are laid out
 * block by block (combined.h) in the first-level cache, and all points of the group pass by. Sums over chunks are added
 * up in their order.
 *
 * Difference quotients: a thread owns a slice of features, of all classes, and goes through the rows.
 */
#include "combinations.h"

#include "macros.h"
#include "shared.h"

#include <stdlib.h>
#include <string.h>

#define ROWS FASTSVM_MAX_TILE_ROWS
#define CHUNK_ROWS 1024
#define MAX_SUMS (1 << 20) /* partial sums, of chunks times points */
#define GROUP_POINTS 1024
#define SLICE 128
#define AHEAD 8 /* rows */

int fastsvm_combination_losses(const fastsvm_kernels *kernels, int loss, double delta, const void *base,
                               const void *scores, ptrdiff_t n_matrices, ptrdiff_t n_rows, ptrdiff_t n_classes,
                               const int64_t *y, const double *sample_weight, const double *coefficients,
                               ptrdiff_t n_points, double *out, int n_threads) {
    const ptrdiff_t item = kernels->tiles->item, matrix = n_rows * n_classes * item;
    const ptrdiff_t most = max(1, MAX_SUMS / n_points),
                    wanted = ceil_div(n_rows, min(most, ceil_div(n_rows, CHUNK_ROWS)));
    const ptrdiff_t chunk_rows = ceil_div(wanted, ROWS) * ROWS, n_chunks = ceil_div(n_rows, chunk_rows);
    const ptrdiff_t n_groups = ceil_div(n_points, GROUP_POINTS);
    const ptrdiff_t first_matrix = base != NULL, all = n_matrices + first_matrix; /* the base is matrix 0 */
    const ptrdiff_t block = (n_classes - 1) * ROWS * item, factors = PAD(all * item);
    n_threads = (int)min(n_threads, n_chunks * n_groups);
    const ptrdiff_t scratch = PAD(all * block) + factors;
    char *memory = malloc((size_t)(n_threads * scratch + n_chunks * n_points * 8 + 64));
    if (!memory) return -1;
    char *start = (char *)(((uintptr_t)memory + 63) / 64 * 64);
    double *parts = (double *)(start + n_threads * scratch);
    memset(parts, 0, (size_t)(n_chunks * n_points) * sizeof *parts);
#pragma omp parallel num_threads(n_threads) if (n_threads > 1)
    {
        char *t = start + fastsvm_thread() * scratch;
        double weight[ROWS];
#pragma omp for schedule(dynamic, 1)
        for (ptrdiff_t task = 0; task < n_chunks * n_groups; task++) {
            const ptrdiff_t chunk = task / n_groups, first = task % n_groups * GROUP_POINTS;
            const ptrdiff_t points = min(GROUP_POINTS, n_points - first), end = min(n_rows, (chunk + 1) * chunk_rows);
            for (ptrdiff_t row = chunk * chunk_rows; row < end; row += ROWS) {
                const ptrdiff_t n = min(ROWS, end - row);
                for (ptrdiff_t i = 0; i < ROWS; i++)
                    weight[i] = i >= n ? 0 : sample_weight ? sample_weight[row + i] : 1;
                for (ptrdiff_t q = 0; q < all; q++) {
                    const char *from = q < first_matrix ? base : (const char *)scores + (q - first_matrix) * matrix;
                    kernels->rows->lay_differences(from + row * n_classes * item, y + row, n, n_classes, t + q * block);
                }
                kernels->rows->combined_losses(loss, delta, t, base != NULL, all, n_classes, weight,
                                               sample_weight != NULL, coefficients + first * n_matrices, points,
                                               t + PAD(all * block), parts + chunk * n_points + first);
            }
        }
#pragma omp for schedule(static)
        for (ptrdiff_t p = 0; p < n_points; p++) {
            double sum = 0;
            for (ptrdiff_t chunk = 0; chunk < n_chunks; chunk++) sum += parts[chunk * n_points + p];
            out[p] = sum / n_rows;
        }
    }
    free(memory);
    return 0;
}

/* Quotients of n features from k0 on, or of the intercept where k0 is the number of features. */
static void run_slice(const fastsvm_job *job, ptrdiff_t k0, ptrdiff_t n, double h, int central, double *sums) {
    const fastsvm_rows *leaf = job->kernels->rows;
    const ptrdiff_t C = job->n_classes, D = job->n_features, bytes = storage_size(job->storage);
    const double *mean = job->mean, *inverse = job->inverse_scale, *scores = job->scores;
    const int intercept = k0 == D;
    double d[SLICE] = {h};
    memset(sums, 0, (size_t)(C * SLICE) * sizeof *sums);
    for (ptrdiff_t i = 0; i < job->n_rows; i++) {
        const char *x = job->X + (i * D + k0) * bytes;
        if (!intercept) {
            if (i + AHEAD < job->n_rows)
                for (ptrdiff_t at = 0; at < n * bytes; at += 64) PREFETCH_NEAR(x + AHEAD * D * bytes + at);
            leaf->scaled_row(job->storage, x, mean ? mean + k0 : NULL, mean ? inverse + k0 : NULL, h, n, d);
        }
        leaf->quotients(job->loss, central, job->delta, scores + i * C, job->y[i],
                        job->sample_weight ? job->sample_weight[i] : 1, C, d, n, sums, SLICE);
    }
    for (ptrdiff_t c = 0; c < C; c++)
        for (ptrdiff_t f = 0; f < n; f++) {
            double *to = intercept ? (double *)job->db + c : (double *)job->dW + c * D + k0 + f;
            *to = sums[c * SLICE + f] / ((double)job->n_rows * h * (central ? 2 : 1));
        }
}

int fastsvm_numerical_gradient(const fastsvm_job *job, double h, int central, int n_threads) {
    const ptrdiff_t D = job->n_features, n_slices = ceil_div(D, SLICE), sums = PAD(job->n_classes * SLICE * 8);
    n_threads = (int)min(n_threads, n_slices + 1);
    char *memory = malloc((size_t)(n_threads * sums + 64));
    if (!memory) return -1;
    char *base = (char *)(((uintptr_t)memory + 63) / 64 * 64);
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads) if (n_threads > 1)
    for (ptrdiff_t s = 0; s < n_slices + (job->db != NULL); s++) {
        const ptrdiff_t k0 = s < n_slices ? s * SLICE : D, n = s < n_slices ? min(SLICE, D - k0) : 1;
        run_slice(job, k0, n, h, central, (double *)(base + fastsvm_thread() * sums));
    }
    free(memory);
    return 0;
}
