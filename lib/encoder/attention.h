/*
 * Chunked local self-attention: x += out(attend(qkv(norm(x)))).
 *
 * The products run over all rows of the batch; the attention itself goes stream by stream and
 * chunk by chunk.  A query sees its whole chunk and the L encodings before the chunk:
 *     score = q . k / sqrt(d / heads) + relative_bias[head, distance + max_chunk - 1]
 * where distance = index of the query - index of the key.
 */
#ifndef ENCODER_ATTENTION_H
#define ENCODER_ATTENTION_H

#include "encoder/loader.h"
#include "encoder/state.h"

typedef struct attention_layer {
    size_t d, heads, left_context, max_chunk;
    norm norm;
    nn_linear *qkv;       /* d -> 3 d: query | key | value, each with the heads side by side */
    nn_linear *out;       /* d -> d */
    float *relative_bias; /* [heads, left_context + 2 max_chunk - 1] */
} attention_layer;

/* The loader has entered the layer's folder.  What a failed load leaves, finish frees. */
void attention_load(attention_layer *layer, loader *l);
void attention_finish(attention_layer *layer, const nn_ops *ops);

size_t attention_scratch(const attention_layer *layer, const nn_ops *ops, size_t rows);
/* `block`: index of the caches in the items' states. */
void attention_run(const attention_layer *layer, const batch *b, size_t block);

#endif
