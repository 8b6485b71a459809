#include "encoder/feed_forward.h"

void feed_forward_load(feed_forward_layer *layer, loader *l)
{
    layer->d = l->config->dimension;
    layer->inner_size = l->config->feed_forward;
    loader_norm(l, "norm", layer->d, &layer->norm);
    loader_linear(l, "in", layer->inner_size, layer->d, l->max_rows, &layer->in);
    loader_linear(l, "out", layer->d, layer->inner_size, l->max_rows, &layer->out);
}

void feed_forward_finish(feed_forward_layer *layer, const nn_ops *ops)
{
    norm_finish(&layer->norm);
    ops->linear_destroy(layer->in);
    ops->linear_destroy(layer->out);
}

size_t feed_forward_scratch(const feed_forward_layer *layer, const nn_ops *ops, size_t rows)
{
    size_t in = ops->linear_scratch(layer->in, rows);
    size_t out = ops->linear_scratch(layer->out, rows);
    return nn_scratch_round(rows * layer->d * sizeof(float)) +
           nn_scratch_round(rows * layer->inner_size * sizeof(float)) + (in > out ? in : out);
}

void feed_forward_run(const feed_forward_layer *layer, const batch *b)
{
    const nn_ops *ops = b->ops;
    size_t mark = nn_scratch_mark(b->scratch);
    float *narrow = nn_scratch_take(b->scratch, b->rows * layer->d * sizeof *narrow);
    float *inner = nn_scratch_take(b->scratch, b->rows * layer->inner_size * sizeof *inner);

    ops->layer_norm(b->x, b->rows, layer->d, layer->norm.gain, layer->norm.bias, narrow);
    ops->linear_forward(layer->in, b->scratch, narrow, b->rows, NN_SILU, inner);
    ops->linear_forward(layer->out, b->scratch, inner, b->rows, NN_IDENTITY, narrow);
    ops->add_scaled(b->x, narrow, 0.5f, b->rows * layer->d);
    nn_scratch_release(b->scratch, mark);
}
