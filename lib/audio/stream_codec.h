/*
 * What one format is to an audio stream: a state that takes bytes from the front of those held
 * and gives frames.  stream.c holds the bytes and chooses the codec.
 *
 * A codec never needs more than the whole buffer (STENO_AUDIO_STREAM_BYTES) at once: one that says
 * AGAIN with the buffer full and takes nothing has met something larger than there can be.
 */
#ifndef AUDIO_STREAM_CODEC_H
#define AUDIO_STREAM_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/audio.h"

/* The bytes held; a codec moves `next` on. */
typedef struct stream_bytes {
    const unsigned char *next;
    size_t size;
    bool last; /* nothing comes after these */
} stream_bytes;

static inline void stream_take(stream_bytes *bytes, size_t size)
{
    bytes->next += size;
    bytes->size -= size;
}

/* What was decoded at once, of which frames are given as there is room for them. */
typedef struct stream_block {
    float *samples; /* [frames, channels] */
    size_t frames, given;
} stream_block;

static inline bool stream_block_is_given(const stream_block *block)
{
    return block->given == block->frames;
}

/* Gives the next frames, `capacity` at most; returns how many. */
size_t stream_block_give(stream_block *block, size_t channels, float *samples, size_t capacity);

typedef struct stream_codec {
    const char *name;
    /* NULL: this build lacks the codec, and the rest is NULL too.  raw: for headerless samples. */
    steno_status (*create)(const steno_raw_format *raw, void **out_state, steno_error *error);
    void (*destroy)(void *state);
    /* OK: *out_frames (1..capacity) frames came; AGAIN: more bytes are needed, not if they are the
     * last; END; an error.  Not called again after END or an error. */
    steno_status (*read)(void *state, stream_bytes *bytes, float *samples, size_t capacity,
        size_t *out_frames, steno_error *error);
    /* False while unknown. */
    bool (*get_info)(const void *state, steno_audio_info *out_info);
} stream_codec;

extern const stream_codec stream_raw, stream_wav, stream_flac, stream_opus, stream_mpeg;

/* STENO_ERROR_UNSUPPORTED, naming the format, for a rate or a channel count out of range. */
steno_status stream_check_shape(
    const char *format, uint64_t rate_hz, uint64_t channels, steno_error *error);

/* STENO_ERROR_FORMAT: "FORMAT: truncated: it ends after SECONDS s" and likewise "damaged". */
steno_status stream_truncated(
    const char *format, uint64_t frames, uint32_t rate_hz, steno_error *error);
steno_status stream_damaged(
    const char *format, uint64_t frames, uint32_t rate_hz, steno_error *error);

#endif
