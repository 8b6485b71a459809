#include "encoder/attention.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

static size_t bias_row(const attention_layer *layer)
{
    return layer->left_context + 2 * layer->max_chunk - 1;
}

void attention_load(attention_layer *layer, loader *l)
{
    size_t d = l->config->dimension;
    layer->d = d;
    layer->heads = l->config->heads;
    layer->left_context = l->config->left_context;
    layer->max_chunk = l->config->max_chunk;
    loader_norm(l, "norm", d, &layer->norm);
    loader_linear(l, "qkv", 3 * d, d, l->max_rows, &layer->qkv);
    loader_linear(l, "out", d, d, l->max_rows, &layer->out);
    loader_floats(l, "relative_bias", 2, (const size_t[]){layer->heads, bias_row(layer)},
        &layer->relative_bias);
}

void attention_finish(attention_layer *layer, const nn_ops *ops)
{
    norm_finish(&layer->norm);
    ops->linear_destroy(layer->qkv);
    ops->linear_destroy(layer->out);
    memory_free(layer->relative_bias);
}

size_t attention_scratch(const attention_layer *layer, const nn_ops *ops, size_t rows)
{
    size_t keys = layer->left_context + layer->max_chunk;
    size_t inner = nn_scratch_round(layer->max_chunk * keys * sizeof(float));
    size_t qkv = ops->linear_scratch(layer->qkv, rows);
    size_t out = ops->linear_scratch(layer->out, rows);
    inner = qkv > inner ? qkv : inner;
    inner = out > inner ? out : inner;
    return nn_scratch_round(rows * layer->d * sizeof(float)) +
           nn_scratch_round(rows * 3 * layer->d * sizeof(float)) + inner;
}

/* Appends the keys and values of `rows` rows of [query | key | value]; returns how many encodings
 * before them can be seen. */
static size_t remember(const attention_layer *layer, size_t capacity, block_cache *cache,
    const float *qkv, size_t rows)
{
    size_t d = layer->d;
    size_t past = cache->filled < layer->left_context ? cache->filled : layer->left_context;
    if (cache->filled + rows > capacity) {
        memmove(cache->keys_values, cache->keys_values + (cache->filled - past) * 2 * d,
            past * 2 * d * sizeof(float));
        cache->filled = past;
    }
    assert(cache->filled + rows <= capacity);
    float *to = cache->keys_values + cache->filled * 2 * d;
    for (size_t r = 0; r < rows; r++)
        memcpy(to + r * 2 * d, qkv + r * 3 * d + d, 2 * d * sizeof(float));
    cache->filled += rows;
    return past;
}

/* One chunk of one stream: qkv [rows, 3 d] -> out [rows, d]. */
static void attend_chunk(const attention_layer *layer, const batch *b, size_t capacity,
    block_cache *cache, const float *qkv, size_t rows, float *out)
{
    size_t d = layer->d, head_size = d / layer->heads;
    size_t past = remember(layer, capacity, cache, qkv, rows);
    size_t keys = past + rows;
    const float *key = cache->keys_values + (cache->filled - keys) * 2 * d;
    /* Query 0 lies `past` encodings after key 0. */
    const float *bias = layer->relative_bias + past + layer->max_chunk - 1;
    for (size_t head = 0; head < layer->heads; head++) {
        size_t column = head * head_size;
        b->ops->attention(b->scratch, qkv + column, 3 * d, rows, key + column, key + d + column,
            2 * d, keys, head_size, bias + head * bias_row(layer), out + column, d);
    }
}

void attention_run(const attention_layer *layer, const batch *b, size_t block)
{
    const nn_ops *ops = b->ops;
    size_t d = layer->d;
    size_t mark = nn_scratch_mark(b->scratch);
    float *narrow = nn_scratch_take(b->scratch, b->rows * d * sizeof *narrow);
    float *wide = nn_scratch_take(b->scratch, b->rows * 3 * d * sizeof *wide);

    ops->layer_norm(b->x, b->rows, d, layer->norm.gain, layer->norm.bias, narrow);
    ops->linear_forward(layer->qkv, b->scratch, narrow, b->rows, NN_IDENTITY, wide);
    size_t row = 0;
    for (size_t i = 0; i < b->count; i++) {
        encoder_state *state = b->items[i].state;
        size_t end = row + state->rows;
        while (row < end) {
            size_t rows = end - row < state->chunk ? end - row : state->chunk;
            attend_chunk(layer, b, state->capacity, &state->blocks[block], wide + row * 3 * d, rows,
                narrow + row * d);
            row += rows;
        }
    }
    ops->linear_forward(layer->out, b->scratch, narrow, b->rows, NN_IDENTITY, wide);
    ops->add_scaled(b->x, wide, 1.0f, b->rows * d);
    nn_scratch_release(b->scratch, mark);
}
