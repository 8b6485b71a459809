/*
 * Audio in pieces: one buffer of bytes, from which the codec of the format takes what it can use.
 *
 *     write -> [ . . . begin ... end . . . ] -> ID3 tag skipped -> format told -> codec -> frames
 *
 * The buffer is linear and moved to its front when its end is reached, so that a codec sees all
 * bytes held as one stretch.  Nothing is decoded by writing: reading alone does the work and tells
 * of errors, and how the bytes were cut shows nowhere.
 *
 * libsndfile is not used here: it asks for bytes and seeks, and would have to be run in a thread
 * that waits for the network.
 */
#include "steno/audio_stream.h"

#include <string.h>

#include "audio/header.h"
#include "audio/stream_codec.h"
#include "base/error.h"
#include "base/memory.h"

struct steno_audio_stream {
    steno_audio_kind kind;
    steno_raw_format raw;
    unsigned char *buffer; /* [STENO_AUDIO_STREAM_BYTES] */
    size_t begin, end;
    bool finished;
    bool any;            /* at least one byte has come */
    bool tag_looked_for; /* at the start of a file: an ID3 tag */
    bool has_tag;
    uint64_t skip; /* bytes of it still to come */

    const stream_codec *codec; /* NULL until the format is known */
    void *state;
    steno_status over; /* END, or an error that sticks */
    steno_error error;
};

static const stream_codec *codec_of(steno_audio_kind kind)
{
    switch (kind) {
    case STENO_AUDIO_RAW:
        return &stream_raw;
    case STENO_AUDIO_WAV:
        return &stream_wav;
    case STENO_AUDIO_FLAC:
        return &stream_flac;
    case STENO_AUDIO_OGG_OPUS:
        return &stream_opus;
    case STENO_AUDIO_MP3:
        return &stream_mpeg;
    case STENO_AUDIO_AUTO:
    case STENO_AUDIO_RAW_OR_WAV:
        break;
    }
    return NULL;
}

bool steno_audio_kind_is_supported(steno_audio_kind kind)
{
    if (kind == STENO_AUDIO_AUTO || kind == STENO_AUDIO_RAW_OR_WAV)
        return true;
    const stream_codec *codec = codec_of(kind);
    return codec && codec->create;
}

steno_status stream_check_shape(
    const char *format, uint64_t rate_hz, uint64_t channels, steno_error *error)
{
    if (rate_hz < STENO_RATE_MIN_HZ || rate_hz > STENO_RATE_MAX_HZ)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "%s: a rate of %llu Hz (%d to %d can be)",
            format, (unsigned long long)rate_hz, STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ);
    if (channels < 1 || channels > STENO_CHANNELS_MAX)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "%s: %llu channels (1 to %d can be)",
            format, (unsigned long long)channels, STENO_CHANNELS_MAX);
    return STENO_OK;
}

static double seconds(uint64_t frames, uint32_t rate_hz)
{
    return rate_hz ? (double)frames / rate_hz : 0;
}

steno_status stream_truncated(
    const char *format, uint64_t frames, uint32_t rate_hz, steno_error *error)
{
    return error_set(error, STENO_ERROR_FORMAT, "%s: truncated: it ends after %.2f s, too early",
        format, seconds(frames, rate_hz));
}

steno_status stream_damaged(
    const char *format, uint64_t frames, uint32_t rate_hz, steno_error *error)
{
    return error_set(
        error, STENO_ERROR_FORMAT, "%s: damaged after %.2f s", format, seconds(frames, rate_hz));
}

size_t stream_block_give(stream_block *block, size_t channels, float *samples, size_t capacity)
{
    size_t count = block->frames - block->given;
    if (count > capacity)
        count = capacity;
    memcpy(samples, block->samples + block->given * channels, count * channels * sizeof *samples);
    block->given += count;
    return count;
}

/* Creation. */

static steno_status check_kind(
    steno_audio_kind kind, const steno_raw_format *raw, steno_error *error)
{
    if ((int)kind < STENO_AUDIO_AUTO || kind > STENO_AUDIO_MP3)
        return error_set(error, STENO_ERROR_ARGUMENT, "kind of audio: %d is none", (int)kind);
    if (!steno_audio_kind_is_supported(kind))
        return error_set(
            error, STENO_ERROR_UNSUPPORTED, "%s: left out of this build", codec_of(kind)->name);
    if (kind != STENO_AUDIO_RAW && kind != STENO_AUDIO_RAW_OR_WAV)
        return STENO_OK;
    if (!raw || steno_encoding_size(raw->encoding) == 0)
        return error_set(error, STENO_ERROR_ARGUMENT, "headerless audio: %s",
            raw ? "unknown encoding" : "its format is missing");
    return stream_check_shape("headerless audio", raw->rate_hz, raw->channels, error);
}

/* The format is known: from here on the codec reads. */
static steno_status choose(steno_audio_stream *s, steno_audio_kind kind, steno_error *error)
{
    const stream_codec *codec = codec_of(kind);
    if (!codec->create)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "%s: left out of this build", codec->name);
    steno_status status = codec->create(&s->raw, &s->state, error);
    if (status == STENO_OK)
        s->codec = codec;
    return status;
}

steno_status steno_audio_stream_create(steno_audio_kind kind, const steno_raw_format *raw,
    steno_audio_stream **out_stream, steno_error *error)
{
    if (!out_stream)
        return error_set(error, STENO_ERROR_ARGUMENT, "no place for the audio stream given");
    steno_status status = check_kind(kind, raw, error);
    if (status != STENO_OK)
        return status;
    steno_audio_stream *s = memory_allocate(1, sizeof *s);
    if (!s)
        return error_memory(error);
    s->kind = kind;
    if (raw)
        s->raw = *raw;
    s->buffer = memory_allocate(STENO_AUDIO_STREAM_BYTES, 1);
    if (!s->buffer)
        status = error_memory(error);
    else if (codec_of(kind))
        status = choose(s, kind, error);
    if (status != STENO_OK) {
        steno_audio_stream_destroy(s);
        return status;
    }
    s->tag_looked_for = kind == STENO_AUDIO_RAW || kind == STENO_AUDIO_RAW_OR_WAV;
    *out_stream = s;
    return STENO_OK;
}

void steno_audio_stream_destroy(steno_audio_stream *stream)
{
    if (!stream)
        return;
    if (stream->codec)
        stream->codec->destroy(stream->state);
    memory_free(stream->buffer);
    memory_free(stream);
}

/* Writing. */

steno_status steno_audio_stream_write(
    steno_audio_stream *stream, const void *bytes, size_t size, size_t *out_taken)
{
    if (!stream || (!bytes && size > 0) || !out_taken)
        return STENO_ERROR_ARGUMENT;
    if (stream->finished)
        return STENO_ERROR_STATE;
    steno_audio_stream *s = stream;
    *out_taken = size;
    if (s->over != STENO_OK || size == 0)
        return STENO_OK;
    if (size > STENO_AUDIO_STREAM_BYTES - s->end && s->begin > 0) {
        memmove(s->buffer, s->buffer + s->begin, s->end - s->begin);
        s->end -= s->begin;
        s->begin = 0;
    }
    size_t room = STENO_AUDIO_STREAM_BYTES - s->end;
    size_t count = size < room ? size : room;
    memcpy(s->buffer + s->end, bytes, count);
    s->end += count;
    s->any = true;
    *out_taken = count;
    return count == size ? STENO_OK : STENO_FULL;
}

steno_status steno_audio_stream_finish(steno_audio_stream *stream)
{
    if (!stream)
        return STENO_ERROR_ARGUMENT;
    if (stream->finished)
        return STENO_ERROR_STATE;
    stream->finished = true;
    return STENO_OK;
}

/* Reading. */

static size_t held(const steno_audio_stream *s)
{
    return s->end - s->begin;
}

/* Skips an ID3v2 tag: pictures in it may be larger than the buffer.  AGAIN while more of it has to
 * come. */
static steno_status skip_tag(steno_audio_stream *s)
{
    const unsigned char *start = s->buffer + s->begin;
    size_t known = held(s) < 3 ? held(s) : 3;
    if (!s->tag_looked_for && memcmp(start, "ID3", known) == 0) {
        if (held(s) < HEADER_ID3_SIZE)
            return s->finished ? STENO_OK : STENO_AGAIN;
        s->skip = header_id3_size(start);
        s->has_tag = true;
    }
    s->tag_looked_for = true;
    size_t skipped = s->skip < held(s) ? (size_t)s->skip : held(s);
    s->begin += skipped;
    s->skip -= skipped;
    return s->skip > 0 && !s->finished ? STENO_AGAIN : STENO_OK;
}

static bool is_wav(const unsigned char *start)
{
    return (memcmp(start, "RIFF", 4) == 0 || memcmp(start, "RF64", 4) == 0) &&
           memcmp(start + 8, "WAVE", 4) == 0;
}

/* By the first bytes, of which there are HEADER_START_SIZE, if need be filled up with zeros. */
static steno_status tell_format(
    steno_audio_stream *s, const unsigned char *start, steno_error *error)
{
    if (is_wav(start))
        return choose(s, STENO_AUDIO_WAV, error);
    if (s->kind == STENO_AUDIO_RAW_OR_WAV)
        return choose(s, STENO_AUDIO_RAW, error);
    if (memcmp(start, "fLaC", 4) == 0)
        return choose(s, STENO_AUDIO_FLAC, error);
    if (memcmp(start, "OggS", 4) == 0)
        return choose(s, STENO_AUDIO_OGG_OPUS, error);
    const char *format = header_unsupported_start(start);
    if (format)
        return error_set(error, STENO_ERROR_UNSUPPORTED, "%s is not supported", format);
    /* Some writers pad a tag with zeros. */
    if (header_begins_mpeg(start) || (s->has_tag && memcmp(start, "\0\0\0\0", 4) == 0))
        return choose(s, STENO_AUDIO_MP3, error);
    return error_set(
        error, STENO_ERROR_FORMAT, "not audio in a known format (WAV, FLAC, Ogg Opus, MP3)");
}

static steno_status find_codec(steno_audio_stream *s, steno_error *error)
{
    if (s->codec)
        return STENO_OK;
    if (held(s) < HEADER_START_SIZE && !s->finished)
        return STENO_AGAIN;
    unsigned char start[HEADER_START_SIZE] = {0};
    size_t count = held(s) < sizeof start ? held(s) : sizeof start;
    memcpy(start, s->buffer + s->begin, count);
    if (count == 0 && s->kind == STENO_AUDIO_AUTO)
        return error_set(error, STENO_ERROR_FORMAT, "no audio in it");
    return tell_format(s, start, error);
}

static steno_status read_frames(
    steno_audio_stream *s, float *samples, size_t capacity, size_t *out_frames, steno_error *error)
{
    if (!s->any)
        return !s->finished ? STENO_AGAIN
               : s->kind == STENO_AUDIO_RAW || s->kind == STENO_AUDIO_RAW_OR_WAV
                   ? STENO_END
                   : error_set(error, STENO_ERROR_FORMAT, "empty");
    steno_status status = skip_tag(s);
    if (status == STENO_OK)
        status = find_codec(s, error);
    if (status != STENO_OK)
        return status;
    size_t before = held(s);
    stream_bytes bytes = {s->buffer + s->begin, before, s->finished};
    status = s->codec->read(s->state, &bytes, samples, capacity, out_frames, error);
    s->begin = s->end - bytes.size;
    if (status == STENO_AGAIN && bytes.size == before && before == STENO_AUDIO_STREAM_BYTES)
        return error_set(error, STENO_ERROR_FORMAT, "%s: damaged: in %zu bytes there is no sound",
            s->codec->name, before);
    return status;
}

steno_status steno_audio_stream_read(steno_audio_stream *stream, float *samples, size_t capacity,
    size_t *out_frames, steno_error *error)
{
    if (!stream || !samples || capacity == 0 || !out_frames)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "no audio stream or no room for samples given");
    steno_audio_stream *s = stream;
    if (s->over == STENO_OK) {
        size_t count = 0;
        steno_status status = read_frames(s, samples, capacity, &count, &s->error);
        if (status == STENO_OK)
            *out_frames = count;
        if (status == STENO_OK || status == STENO_AGAIN)
            return status;
        s->over = status;
        s->begin = s->end = 0;
    }
    return s->over < 0 ? error_set(error, s->over, "%s", s->error.message) : s->over;
}

steno_status steno_audio_stream_get_info(
    const steno_audio_stream *stream, steno_audio_info *out_info)
{
    if (!stream || !out_info)
        return STENO_ERROR_ARGUMENT;
    if (!stream->codec || !stream->codec->get_info(stream->state, out_info))
        return STENO_AGAIN;
    return STENO_OK;
}
