/*
 * The encoder: log-mel frames in, encodings out, chunk by chunk with carried context.
 *
 * Subsampling by s = 2^n in time (n causal 3 x 3 convolutions of stride 2): encoding i sees mel
 * frames s i - 2 (s - 1) .. s i; frames before the first are zeros (the mean, as frames are
 * normalised).  Then blocks of half feed-forward, chunked local self-attention, causal
 * convolution, half feed-forward, LayerNorm.  Encodings form chunks of C from the start of the
 * stream; one attends to its whole chunk and to the `left_context` encodings before the chunk.
 *
 * `encoder` is immutable and shared; `encoder_state` belongs to one stream: fixed size.
 */
#ifndef ENCODER_ENCODER_H
#define ENCODER_ENCODER_H

#include <stddef.h>
#include <stdint.h>

#include "nn/ops.h"
#include "nn/weights.h"

typedef struct encoder_config {
    size_t mel_bins;             /* 80 */
    size_t subsampling;          /* 8 (or 4): mel frames per encoding */
    size_t subsampling_channels; /* channels of its convolutions */
    size_t dimension;            /* d: values per encoding */
    size_t blocks;
    size_t heads;
    size_t feed_forward; /* inner size */
    size_t kernel;       /* taps of the depthwise convolution over time */
    size_t left_context; /* L: encodings visible before the chunk */
    size_t max_chunk;    /* largest C: 16 */
} encoder_config;

typedef struct encoder encoder;
typedef struct encoder_state encoder_state;

/* max_rows: the most encodings of one encoder_forward, over all its items: 1..4096.  The weights
 * are copied; the operators must live as long as the encoder.  STENO_ERROR_FORMAT for a config
 * that can't be (zero, beyond a limit, heads that do not divide the dimension, a subsampling that
 * is no power of two, ...) and for weights that lack a tensor or have it in another shape. */
steno_status encoder_create(const encoder_config *config, const nn_weights *weights,
    const nn_ops *ops, nn_precision precision, size_t max_rows, encoder **out_encoder,
    steno_error *error);
void encoder_destroy(encoder *encoder);
/* Scratch bytes one encoder_forward takes at most. */
size_t encoder_scratch(const encoder *encoder);

/* chunk: C, 1..max_chunk encodings; else STENO_ERROR_ARGUMENT.  The encoder must outlive it. */
steno_status encoder_state_create(
    const encoder *encoder, size_t chunk, encoder_state **out_state, steno_error *error);
void encoder_state_destroy(encoder_state *state);
void encoder_state_reset(encoder_state *state);

/* Mel frames that complete exactly `chunks` (>= 1) chunks more: s (C - 1) + 1 for the very first
 * chunk of a stream, s C for each later one. */
size_t encoder_frames_wanted(const encoder_state *state, size_t chunks);
/* Encodings that feeding `frames` more would give. */
size_t encoder_encodings_after(const encoder_state *state, size_t frames);

/* One stream's part of a batch. */
typedef struct encoder_item {
    encoder_state *state;
    const float *frames; /* [frame_count, mel_bins], normalised */
    size_t frame_count;  /* frames_wanted(state, n) for some n >= 1: n whole chunks; or fewer than
                            that, any number >= 1: the last chunk is then cut short, and the next
                            frames begin a new one */
    float *out;          /* [encodings_after(state, frame_count), dimension] */
} encoder_item;

/* Runs all items as one batch: rows of all items together form each matrix product.  Each item
 * gets what it would get alone (to the last bit where a product's rounding does not depend on the
 * number of its rows).
 * Sum of encodings <= max_rows; a state is in at most one item.  An item whose frames complete no
 * encoding is fine. */
void encoder_forward(
    const encoder *encoder, nn_scratch *scratch, encoder_item *items, size_t count);

#endif
