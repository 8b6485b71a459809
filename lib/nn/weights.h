/*
 * Weights: the bytes of a safetensors file, checked whole before any pointer is handed out.
 *
 * Layout: u64 little-endian header length, JSON header {"name": {"dtype", "shape",
 * "data_offsets": [begin, end]}, ..., "__metadata__": {string: string}}, then the data.  A tensor
 * NAME of type I8 has its scales in NAME.scale (F32, one per row).
 */
#ifndef NN_WEIGHTS_H
#define NN_WEIGHTS_H

#include "nn/tensor.h"
#include "steno/status.h"

typedef struct nn_weights nn_weights;

/* bytes: borrowed, must outlive the weights.  STENO_ERROR_FORMAT for anything damaged, hostile or
 * inconsistent (overlapping or out-of-range offsets, shape times type size not the range's length,
 * duplicate names, header beyond the file, ...), with the reason. */
steno_status nn_weights_open(
    const void *bytes, size_t size, nn_weights **out_weights, steno_error *error);
void nn_weights_close(nn_weights *weights);

/* The metadata string of that key, or NULL.  Lives as long as the weights. */
const char *nn_weights_metadata(const nn_weights *weights, const char *key);

/* The tensor of that name if it has exactly that shape; otherwise STENO_ERROR_FORMAT naming it,
 * what was expected and what was found.  The view lives as long as the weights. */
steno_status nn_weights_find(const nn_weights *weights, const char *name, size_t rank,
    const size_t *shape, const nn_tensor **out_tensor, steno_error *error);

/* The same, converted to floats in a new block (memory_free). */
steno_status nn_weights_floats(const nn_weights *weights, const char *name, size_t rank,
    const size_t *shape, float **out_floats, steno_error *error);

/* The tensor of that name, whatever its shape, or NULL. */
const nn_tensor *nn_weights_get(const nn_weights *weights, const char *name);

/* Tensors in the file and all their elements and bytes, for "model info". */
size_t nn_weights_count(const nn_weights *weights);
const nn_tensor *nn_weights_at(const nn_weights *weights, size_t index);

#endif
