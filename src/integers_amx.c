/* Integer products with AMX-INT8: a tile product adds, to 16 x 16 int32 sums, 64 products of bytes each.
 *
 * Scores. A is 16 rows x 64 features, copied together since rows may lie anywhere; B is 64 features x 16 columns.
 *
 *   packed planes: [feature / 64][tile of 16 columns][feature / 4 % 16][column % 16][feature % 4], features padded with
 *   zeros. What stands in columns past the last is never looked at.
 *
 * Gradient. A is up to 16 classes x 64 rows of D, B 64 rows x 16 features with four rows interleaved. G is loaded into
 * tiles and stored from them where it is.
 *
 * The processor's tile registers are reached through the macros below. With FASTSVM_AMX_MODEL they are arrays in memory
 * and the same loops run anywhere, for tests. Where the tiles are real, fastsvm_amx_usable tries them on known sums
 * first.
 */
#define _GNU_SOURCE /* syscall */
#include "interleave.h"

#include <string.h>

#define MAX_ROWS FASTSVM_MAX_TILE_ROWS
#define CLASSES 16

typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes_per_row[16];
    uint8_t rows[16];
} tile_config;

#ifdef FASTSVM_AMX_MODEL
static struct {
    tile_config config;
    uint8_t bytes[8][16][64];
} model;

static void model_load(int t, const void *p, ptrdiff_t stride) {
    memset(model.bytes[t], 0, sizeof model.bytes[t]);
    for (int i = 0; i < model.config.rows[t]; i++)
        memcpy(model.bytes[t][i], (const char *)p + i * stride, model.config.bytes_per_row[t]);
}

static void model_store(int t, void *p, ptrdiff_t stride) {
    for (int i = 0; i < model.config.rows[t]; i++)
        memcpy((char *)p + i * stride, model.bytes[t][i], model.config.bytes_per_row[t]);
}

/* c += a . b, with bytes of a and of b signed or not. */
static void model_product(int c, int a, int b, int a_signed, int b_signed) {
    for (int i = 0; i < model.config.rows[c]; i++) {
        for (int j = 0; j < model.config.bytes_per_row[c] / 4; j++) {
            int32_t sum;
            memcpy(&sum, model.bytes[c][i] + 4 * j, 4);
            for (int k = 0; k < model.config.bytes_per_row[a]; k++) {
                const uint8_t x = model.bytes[a][i][k], y = model.bytes[b][k / 4][4 * j + k % 4];
                sum += (a_signed ? (int8_t)x : x) * (b_signed ? (int8_t)y : y);
            }
            memcpy(model.bytes[c][i] + 4 * j, &sum, 4);
        }
    }
}
#define CONFIGURE(c) (model.config = *(c))
#define RELEASE() ((void)0)
#define ZERO(t) memset(model.bytes[t], 0, sizeof model.bytes[t])
#define LOAD(t, p, stride) model_load(t, p, stride)
#define STORE(t, p, stride) model_store(t, p, stride)
#define UNSIGNED_SIGNED(c, a, b) model_product(c, a, b, 0, 1)
#define SIGNED_UNSIGNED(c, a, b) model_product(c, a, b, 1, 0)
#else
/* GCC 12 does not know that these instructions read and write memory: say so. */
#define TOUCHES(p) __asm__ volatile("" : : "r"(p) : "memory")
#define CONFIGURE(c)         \
    do {                     \
        TOUCHES(c);          \
        _tile_loadconfig(c); \
    } while (0)
#define RELEASE() _tile_release()
#define ZERO(t) _tile_zero(t)
#define LOAD(t, p, stride)         \
    do {                           \
        TOUCHES(p);                \
        _tile_loadd(t, p, stride); \
    } while (0)
#define STORE(t, p, stride)         \
    do {                            \
        _tile_stored(t, p, stride); \
        TOUCHES(p);                 \
    } while (0)
#define UNSIGNED_SIGNED(c, a, b) _tile_dpbusd(c, a, b)
#define SIGNED_UNSIGNED(c, a, b) _tile_dpbsud(c, a, b)
#endif

/* Tiles 0 to 4 of so many rows, 5 to 7 of 16; 64 bytes a row. */
static void configure(ptrdiff_t rows) {
    tile_config config;
    memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int t = 0; t < 8; t++) {
        config.bytes_per_row[t] = 64;
        config.rows[t] = (uint8_t)(t < 5 ? rows : 16);
    }
    CONFIGURE(&config);
}

INLINE ptrdiff_t column_tiles(ptrdiff_t n_columns) { return (n_columns + 15) / 16; }

static ptrdiff_t packed_size(ptrdiff_t n_columns, ptrdiff_t n_features) {
    return column_tiles(n_columns) * 16 * padded(n_features);
}

static ptrdiff_t scratch_size(ptrdiff_t n_rows) {
    (void)n_rows;
    return 4 * 1024; /* two tiles of rows, or four tiles of sums */
}

static void pack(const int8_t *plane, ptrdiff_t n_columns, ptrdiff_t n_features, ptrdiff_t column, ptrdiff_t k0,
                 ptrdiff_t n, void *packed) {
    (void)n_features;
    for (ptrdiff_t k = 0; k < n; k += 64) {
        const ptrdiff_t tile = (k0 + k) / 64 * column_tiles(n_columns) + column / 16;
        int8_t part[64] = {0}, *out = (int8_t *)packed + tile * 1024 + column % 16 * 4;
        memcpy(part, plane + k, (size_t)min(64, n - k));
        for (int g = 0; g < 16; g++) memcpy(out + g * 64, part + 4 * g, 4);
    }
}

/* 16 x 64 bytes of rows, side by side. */
INLINE void copy_rows(const void *const *rows, ptrdiff_t k, __mmask64 mask, __m512i flip, uint8_t *out) {
    for (int i = 0; i < 16; i++)
        _mm512_storeu_si512(out + 64 * i, load_bytes((const uint8_t *)rows[i] + k, mask, 1, flip));
}

static void scores(const void *const *rows, ptrdiff_t n_rows, int flip_top, const void *packed, ptrdiff_t n_columns,
                   ptrdiff_t n_features, ptrdiff_t k_begin, ptrdiff_t length, void *scratch, int32_t *sums,
                   const fastsvm_ahead *ahead) {
    const __m512i flip = _mm512_set1_epi8(flip_top ? -128 : 0);
    const ptrdiff_t n_tiles = column_tiles(n_columns);
    uint8_t *copy = scratch;
    int32_t *out = scratch;
    (void)n_features;
    configure(16);
    for (ptrdiff_t i = 0; i < n_rows; i += 32) {
        const int two_rows = i + 16 < n_rows;
        for (ptrdiff_t tile = 0; tile < n_tiles; tile += 2) {
            const int two_columns = tile + 1 < n_tiles;
            ZERO(0);
            ZERO(1);
            ZERO(2);
            ZERO(3);
            for (ptrdiff_t k = 0; k < length; k += 64) {
                const int8_t *b = (const int8_t *)packed + ((k_begin + k) / 64 * n_tiles + tile) * 1024;
                for (ptrdiff_t j = i; tile == 0 && j < min(i + 32, ahead->n_rows); j++)
                    PREFETCH((const char *)ahead->rows[j] + k_begin + k);
                copy_rows(rows + i, k_begin + k, first(length - k), flip, copy);
                LOAD(4, copy, 64);
                LOAD(5, b, 64);
                UNSIGNED_SIGNED(0, 4, 5);
                if (two_columns) {
                    LOAD(6, b + 1024, 64);
                    UNSIGNED_SIGNED(1, 4, 6);
                }
                if (two_rows) {
                    copy_rows(rows + i + 16, k_begin + k, first(length - k), flip, copy + 1024);
                    LOAD(7, copy + 1024, 64);
                    UNSIGNED_SIGNED(2, 7, 5);
                    if (two_columns) UNSIGNED_SIGNED(3, 7, 6);
                }
            }
            STORE(0, out, 64);
            STORE(1, out + 256, 64);
            STORE(2, out + 512, 64);
            STORE(3, out + 768, 64);
            for (ptrdiff_t c = tile * 16; c < min(tile * 16 + 32, n_columns); c++)
                for (ptrdiff_t j = 0; j < min(32, n_rows - i); j++)
                    sums[c * MAX_ROWS + i + j] = out[(j / 16 * 2 + (c / 16 - tile)) * 256 + j % 16 * 16 + c % 16];
        }
    }
    RELEASE();
}

/* n classes of G, over 64 rows, of which those past n_rows have 0 in D. */
static void gradient_classes(const void *const *rows, ptrdiff_t n_rows, __m512i flip, const int8_t *D,
                             ptrdiff_t d_stride, ptrdiff_t n_classes, ptrdiff_t n_features, int32_t *G,
                             ptrdiff_t stride, int accumulate) {
    uint8_t b[4][1024] __attribute__((aligned(64)));
    int8_t d[CLASSES][64];
    memset(d, 0, sizeof d);
    for (ptrdiff_t c = 0; c < n_classes; c++) memcpy(d[c], D + c * d_stride, (size_t)n_rows);
    memset(b, 0, sizeof b);
    configure(n_classes);
    LOAD(4, d, 64);
    for (ptrdiff_t k = 0; k < n_features; k += 64) {
        int32_t *g = G + k;
        if (accumulate) {
            LOAD(0, g, stride * 4);
            LOAD(1, g + 16, stride * 4);
            LOAD(2, g + 32, stride * 4);
            LOAD(3, g + 48, stride * 4);
        } else {
            ZERO(0);
            ZERO(1);
            ZERO(2);
            ZERO(3);
        }
        for (ptrdiff_t i = 0; i < n_rows; i += 4) {
            __m512i u[4], x[2];
            for (int j = 0; j < 4; j++)
                u[j] = load_bytes((const uint8_t *)rows[i + j] + k, first(n_features - k), 1, flip);
            interleave(u, 0, x);
            _mm512_store_si512(b[0] + i * 16, x[0]);
            _mm512_store_si512(b[1] + i * 16, x[1]);
            interleave(u, 1, x);
            _mm512_store_si512(b[2] + i * 16, x[0]);
            _mm512_store_si512(b[3] + i * 16, x[1]);
        }
        LOAD(5, b[0], 64);
        SIGNED_UNSIGNED(0, 4, 5);
        LOAD(6, b[1], 64);
        SIGNED_UNSIGNED(1, 4, 6);
        LOAD(7, b[2], 64);
        SIGNED_UNSIGNED(2, 4, 7);
        LOAD(5, b[3], 64);
        SIGNED_UNSIGNED(3, 4, 5);
        STORE(0, g, stride * 4);
        STORE(1, g + 16, stride * 4);
        STORE(2, g + 32, stride * 4);
        STORE(3, g + 48, stride * 4);
    }
    RELEASE();
}

static void gradient(const void *const *rows, ptrdiff_t n_rows, int flip_top, const int8_t *D, ptrdiff_t d_stride,
                     ptrdiff_t n_classes, ptrdiff_t n_features, int32_t *G, ptrdiff_t stride, int accumulate,
                     const fastsvm_ahead *ahead) {
    const __m512i flip = _mm512_set1_epi8(flip_top ? -128 : 0);
    (void)ahead;
    for (ptrdiff_t c = 0; c < n_classes; c += CLASSES)
        gradient_classes(rows, n_rows, flip, D + c * d_stride, d_stride, min(CLASSES, n_classes - c), n_features,
                         G + c * stride, stride, accumulate);
}

const fastsvm_integers fastsvm_integers_amx = {16, {packed_size, pack}, NULL, scratch_size, scores, gradient, add};

/* Sums that can be had otherwise, from the kernels: a level whose tiles do not work is not offered. */
static int trial(void) {
    enum { D = 130, N = 32, COLUMNS = 20, STRIDE = 192 };
    static const fastsvm_ahead none = {NULL, 0, 1};
    static uint8_t X[N][D];
    static int8_t planes[COLUMNS][D], d[COLUMNS][MAX_ROWS];
    static uint8_t packed[2 * 16 * STRIDE], scratch[4096];
    static int32_t sums[COLUMNS * MAX_ROWS], G[COLUMNS * STRIDE];
    const void *rows[N];
    double row[D];
    uint32_t state = 1;
#define RANDOM() (state = state * 1664525u + 1013904223u, (uint8_t)(state >> 24))
    for (int i = 0; i < N; i++) {
        rows[i] = X[i];
        for (int k = 0; k < D; k++) X[i][k] = RANDOM();
    }
    for (int c = 0; c < COLUMNS; c++) {
        for (int k = 0; k < D; k++) planes[c][k] = (int8_t)RANDOM();
        for (int i = 0; i < N; i++) d[c][i] = (int8_t)RANDOM();
        pack(planes[c], COLUMNS, D, c, 0, D, packed);
    }
#undef RANDOM
    scores(rows, N, 0, packed, COLUMNS, D, 0, D, scratch, sums, &none);
    gradient(rows, N, 0, d[0], MAX_ROWS, COLUMNS, D, G, STRIDE, 0, &none);
    for (int c = 0; c < COLUMNS; c++) {
        for (int i = 0; i < N; i++) {
            int32_t sum = 0;
            for (int k = 0; k < D; k++) sum += X[i][k] * planes[c][k];
            if (sum != sums[c * MAX_ROWS + i]) return 0;
        }
        memset(row, 0, sizeof row);
        add(G + c * STRIDE, 0, D, row);
        for (int k = 0; k < D; k++) {
            int32_t sum = 0;
            for (int i = 0; i < N; i++) sum += X[i][k] * d[c][i];
            if (sum != row[k]) return 0;
        }
    }
    return 1;
}

#ifdef FASTSVM_AMX_MODEL
int fastsvm_amx_usable(void) { return trial(); }
#elif defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether processor and kernel have the tiles, and let this process use them. */
int fastsvm_amx_usable(void) {
    static int known = -1;
    unsigned a, b, c, d;
    if (known >= 0) return known;
    known = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 24 & 1) || !(d >> 25 & 1)) return 0; /* tiles, bytes */
    if (syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */)) return 0;
    return known = trial();
}
#else
int fastsvm_amx_usable(void) { return 0; }
#endif
