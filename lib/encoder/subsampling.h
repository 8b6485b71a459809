/*
 * Subsampling by s = 2^n: n convolutions of three taps and stride 2 over time, then one linear
 * layer over frequency and channels.
 *
 * It is defined as if 2 (s - 1) frames of zeros came before the stream, no convolution padding in
 * time; then every stage has an input of 2 (s / 2^stage - 1) frames made of those zeros alone,
 * all alike, and the first real frame completes the first encoding.  So a stage starts with two
 * such frames carried, which are computed once when the weights are loaded.
 *
 * Frames go through all stages in tiles of few encodings: the early stages' outputs are by far
 * the largest arrays of the network, and so they stay in the processor's cache.
 */
#ifndef ENCODER_SUBSAMPLING_H
#define ENCODER_SUBSAMPLING_H

#include "encoder/loader.h"
#include "encoder/state.h"

enum { SUBSAMPLING_TILE = 8 /* encodings */ };

typedef struct subsampling_stage {
    size_t bins, channels; /* of the input; the output has (bins + 1) / 2 */
    size_t tile_frames;    /* most new input frames in one tile */
    float *weight;         /* [3, 3, out channels] */
    float *bias;           /* [out channels] */
    nn_linear *pointwise;  /* NULL in stage 0 */
    float *start;          /* [bins, channels]: an input frame made of zeros alone */
} subsampling_stage;

typedef struct subsampling {
    size_t factor, stage_count, channels, d;
    size_t flat_size; /* bins left x channels */
    subsampling_stage stages[STATE_MAX_STAGES];
    nn_linear *linear; /* flat_size -> d */
} subsampling;

/* The loader has entered the folder.  What a failed load leaves, finish frees. */
void subsampling_load(subsampling *s, loader *l);
void subsampling_finish(subsampling *s, const nn_ops *ops);

/* Floats of one stage's carried frames in the state. */
size_t subsampling_cache_size(const subsampling *s, size_t stage);
void subsampling_reset(const subsampling *s, encoder_state *state);

/* Encodings that the first `frames` frames of a stream give. */
uint64_t subsampling_encodings(const subsampling *s, uint64_t frames);

size_t subsampling_scratch(const subsampling *s, const nn_ops *ops, size_t rows);
/* Takes all items' frames; writes b->x.  The items' states have frames_fed and rows as they are
 * after these frames. */
void subsampling_run(const subsampling *s, const batch *b);

#endif
