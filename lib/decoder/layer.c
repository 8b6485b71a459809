#include "decoder/layer.h"

#include "base/memory.h"

steno_status layer_init(layer *l, const nn_weights *weights, const nn_ops *ops,
    const char *weight_name, const char *bias_name, size_t out_size, size_t in_size,
    nn_precision precision, size_t max_rows, steno_error *error)
{
    const nn_tensor *weight;
    l->ops = ops;
    steno_status status =
        nn_weights_find(weights, weight_name, 2, (size_t[]){out_size, in_size}, &weight, error);
    if (status == STENO_OK && bias_name)
        status = nn_weights_floats(weights, bias_name, 1, (size_t[]){out_size}, &l->bias, error);
    if (status == STENO_OK)
        status = ops->linear_create(weight, l->bias, precision, max_rows, &l->linear, error);
    if (status != STENO_OK)
        layer_finish(l);
    return status;
}

void layer_finish(layer *l)
{
    if (l->ops)
        l->ops->linear_destroy(l->linear);
    memory_free(l->bias);
    *l = (struct layer){0};
}

size_t layer_scratch(const layer *l, size_t rows)
{
    return l->ops->linear_scratch(l->linear, rows);
}

void layer_forward(const layer *l, nn_scratch *scratch, const float *in, size_t rows, float *out)
{
    l->ops->linear_forward(l->linear, scratch, in, rows, NN_IDENTITY, out);
}
