/*
 * Audio files and raw samples: anything libsndfile reads (WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF,
 * ...) or headerless PCM, from a path, a block of memory or callbacks, as interleaved floats at
 * the file's own rate and channel count.  Streams resample and mix by themselves.
 */
#ifndef STENO_AUDIO_H
#define STENO_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How headerless samples are encoded; all little endian. */
typedef enum steno_encoding {
    STENO_ENCODING_S16,
    STENO_ENCODING_F32,
    STENO_ENCODING_MULAW, /* ITU-T G.711 */
    STENO_ENCODING_ALAW,
} steno_encoding;

/* "s16", "f32", "mulaw", "alaw". */
STENO_API steno_status steno_encoding_parse(const char *name, steno_encoding *out_encoding);
/* Bytes per sample. */
STENO_API size_t steno_encoding_size(steno_encoding encoding);
/* Converts `count` samples (any alignment) to floats in [-1, 1). Not-a-number and infinite floats
 * become 0; floats beyond the range are clipped to it. */
STENO_API void steno_encoding_to_float(
    steno_encoding encoding, const void *samples, size_t count, float *out);

enum {
    STENO_RATE_MIN_HZ = 8000,
    STENO_RATE_MAX_HZ = 192000,
    STENO_CHANNELS_MAX = 8,
};

typedef struct steno_audio_info {
    uint32_t rate_hz;
    uint32_t channels;
    uint64_t frames;    /* samples per channel; UINT64_MAX when unknown (a pipe) */
    const char *format; /* "WAV", "FLAC", "Ogg Opus", ...; lives as long as the file */
    bool fits_16_bits;  /* every sample is exactly one of 16 bits; false where that isn't known */
} steno_audio_info;

/* The format of headerless input. */
typedef struct steno_raw_format {
    steno_encoding encoding;
    uint32_t rate_hz;
    uint32_t channels;
} steno_raw_format;

/* Reads up to `size` bytes: returns how many (0: end), or -1 on an error (errno says which). */
typedef struct steno_source {
    int64_t (*read)(void *context, void *bytes, size_t size);
    int64_t (*seek)(void *context, int64_t offset, int whence); /* NULL: can't seek (a pipe) */
    void *context;
} steno_source;

typedef struct steno_audio_file steno_audio_file;

/* raw: NULL to recognise the format by the file's own header, whatever its extension; otherwise
 * the file is headerless.  `name` appears in messages.  Errors: NOT_FOUND, PERMISSION, IO (a
 * directory, a device), FORMAT (empty, not audio, damaged header), UNSUPPORTED (a rate outside
 * 8..192 kHz, more than 8 channels).  A source that can't seek is read into memory whole where
 * its format needs seeking, up to STENO_PIPE_MAX_BYTES (STENO_ERROR_LIMIT beyond).  Bytes in memory
 * and the source's context are borrowed until steno_audio_close. */
STENO_API steno_status steno_audio_open(
    const char *path, const steno_raw_format *raw, steno_audio_file **out_file, steno_error *error);
STENO_API steno_status steno_audio_open_memory(const char *name, const void *bytes, size_t size,
    const steno_raw_format *raw, steno_audio_file **out_file, steno_error *error);
STENO_API steno_status steno_audio_open_source(const char *name, const steno_source *source,
    const steno_raw_format *raw, steno_audio_file **out_file, steno_error *error);
STENO_API void steno_audio_close(steno_audio_file *file);

#define STENO_PIPE_MAX_BYTES ((size_t)1 << 30)

STENO_API const steno_audio_info *steno_audio_get_info(const steno_audio_file *file);

/* Up to `frames` frames, interleaved [frames, channels]; *out_frames says how many came (at least
 * one; headerless input gives what one read of its source gives, so that a live pipe isn't held
 * up). STENO_END with 0 frames at the end; an error where the file is damaged (what came before was
 * given).  A file shorter than its header says ends with STENO_ERROR_FORMAT "truncated" after its
 * last sample. */
STENO_API steno_status steno_audio_read(
    steno_audio_file *file, float *samples, size_t frames, size_t *out_frames, steno_error *error);

#ifdef __cplusplus
}
#endif

#endif
