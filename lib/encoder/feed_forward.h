/* Half a feed-forward layer: x += 0.5 out(silu(in(norm(x)))). */
#ifndef ENCODER_FEED_FORWARD_H
#define ENCODER_FEED_FORWARD_H

#include "encoder/loader.h"
#include "encoder/state.h"

typedef struct feed_forward_layer {
    size_t d, inner_size;
    norm norm;
    nn_linear *in;  /* d -> inner_size */
    nn_linear *out; /* inner_size -> d */
} feed_forward_layer;

/* The loader has entered the layer's folder.  What a failed load leaves, finish frees. */
void feed_forward_load(feed_forward_layer *layer, loader *l);
void feed_forward_finish(feed_forward_layer *layer, const nn_ops *ops);

size_t feed_forward_scratch(const feed_forward_layer *layer, const nn_ops *ops, size_t rows);
void feed_forward_run(const feed_forward_layer *layer, const batch *b);

#endif
