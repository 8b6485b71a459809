/* The attention branch: x + dropout(out(attend(qkv(norm(x))))).
 *
 * Only the visible band is computed, for 16 queries of one head of one recording at a time: their
 * keys lie together, so each block is a few small products in the first cache.  Attention weights
 * are not kept: backward has them again from the scores and each row's log of the sum of exponents
 * (as FlashAttention does, Dao et al. 2022, arXiv 2205.14135).
 *
 * What a query at i sees, as network.Encoder.mask: with chunks of C, the keys from its chunk's
 * first place less L to its chunk's end; with chunk 0, those less than M ahead and less than L + M
 * behind. All have a relative bias of their own, at i - j + M - 1 of L + 2 M - 1. */
#include "tile.h"

enum { QUERIES = 16 };

static int64_t rounded(int64_t x)
{
    return (x + 15) / 16 * 16;
}

/* The first key that a query sees, and the one after the last. */
static void visible(
    const struct shape *shape, int64_t query, int64_t length, int64_t *first, int64_t *end)
{
    int64_t begin = query - shape->left_context - shape->max_chunk + 1;
    int64_t stop = query + shape->max_chunk;
    if (shape->chunk) {
        int64_t start = query - query % shape->chunk;
        begin = start - shape->left_context;
        stop = start + shape->chunk;
    }
    *first = begin > 0 ? begin : 0;
    *end = stop < length ? stop : length;
}

/* Scratch memory of one head of one recording.  T: its rows and 16 more, rounded up to 16, those
 * too many being zero; s: size of a head, rounded up to 16; w: the most keys of a block. */
struct head {
    int64_t length, padded, size, wide, block_keys;
    float *q, *k, *v, *dmix;            /* [T, s]; q scaled */
    float *k_transposed, *v_transposed; /* [s, T] */
    float *dk, *dv;                     /* [T, s] */
    float *dq;                          /* [16, s] */
    float *score, *gradient, *mask;     /* [16, w] */
    float *reversed, *dreversed;        /* [L + 2 M - 1]: the relative bias, backwards */
};

static int64_t block_keys_of(const struct shape *shape)
{
    return rounded(shape->left_context + 2 * shape->max_chunk + QUERIES) + 16;
}

static int64_t head_floats(const struct shape *shape)
{
    int64_t wide = rounded(shape->dimension / shape->heads), padded = rounded(shape->longest + 16);
    int64_t distances = rounded(shape->left_context + 2 * shape->max_chunk);
    return 8 * padded * wide + QUERIES * wide + 3 * QUERIES * block_keys_of(shape) + 2 * distances;
}

static struct head head_of(const struct shape *shape, float *scratch)
{
    struct head head = {.size = shape->dimension / shape->heads};
    int64_t distances = rounded(shape->left_context + 2 * shape->max_chunk);
    head.wide = rounded(head.size);
    head.block_keys = block_keys_of(shape);
    float **parts[] = {&head.q, &head.k, &head.v, &head.dmix, &head.k_transposed,
        &head.v_transposed, &head.dk, &head.dv};
    for (int part = 0; part < 8; part++, scratch += rounded(shape->longest + 16) * head.wide)
        *parts[part] = scratch;
    head.dq = scratch;
    head.score = head.dq + QUERIES * head.wide;
    head.gradient = head.score + QUERIES * head.block_keys;
    head.mask = head.gradient + QUERIES * head.block_keys;
    head.reversed = head.mask + QUERIES * head.block_keys;
    head.dreversed = head.reversed + distances;
    return head;
}

/* Copies one head's columns of rows `stride` apart, scale * (in + bias), bias may be NULL. */
static void gather(const struct head *head, const float *in, int64_t stride, const float *bias,
    float scale, float *out)
{
    for (int64_t row = 0; row < head->length; row++, out += head->wide) {
        for (int64_t i = 0; i < head->size; i++)
            out[i] = scale * (in[row * stride + i] + (bias ? bias[i] : 0.0f));
        for (int64_t i = head->size; i < head->wide; i++)
            out[i] = 0;
    }
    memset(out, 0, (size_t)((head->padded - head->length) * head->wide) * sizeof(float));
}

static void turn(const struct head *head, const float *in, float *out)
{
    for (int64_t row = 0; row < head->padded; row++)
        for (int64_t i = 0; i < head->wide; i++)
            out[i * head->padded + row] = in[row * head->wide + i];
}

static void head_begin(const struct shape *shape, struct head *head, int64_t b, int64_t h,
    float *const *p, const float *qkv)
{
    int64_t d = shape->dimension, place = h * head->size;
    int64_t distances = shape->left_context + 2 * shape->max_chunk - 1;
    const float *rows = qkv + shape->offsets[b] * 3 * d + place;
    const float *bias = p[ATTENTION_QKV_BIAS] + place;
    head->length = shape->offsets[b + 1] - shape->offsets[b];
    head->padded = rounded(head->length + 16);
    gather(head, rows, 3 * d, bias, 1.0f / sqrtf((float)head->size), head->q);
    gather(head, rows + d, 3 * d, bias + d, 1.0f, head->k);
    gather(head, rows + 2 * d, 3 * d, bias + 2 * d, 1.0f, head->v);
    turn(head, head->k, head->k_transposed);
    for (int64_t i = 0; i < distances; i++)
        head->reversed[i] = p[ATTENTION_RELATIVE_BIAS][h * distances + distances - 1 - i];
}

/* A block of queries and the keys that any of them sees: [first, first + count), multiples of 16.
 */
struct block {
    int64_t query, first, count;
};

static struct block block_at(const struct shape *shape, const struct head *head, int64_t query)
{
    int64_t last = query + QUERIES < head->length ? query + QUERIES - 1 : head->length - 1;
    int64_t first, end, unused;
    visible(shape, query, head->length, &first, &unused);
    visible(shape, last, head->length, &unused, &end);
    first -= first % 16;
    return (struct block){query, first, rounded(end - first)};
}

/* score [16, count] = q k, and what dropout does to each weight, into mask. */
static void block_scores(const struct shape *shape, struct head *head, struct block block,
    uint32_t place, struct dropout dropout)
{
    small_product(QUERIES, block.count, head->size, head->q + block.query * head->wide, head->wide,
        1, head->k_transposed + block.first, head->padded, 0, head->score, block.count);
    for (int64_t row = 0; row < QUERIES; row++) {
        uint32_t at = place + (uint32_t)((block.query + row) * shape->longest + block.first);
        float *mask = head->mask + row * block.count;
#pragma omp simd
        for (int64_t i = 0; i < block.count; i++)
            mask[i] = dropout_factor(dropout, at + (uint32_t)i);
    }
}

/* Scores become attention weights; what is not visible, 0.  sums: log of the sum of exponents of
 * each query, written if `fresh`, else read. */
static void block_weights(
    const struct shape *shape, struct head *head, struct block block, int fresh, float *sums)
{
    for (int64_t row = 0; row < QUERIES; row++) {
        float *score = head->score + row * block.count;
        int64_t query = block.query + row, first, end;
        if (query >= head->length) {
            memset(score, 0, (size_t)block.count * sizeof(float));
            continue;
        }
        visible(shape, query, head->length, &first, &end);
        const float *bias =
            head->reversed + first - query + shape->left_context + shape->max_chunk - 1;
        float *seen = score + first - block.first;
        int64_t count = end - first;
        float most = -3e38f, sum = 0;
#pragma omp simd reduction(max : most)
        for (int64_t i = 0; i < count; i++) {
            seen[i] += bias[i];
            most = seen[i] > most ? seen[i] : most;
        }
        if (fresh) {
#pragma omp simd reduction(+ : sum)
            for (int64_t i = 0; i < count; i++)
                sum += exponential(seen[i] - most);
            sums[query] = most + logf(sum);
        }
        float total = sums[query];
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            seen[i] = exponential(seen[i] - total);
        memset(score, 0, (size_t)(first - block.first) * sizeof(float));
        memset(seen + count, 0, (size_t)(block.count - (end - block.first)) * sizeof(float));
    }
}

static uint32_t dropout_place(const struct shape *shape, int64_t b, int64_t h)
{
    return (uint32_t)((b * shape->heads + h) * shape->longest * shape->longest);
}

static void head_forward(const struct shape *shape, struct head *head, int64_t b, int64_t h,
    struct dropout dropout, float *sums, float *mixed)
{
    for (int64_t query = 0; query < head->length; query += QUERIES) {
        struct block block = block_at(shape, head, query);
        block_scores(shape, head, block, dropout_place(shape, b, h), dropout);
        block_weights(shape, head, block, 1, sums);
#pragma omp simd
        for (int64_t i = 0; i < QUERIES * block.count; i++)
            head->score[i] *= head->mask[i];
        small_product(QUERIES, head->wide, block.count, head->score, block.count, 1,
            head->v + block.first * head->wide, head->wide, 0, head->dq, head->wide);
        for (int64_t row = 0; row < QUERIES && query + row < head->length; row++)
            memcpy(mixed + (query + row) * shape->dimension, head->dq + row * head->wide,
                (size_t)head->size * sizeof(float));
    }
}

/* gradient [16, count], of the weights after dropout, becomes that of the scores; score becomes the
 * weights after dropout. */
static void block_backward(const struct shape *shape, struct head *head, struct block block)
{
    for (int64_t row = 0; row < QUERIES && block.query + row < head->length; row++) {
        float *weight = head->score + row * block.count, *mask = head->mask + row * block.count;
        float *gradient = head->gradient + row * block.count, along = 0;
        int64_t first, end;
        visible(shape, block.query + row, head->length, &first, &end);
#pragma omp simd reduction(+ : along)
        for (int64_t i = 0; i < block.count; i++) {
            gradient[i] *= mask[i];
            along += gradient[i] * weight[i];
        }
#pragma omp simd
        for (int64_t i = 0; i < block.count; i++) {
            gradient[i] = weight[i] * (gradient[i] - along);
            weight[i] *= mask[i];
        }
        float *dbias = head->dreversed + first - block.query - row + shape->left_context +
                       shape->max_chunk - 1;
        gradient += first - block.first;
#pragma omp simd
        for (int64_t i = 0; i < end - first; i++)
            dbias[i] += gradient[i];
    }
    int64_t there = head->length - block.query;
    if (there < QUERIES)
        memset(head->gradient + there * block.count, 0,
            (size_t)((QUERIES - there) * block.count) * sizeof(float));
}

/* dqkv: the rows of this recording, at this head's queries. */
static void head_backward(const struct shape *shape, struct head *head, int64_t b, int64_t h,
    struct dropout dropout, float *sums, float *dqkv)
{
    int64_t wide = head->wide, d = shape->dimension, stride = 3 * d;
    float scale = 1.0f / sqrtf((float)head->size);
    turn(head, head->v, head->v_transposed);
    memset(head->dk, 0, (size_t)(head->padded * wide) * sizeof(float));
    memset(head->dv, 0, (size_t)(head->padded * wide) * sizeof(float));
    for (int64_t query = 0; query < head->length; query += QUERIES) {
        struct block block = block_at(shape, head, query);
        const float *q = head->q + query * wide, *dmix = head->dmix + query * wide;
        block_scores(shape, head, block, dropout_place(shape, b, h), dropout);
        block_weights(shape, head, block, 0, sums);
        small_product(QUERIES, block.count, head->size, dmix, wide, 1,
            head->v_transposed + block.first, head->padded, 0, head->gradient, block.count);
        block_backward(shape, head, block);
        small_product(block.count, wide, QUERIES, head->score, 1, block.count, dmix, wide, 1,
            head->dv + block.first * wide, wide);
        small_product(block.count, wide, QUERIES, head->gradient, 1, block.count, q, wide, 1,
            head->dk + block.first * wide, wide);
        small_product(QUERIES, wide, block.count, head->gradient, block.count, 1,
            head->k + block.first * wide, wide, 0, head->dq, wide);
        for (int64_t row = 0; row < QUERIES && query + row < head->length; row++)
            for (int64_t i = 0; i < head->size; i++)
                dqkv[(query + row) * stride + i] = scale * head->dq[row * wide + i];
    }
    for (int64_t row = 0; row < head->length; row++) {
        memcpy(dqkv + row * stride + d, head->dk + row * wide, (size_t)head->size * sizeof(float));
        memcpy(
            dqkv + row * stride + 2 * d, head->dv + row * wide, (size_t)head->size * sizeof(float));
    }
}

int64_t attention_kept(const struct shape *shape)
{
    return shape->rows * (2 + 4 * shape->dimension + shape->heads);
}

int64_t attention_scratch(const struct shape *shape)
{
    return shape->rows * 6 * shape->dimension + head_floats(shape);
}

void attention_forward(const struct shape *shape, float *const *p, const float *x, float *kept,
    float *scratch, float *out)
{
    int64_t n = shape->rows, d = shape->dimension;
    float *mean = kept, *inverse = mean + n, *qkv = inverse + n, *mixed = qkv + 3 * n * d;
    float *sums = mixed + n * d; /* [heads, n] */
    float *normal = scratch, *branch = normal + n * d;
    struct head head = head_of(shape, branch + n * d);
    struct dropout dropout = dropout_of(shape->dropout, shape->seed, SITE_SCORE);
    norm_forward(n, d, x, p[ATTENTION_NORM_WEIGHT], p[ATTENTION_NORM_BIAS], mean, inverse, normal);
    product(n, 3 * d, d, normal, 0, p[ATTENTION_QKV_WEIGHT], 1, 0, qkv);
    for (int64_t b = 0; b < shape->batch; b++)
        for (int64_t h = 0; h < shape->heads; h++) {
            head_begin(shape, &head, b, h, p, qkv);
            head_forward(shape, &head, b, h, dropout, sums + h * n + shape->offsets[b],
                mixed + shape->offsets[b] * d + h * head.size);
        }
    product(n, d, d, mixed, 0, p[ATTENTION_OUT_WEIGHT], 1, 0, branch);
    residual_forward(n, d, x, branch, p[ATTENTION_OUT_BIAS], 1.0f,
        dropout_of(shape->dropout, shape->seed, SITE_ATTENTION), out);
}

void attention_backward(const struct shape *shape, float *const *p, const float *x,
    const float *kept, const float *dout, float *scratch, float *const *dp, float *dx)
{
    int64_t n = shape->rows, d = shape->dimension;
    int64_t distances = shape->left_context + 2 * shape->max_chunk - 1;
    const float *mean = kept, *inverse = mean + n, *qkv = inverse + n, *mixed = qkv + 3 * n * d;
    float *sums = (float *)(mixed + n * d);
    float *normal = scratch, *branch = normal + n * d, *dmixed = branch + n * d;
    float *dqkv = dmixed + n * d;
    struct head head = head_of(shape, dqkv + 3 * n * d);
    struct dropout dropout = dropout_of(shape->dropout, shape->seed, SITE_SCORE);
    residual_backward(n, d, dout, 1.0f, dropout_of(shape->dropout, shape->seed, SITE_ATTENTION),
        branch, dp[ATTENTION_OUT_BIAS]);
    product(n, d, d, branch, 0, p[ATTENTION_OUT_WEIGHT], 0, 0, dmixed);
    product(d, d, n, branch, 1, mixed, 0, 0, dp[ATTENTION_OUT_WEIGHT]);
    for (int64_t h = 0; h < shape->heads; h++) {
        memset(head.dreversed, 0, (size_t)distances * sizeof(float));
        for (int64_t b = 0; b < shape->batch; b++) {
            int64_t first = shape->offsets[b], place = h * head.size;
            head_begin(shape, &head, b, h, p, qkv);
            gather(&head, dmixed + first * d + place, d, NULL, 1.0f, head.dmix);
            head_backward(
                shape, &head, b, h, dropout, sums + h * n + first, dqkv + first * 3 * d + place);
        }
        for (int64_t i = 0; i < distances; i++)
            dp[ATTENTION_RELATIVE_BIAS][h * distances + i] = head.dreversed[distances - 1 - i];
    }
    memset(dp[ATTENTION_QKV_BIAS], 0, (size_t)(3 * d) * sizeof(float));
    for (int64_t row = 0; row < n; row++)
#pragma omp simd
        for (int64_t i = 0; i < 3 * d; i++)
            dp[ATTENTION_QKV_BIAS][i] += dqkv[row * 3 * d + i];
    norm_again(n, d, x, p[ATTENTION_NORM_WEIGHT], p[ATTENTION_NORM_BIAS], mean, inverse, normal);
    product(3 * d, d, n, dqkv, 1, normal, 0, 0, dp[ATTENTION_QKV_WEIGHT]);
    product(n, d, 3 * d, dqkv, 0, p[ATTENTION_QKV_WEIGHT], 0, 0, branch);
    norm_backward(n, d, x, p[ATTENTION_NORM_WEIGHT], mean, inverse, branch, dout,
        dp[ATTENTION_NORM_WEIGHT], dp[ATTENTION_NORM_BIAS], dx);
}
