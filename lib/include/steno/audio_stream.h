/*
 * Audio that arrives in pieces, from the network say: bytes of a file or of headerless samples in,
 * interleaved floats out, whatever the pieces.
 *
 *     steno_audio_stream_create(STENO_AUDIO_AUTO, NULL, &audio, &error);
 *     while (there are bytes) {
 *         steno_audio_stream_write(audio, bytes, size, &taken);            STENO_FULL: read first
 *         while ((status = steno_audio_stream_read(audio, samples, frames, &count, &error)) ==
 *                STENO_OK)
 *             ... use count frames; steno_audio_stream_get_info says what they are ...
 *     }
 *     steno_audio_stream_finish(audio);
 *     ... read on until STENO_END, or an error ...
 *     steno_audio_stream_destroy(audio);
 *
 * One thread at a time; nothing waits.  Memory is bounded: at most STENO_AUDIO_STREAM_BYTES of
 * input are held (some formats' decoders have working memory of their own).
 */
#ifndef STENO_AUDIO_STREAM_H
#define STENO_AUDIO_STREAM_H

#include <stdbool.h>

#include "steno/audio.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum steno_audio_kind {
    STENO_AUDIO_AUTO,       /* one of those with a header, by the first bytes */
    STENO_AUDIO_RAW,        /* headerless samples */
    STENO_AUDIO_RAW_OR_WAV, /* WAV if it begins like one, else headerless samples */
    STENO_AUDIO_WAV,        /* PCM of 8, 16, 24 or 32 bits, float, mu-law, A-law */
    STENO_AUDIO_FLAC,       /* native FLAC, not in Ogg */
    STENO_AUDIO_OGG_OPUS,   /* decoded to 16 kHz whatever its own rate */
    STENO_AUDIO_MP3,        /* and MPEG layers I and II */
} steno_audio_kind;

/* Whether this build decodes that kind (FLAC, Ogg Opus and MP3 need their libraries). */
STENO_API bool steno_audio_kind_is_supported(steno_audio_kind kind);

/* Bytes written and not yet decoded that are held at most. */
#define STENO_AUDIO_STREAM_BYTES ((size_t)1 << 18)

typedef struct steno_audio_stream steno_audio_stream;

/* raw: the format of headerless samples, for RAW and RAW_OR_WAV; ignored for other kinds, where it
 * may be NULL.  Errors: ARGUMENT, UNSUPPORTED (a rate or channel count beyond the limits of
 * steno/audio.h, a kind this build lacks), MEMORY. */
STENO_API steno_status steno_audio_stream_create(steno_audio_kind kind, const steno_raw_format *raw,
    steno_audio_stream **out_stream, steno_error *error);
/* NULL is fine. */
STENO_API void steno_audio_stream_destroy(steno_audio_stream *stream);

/* Offers bytes, which are copied as far as there is room; *out_taken says how many.  STENO_OK if
 * all, STENO_FULL if not: read until STENO_AGAIN, then offer the rest.  What is wrong with the
 * bytes, reading tells; after STENO_END or an error from there they are taken and dropped.
 * STENO_ERROR_STATE after finish. */
STENO_API steno_status steno_audio_stream_write(
    steno_audio_stream *stream, const void *bytes, size_t size, size_t *out_taken);

/* There are no more bytes.  STENO_ERROR_STATE the second time. */
STENO_API steno_status steno_audio_stream_finish(steno_audio_stream *stream);

/* Up to `capacity` (at least 1) frames, interleaved [capacity, channels], in [-1, 1); to be ready
 * for any channel count give room for STENO_CHANNELS_MAX each until get_info tells it.  STENO_OK:
 * *out_frames, at least one, came.  STENO_AGAIN: more bytes are needed.  STENO_END: all that was
 * written is decoded and finish was called, or the file ends (what follows is ignored).  Errors
 * stick: FORMAT (not audio of this kind, damaged, truncated: what came before was given),
 * UNSUPPORTED (another kind of audio, an encoding, rate or channel count that can't be), MEMORY. */
STENO_API steno_status steno_audio_stream_read(steno_audio_stream *stream, float *samples,
    size_t capacity, size_t *out_frames, steno_error *error);

/* What the audio is: STENO_AGAIN until reading has seen its header, at the latest with the first
 * frames; RAW at once.  `frames` is UINT64_MAX unless the header tells it; `format` ("WAV", "FLAC",
 * "Ogg Opus", "MP3", "raw s16", ...) has static storage. */
STENO_API steno_status steno_audio_stream_get_info(
    const steno_audio_stream *stream, steno_audio_info *out_info);

#ifdef __cplusplus
}
#endif

#endif
