/*
 * Causal convolution over time: x += out(silu(norm2(depthwise(glu(in(norm(x))))))).
 *
 * Before a stream's first encoding the depthwise convolution sees zeros (after the GLU).
 */
#ifndef ENCODER_CONVOLUTION_H
#define ENCODER_CONVOLUTION_H

#include "encoder/loader.h"
#include "encoder/state.h"

typedef struct convolution_layer {
    size_t d, kernel;
    norm norm;
    nn_linear *in;       /* d -> 2 d: value | gate */
    float *taps;         /* [kernel, d] */
    float *taps_bias;    /* [d] */
    norm depthwise_norm; /* after the taps */
    nn_linear *out;      /* d -> d */
} convolution_layer;

/* The loader has entered the layer's folder.  What a failed load leaves, finish frees. */
void convolution_load(convolution_layer *layer, loader *l);
void convolution_finish(convolution_layer *layer, const nn_ops *ops);

size_t convolution_scratch(const convolution_layer *layer, const nn_ops *ops, size_t rows);
/* `block`: index of the caches in the items' states. */
void convolution_run(const convolution_layer *layer, const batch *b, size_t block);

#endif
