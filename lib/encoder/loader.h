/*
 * Takes layers from the weights, one after the other, and remembers the first failure: after it
 * every further call does nothing, so that whoever loads many tensors checks once at the end.
 *
 *     loader_enter(loader, "encoder.blocks.%zu.attention", number);
 *     loader_norm(loader, "norm", d, &layer->norm);
 *     loader_linear(loader, "qkv", 3 * d, d, rows, &layer->qkv);
 *     return loader->status;
 */
#ifndef ENCODER_LOADER_H
#define ENCODER_LOADER_H

#include "encoder/encoder.h"

typedef struct loader {
    const encoder_config *config;
    const nn_weights *weights;
    const nn_ops *ops;
    nn_precision precision;
    size_t max_rows; /* of encodings in one encoder_forward */

    steno_status status;
    steno_error *error; /* may be NULL */
    char prefix[80];
} loader;

/* Gain and bias of a layer norm, [d] each. */
typedef struct norm {
    float *gain;
    float *bias;
} norm;

/* Names given from now on are in this folder of the weights: PREFIX.NAME. */
void loader_enter(loader *l, const char *format, ...) STENO_PRINTF(2, 3);

/* The tensor as floats in a new block (memory_free). */
void loader_floats(
    loader *l, const char *name, size_t rank, const size_t *shape, float **out_floats);
void loader_vector(loader *l, const char *name, size_t size, float **out_floats);

/* NAME.weight and NAME.bias, [d] each. */
void loader_norm(loader *l, const char *name, size_t d, norm *out_norm);
void norm_finish(norm *n);

/* NAME.weight [out_size, in_size] and NAME.bias [out_size] (ops->linear_destroy). */
void loader_linear(loader *l, const char *name, size_t out_size, size_t in_size, size_t max_rows,
    nn_linear **out_linear);

/* The tensor [rows, columns] (any rank whose elements lie so) turned to [columns, rows]: the
 * channel becomes the fastest dimension, as the operators want it. */
void loader_transposed(loader *l, const char *name, size_t rank, const size_t *shape, size_t rows,
    size_t columns, float **out_floats);

#endif
