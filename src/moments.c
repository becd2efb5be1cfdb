/* Sums over the samples of stored bytes, and of their squares: exact, and in one read of the samples.
 *
 * Rows are added into 32-bit sums, which stay in the first-level cache where features are few. WINDOW_ROWS squares of
 * bytes are the most that fit into one, and then they go to sums of 64 bits.
 */
#include "moments.h"

#include "macros.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_ROWS 65536 /* 65536 * 255 * 255 < 2^32 */

#define ADD_ROWS(NAME, T, SUM)                                                               \
    static void NAME(const T *RESTRICT x, ptrdiff_t n_rows, ptrdiff_t d, SUM *RESTRICT sums, \
                     uint32_t *RESTRICT squares) {                                           \
        for (ptrdiff_t i = 0; i < n_rows; i++, x += d) {                                     \
            for (ptrdiff_t j = 0; j < d; j++) {                                              \
                const SUM value = x[j];                                                      \
                sums[j] += value;                                                            \
                squares[j] += (uint32_t)(value * value);                                     \
            }                                                                                \
        }                                                                                    \
    }

ADD_ROWS(add_unsigned, uint8_t, uint32_t)
ADD_ROWS(add_signed, int8_t, int32_t)

int fastsvm_byte_moments(const void *X, int is_signed, ptrdiff_t n_rows, ptrdiff_t n_features, int64_t *sums,
                         int64_t *squares) {
    const size_t bytes = (size_t)n_features * sizeof(uint32_t);
    uint32_t *window_squares = malloc(bytes);
    void *window_sums = malloc(bytes);
    int failed = -1;
    if (!window_squares || !window_sums) goto done;
    for (ptrdiff_t first = 0; first < n_rows; first += WINDOW_ROWS) {
        const ptrdiff_t rows = n_rows - first < WINDOW_ROWS ? n_rows - first : WINDOW_ROWS;
        const char *x = (const char *)X + first * n_features;
        memset(window_squares, 0, bytes);
        memset(window_sums, 0, bytes);
        if (is_signed)
            add_signed((const int8_t *)x, rows, n_features, window_sums, window_squares);
        else
            add_unsigned((const uint8_t *)x, rows, n_features, window_sums, window_squares);
        for (ptrdiff_t j = 0; j < n_features; j++) {
            sums[j] += is_signed ? (int64_t)((int32_t *)window_sums)[j] : (int64_t)((uint32_t *)window_sums)[j];
            squares[j] += window_squares[j];
        }
    }
    failed = 0;
done:
    free(window_sums);
    free(window_squares);
    return failed;
}
