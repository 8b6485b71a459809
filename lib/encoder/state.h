/*
 * What one stream carries from call to call, and the batch that goes through the layers.
 *
 * Keys and values: rows are appended behind each other; when the buffer is full the newest L rows
 * move to its front.  So the keys of a query are always one contiguous piece, which a ring would
 * not give, and with some room beyond L and one chunk the moves cost next to nothing.
 */
#ifndef ENCODER_STATE_H
#define ENCODER_STATE_H

#include "encoder/encoder.h"

enum {
    STATE_MAX_STAGES = 4, /* subsampling by 16 */
    STATE_SPARE_ROWS = 32 /* room beyond L for keys and values before they must move */
};

/* One subsampling stage: input frames that its coming outputs still need, one or two. */
typedef struct stage_cache {
    float *frames; /* [2, bins, channels] of the stage's input */
    size_t count;
} stage_cache;

/* One block. */
typedef struct block_cache {
    float *keys_values; /* [capacity, 2 d]: a row is key | value; the oldest row first */
    size_t filled;      /* rows of it that hold the encodings just gone by */
    float *gated;       /* [kernel - 1, d]: newest inputs of the depthwise convolution */
} block_cache;

struct encoder_state {
    const encoder *owner;
    size_t chunk;
    size_t capacity; /* rows of keys_values */
    float *carried;  /* what the stages' pointers point into */
    float *history;  /* what the blocks' pointers point into */

    /* Cleared on reset: */
    uint64_t frames_fed;
    stage_cache stages[STATE_MAX_STAGES]; /* counts; frames: as after endless zeros */
    block_cache *blocks;                  /* [config->blocks]: filled; gated */

    /* Only within one encoder_forward: */
    size_t rows; /* encodings that this stream gets */
};

/* All that goes through the layers in one encoder_forward. */
typedef struct batch {
    const nn_ops *ops;
    nn_scratch *scratch;
    const encoder_item *items;
    size_t count; /* of items */
    size_t rows;  /* of all items: the sum of their states' rows */
    float *x;     /* [rows, d] */
} batch;

#endif
