#include "encoder/convolution.h"

#include <string.h>

#include "base/memory.h"

void convolution_load(convolution_layer *layer, loader *l)
{
    size_t d = l->config->dimension, kernel = l->config->kernel;
    layer->d = d;
    layer->kernel = kernel;
    loader_norm(l, "norm", d, &layer->norm);
    loader_linear(l, "in", 2 * d, d, l->max_rows, &layer->in);
    loader_transposed(
        l, "depthwise.weight", 2, (const size_t[]){d, kernel}, d, kernel, &layer->taps);
    loader_vector(l, "depthwise.bias", d, &layer->taps_bias);
    loader_norm(l, "depthwise_norm", d, &layer->depthwise_norm);
    loader_linear(l, "out", d, d, l->max_rows, &layer->out);
}

void convolution_finish(convolution_layer *layer, const nn_ops *ops)
{
    norm_finish(&layer->norm);
    norm_finish(&layer->depthwise_norm);
    ops->linear_destroy(layer->in);
    ops->linear_destroy(layer->out);
    memory_free(layer->taps);
    memory_free(layer->taps_bias);
}

size_t convolution_scratch(const convolution_layer *layer, const nn_ops *ops, size_t rows)
{
    size_t d = layer->d;
    size_t in = ops->linear_scratch(layer->in, rows);
    size_t out = ops->linear_scratch(layer->out, rows);
    return nn_scratch_round(rows * d * sizeof(float)) +
           nn_scratch_round(rows * 2 * d * sizeof(float)) +
           nn_scratch_round((layer->kernel - 1 + rows) * d * sizeof(float)) + (in > out ? in : out);
}

/* One stream's rows: wide [rows, 2 d] -> out [rows, d].  line: room for [kernel - 1 + rows, d],
 * the carried inputs followed by the new ones. */
static void convolve(const convolution_layer *layer, const nn_ops *ops, block_cache *cache,
    const float *wide, size_t rows, float *line, float *out)
{
    size_t d = layer->d, carried = (layer->kernel - 1) * d;
    memcpy(line, cache->gated, carried * sizeof *line);
    ops->glu(wide, rows, d, line + carried);
    ops->depthwise(line, rows, d, layer->kernel, layer->taps, layer->taps_bias, out);
    memcpy(cache->gated, line + rows * d, carried * sizeof *line);
}

void convolution_run(const convolution_layer *layer, const batch *b, size_t block)
{
    const nn_ops *ops = b->ops;
    size_t d = layer->d;
    size_t mark = nn_scratch_mark(b->scratch);
    float *narrow = nn_scratch_take(b->scratch, b->rows * d * sizeof *narrow);
    float *wide = nn_scratch_take(b->scratch, b->rows * 2 * d * sizeof *wide);
    float *line = nn_scratch_take(b->scratch, (layer->kernel - 1 + b->rows) * d * sizeof *line);

    ops->layer_norm(b->x, b->rows, d, layer->norm.gain, layer->norm.bias, narrow);
    ops->linear_forward(layer->in, b->scratch, narrow, b->rows, NN_IDENTITY, wide);
    size_t row = 0;
    for (size_t i = 0; i < b->count; i++) {
        encoder_state *state = b->items[i].state;
        if (state->rows > 0)
            convolve(layer, ops, &state->blocks[block], wide + row * 2 * d, state->rows, line,
                narrow + row * d);
        row += state->rows;
    }
    const norm *after = &layer->depthwise_norm;
    ops->layer_norm(narrow, b->rows, d, after->gain, after->bias, narrow);
    ops->silu(narrow, b->rows * d);
    ops->linear_forward(layer->out, b->scratch, narrow, b->rows, NN_IDENTITY, wide);
    ops->add_scaled(b->x, wide, 1.0f, b->rows * d);
    nn_scratch_release(b->scratch, mark);
}
