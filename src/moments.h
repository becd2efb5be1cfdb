/* Sums over the samples of stored bytes. See moments.c. */
#ifndef FASTSVM_MOMENTS_H
#define FASTSVM_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

/* Adds to `sums` and `squares`, each of a number for each feature, those of the rows' values: `is_signed` int8, else
 * uint8. 0, or -1 where memory was refused. */
int fastsvm_byte_moments(const void *X, int is_signed, ptrdiff_t n_rows, ptrdiff_t n_features, int64_t *sums,
                         int64_t *squares);

#endif
