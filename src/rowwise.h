/* Rows of T and of double. Included once for each T. */
static void NAME(to_double)(const void *row, ptrdiff_t n, double *RESTRICT to) {
    const T *RESTRICT x = row;
    for (ptrdiff_t k = 0; k < n; k++) to[k] = x[k];
}

static void NAME(from_double)(const double *RESTRICT row, ptrdiff_t n, void *to) {
    T *RESTRICT x = to;
    for (ptrdiff_t k = 0; k < n; k++) x[k] = (T)row[k];
}
