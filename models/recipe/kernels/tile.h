/* Small matrix products of memory in the first cache, where a call of the BLAS costs too much. */
#ifndef TILE_H
#define TILE_H

#include "kernels.h"

enum { TILE_ROWS = 4, TILE_VECTORS = 4 };

/* out [TILE_ROWS, 16 vectors] = a b (+ out); `vectors` is a constant to the compiler. */
static inline __attribute__((always_inline)) void tile(int vectors, int64_t k, const float *a,
    int64_t a_row, int64_t a_column, const float *b, int64_t b_row, int add, float *out,
    int64_t out_row)
{
    v16 sum[TILE_ROWS][TILE_VECTORS];
#pragma GCC unroll 4
    for (int r = 0; r < TILE_ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[r][v] = add ? load(out + r * out_row + 16 * v) : splat(0);
    for (int64_t i = 0; i < k; i++, b += b_row) {
        v16 right[TILE_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            right[v] = load(b + 16 * v);
#pragma GCC unroll 4
        for (int r = 0; r < TILE_ROWS; r++) {
            float left = a[r * a_row + i * a_column];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[r][v] += left * right[v];
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < TILE_ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            store(out + r * out_row + 16 * v, sum[r][v]);
}

/* out [n, m] = a b (+ out if `add`); n is a multiple of 4, m of 16; a's element (r, i) lies at
 * r * a_row + i * a_column, so that it may be transposed. */
static inline void small_product(int64_t n, int64_t m, int64_t k, const float *a, int64_t a_row,
    int64_t a_column, const float *b, int64_t b_row, int add, float *out, int64_t out_row)
{
    for (int64_t column = 0; column < m; column += 16 * TILE_VECTORS) {
        int64_t vectors = (m - column) / 16;
        for (int64_t row = 0; row < n; row += TILE_ROWS) {
            const float *left = a + row * a_row, *right = b + column;
            float *to = out + row * out_row + column;
            switch (vectors) {
            case 1:
                tile(1, k, left, a_row, a_column, right, b_row, add, to, out_row);
                break;
            case 2:
                tile(2, k, left, a_row, a_column, right, b_row, add, to, out_row);
                break;
            case 3:
                tile(3, k, left, a_row, a_column, right, b_row, add, to, out_row);
                break;
            default:
                tile(4, k, left, a_row, a_column, right, b_row, add, to, out_row);
            }
        }
    }
}

#endif
