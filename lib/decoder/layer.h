/* Loading of one linear layer from the model file: weight, optional bias, prepared product. */
#ifndef DECODER_LAYER_H
#define DECODER_LAYER_H

#include <stddef.h>

#include "nn/ops.h"
#include "nn/weights.h"

typedef struct layer {
    const nn_ops *ops;
    nn_linear *linear;
    float *bias; /* [out_size] or NULL; lives as long as the product that was given it */
} layer;

/* weight_name [out_size, in_size]; bias_name [out_size], or NULL for none.  A zeroed layer may be
 * finished at any time; a failed init leaves one. */
steno_status layer_init(layer *layer, const nn_weights *weights, const nn_ops *ops,
    const char *weight_name, const char *bias_name, size_t out_size, size_t in_size,
    nn_precision precision, size_t max_rows, steno_error *error);
void layer_finish(layer *layer);
size_t layer_scratch(const layer *layer, size_t rows);
/* out [rows, out_size] = in [rows, in_size] weight^T + bias */
void layer_forward(
    const layer *layer, nn_scratch *scratch, const float *in, size_t rows, float *out);

#endif
