/*
 * Attention of one head.  Queries are few (1 to 16) and keys at most about a hundred, so both
 * products are done here, two queries at a time: four keys' scores at once, each a sum of LANES
 * partial sums, and then the weighted sum with the outputs in registers.  An odd last query is
 * computed twice: every query runs the same instructions however many there are.
 */
#include <math.h>

#include "nn/vector_math.h"
#include "nn/vector_ops.h"

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));

enum { QUERIES = 2, KEYS = 4 };

/* The four sums of four times LANES values. */
VECTOR_INLINE void sum_lanes(const lanes *partial, four *out)
{
    four s[KEYS];
    for (int j = 0; j < KEYS; j++) {
        eight half = __builtin_shufflevector(partial[j], partial[j], 0, 1, 2, 3, 4, 5, 6, 7) +
                     __builtin_shufflevector(partial[j], partial[j], 8, 9, 10, 11, 12, 13, 14, 15);
        s[j] = __builtin_shufflevector(half, half, 0, 1, 2, 3) +
               __builtin_shufflevector(half, half, 4, 5, 6, 7);
    }
    four low = __builtin_shufflevector(s[0], s[1], 0, 4, 1, 5) +
               __builtin_shufflevector(s[0], s[1], 2, 6, 3, 7);
    four high = __builtin_shufflevector(s[2], s[3], 0, 4, 1, 5) +
                __builtin_shufflevector(s[2], s[3], 2, 6, 3, 7);
    *out = __builtin_shufflevector(low, high, 0, 1, 4, 5) +
           __builtin_shufflevector(low, high, 2, 3, 6, 7);
}

/* Adds `count` (<= LANES) elements' part of QUERIES x KEYS dot products. */
VECTOR_INLINE void dot_block(const float *const *query, const float *const *key, size_t offset,
    size_t count, lanes sum[QUERIES][KEYS])
{
    lanes q[QUERIES], k;
    for (int i = 0; i < QUERIES; i++)
        lanes_load_some(&q[i], query[i] + offset, count);
    for (int j = 0; j < KEYS; j++) {
        lanes_load_some(&k, key[j] + offset, count);
        for (int i = 0; i < QUERIES; i++)
            sum[i][j] += q[i] * k;
    }
}

/* score[i][k] = query[i] . key[k] for all keys. */
VECTOR_INLINE void dot_products(const float *const *query, const float *key, size_t key_stride,
    size_t keys, size_t size, float *const *score)
{
    for (size_t k = 0; k < keys; k += KEYS) {
        const float *row[KEYS];
        size_t count = keys - k < KEYS ? keys - k : KEYS;
        for (size_t j = 0; j < KEYS; j++) /* past the end: the last key again, not stored */
            row[j] = key + (j < count ? k + j : keys - 1) * key_stride;
        lanes sum[QUERIES][KEYS] = {{{0}}};
        size_t i = 0;
        for (; i + LANES <= size; i += LANES)
            dot_block(query, row, i, LANES, sum);
        if (i < size)
            dot_block(query, row, i, size - i, sum);
        for (int q = 0; q < QUERIES; q++) {
            four dots;
            sum_lanes(sum[q], &dots);
            memcpy(score[q] + k, &dots, count * sizeof(float));
        }
    }
}

/* Scores to weights: scaled, biased, softmax. */
VECTOR_INLINE void weigh(float *score, size_t keys, float scale, const float *bias)
{
    for (size_t k = 0; k < keys; k++)
        score[k] = score[k] * scale + bias[-(ptrdiff_t)k];
    vector_softmax(score, 1, keys);
}

/* Up to LANES columns: out[i] = sum over k of weight[i][k] value[k]. */
VECTOR_INLINE void sum_block(const float *const *weight, const float *value, size_t stride,
    size_t keys, size_t count, float *const *out, size_t offset)
{
    lanes sum[QUERIES] = {{0}}, v;
    for (size_t k = 0; k < keys; k++) {
        lanes_load_some(&v, value + k * stride, count);
        for (int i = 0; i < QUERIES; i++)
            sum[i] += weight[i][k] * v;
    }
    for (int i = 0; i < QUERIES; i++)
        lanes_store_some(out[i] + offset, &sum[i], count);
}

/* Four times LANES columns at once, for as many sums in flight as the processor can add. */
VECTOR_INLINE void sum_wide_block(const float *const *weight, const float *value, size_t stride,
    size_t keys, float *const *out, size_t offset)
{
    lanes sum[QUERIES][4] = {{{0}}}, v;
    for (size_t k = 0; k < keys; k++)
        for (int c = 0; c < 4; c++) {
            lanes_load(&v, value + k * stride + c * LANES);
            for (int i = 0; i < QUERIES; i++)
                sum[i][c] += weight[i][k] * v;
        }
    for (int i = 0; i < QUERIES; i++)
        for (int c = 0; c < 4; c++)
            lanes_store(out[i] + offset + c * LANES, &sum[i][c]);
}

VECTOR_CLONES
void vector_attention(nn_scratch *scratch, const float *query, size_t query_stride, size_t rows,
    const float *key, const float *value, size_t key_stride, size_t keys, size_t size,
    const float *bias, float *out, size_t out_stride)
{
    size_t mark = nn_scratch_mark(scratch);
    float *score = nn_scratch_take(scratch, rows * keys * sizeof *score);
    float scale = 1.0f / sqrtf((float)size);
    for (size_t q = 0; q < rows; q += QUERIES) {
        size_t second = q + 1 < rows ? q + 1 : q;
        const float *queries[QUERIES] = {query + q * query_stride, query + second * query_stride};
        float *scores[QUERIES] = {score + q * keys, score + second * keys};
        float *outs[QUERIES] = {out + q * out_stride, out + second * out_stride};
        const float *const weights[QUERIES] = {scores[0], scores[1]};
        dot_products(queries, key, key_stride, keys, size, scores);
        weigh(scores[0], keys, scale, bias + q);
        if (second != q)
            weigh(scores[1], keys, scale, bias + second);
        size_t i = 0;
        for (; i + 4 * LANES <= size; i += 4 * LANES)
            sum_wide_block(weights, value + i, key_stride, keys, outs, i);
        for (; i + LANES <= size; i += LANES)
            sum_block(weights, value + i, key_stride, keys, LANES, outs, i);
        if (i < size)
            sum_block(weights, value + i, key_stride, keys, size - i, outs, i);
    }
    nn_scratch_release(scratch, mark);
}
