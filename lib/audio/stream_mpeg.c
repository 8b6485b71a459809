/*
 * MP3 in pieces, by libmpg123's feed mode.  It copies what it is fed, so it gets a little at a
 * time, and only when it asks; what it may hold without giving sound is limited here.
 *
 * Where the first frame tells the length, the encoder's padding at start and end is cut off and a
 * file that ends early is noticed.  A recorded MP3 stream tells none and ends inside a frame as a
 * rule.
 */
#include <mpg123.h>

#include "audio/encoding.h"
#include "audio/stream_codec.h"
#include "base/error.h"
#include "base/memory.h"

enum {
    PIECE_SIZE = 4096,
    SILENT_SIZE = 1 << 18,   /* most bytes to hold without a frame in them */
    SLACK_FRAMES = 2 * 1152, /* two MPEG frames: how much a length may differ from the sound */
};

typedef struct mpeg {
    mpg123_handle *decoder;
    steno_audio_info info; /* rate 0 until known */
    size_t silent;         /* bytes fed since the last sound */
    uint64_t frames_read;
} mpeg;

static steno_status read_format(mpeg *m, steno_error *error)
{
    long rate_hz;
    int channels, encoding;
    if (mpg123_getformat(m->decoder, &rate_hz, &channels, &encoding) != MPG123_OK ||
        encoding != MPG123_ENC_FLOAT_32 || rate_hz < 0 || channels < 0)
        return stream_damaged("MP3", m->frames_read, m->info.rate_hz, error);
    if (m->info.rate_hz != 0) {
        if ((uint32_t)rate_hz == m->info.rate_hz && (uint32_t)channels == m->info.channels)
            return STENO_OK;
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "MP3: its rate or channel count changes after %.2f s",
            (double)m->frames_read / m->info.rate_hz);
    }
    steno_status status = stream_check_shape("MP3", (uint64_t)rate_hz, (uint64_t)channels, error);
    if (status == STENO_OK) {
        off_t length = mpg123_length(m->decoder);
        m->info = (steno_audio_info){.rate_hz = (uint32_t)rate_hz,
            .channels = (uint32_t)channels,
            .frames = length > 0 ? (uint64_t)length : UINT64_MAX,
            .format = "MP3"};
    }
    return status;
}

static steno_status end_of_bytes(const mpeg *m, steno_error *error)
{
    if (m->info.rate_hz == 0)
        return error_set(error, STENO_ERROR_FORMAT, "MP3: damaged: there is no sound in it");
    if (m->info.frames != UINT64_MAX && m->frames_read + SLACK_FRAMES < m->info.frames)
        return stream_truncated("MP3", m->frames_read, m->info.rate_hz, error);
    return STENO_END;
}

/* The decoder wants more. */
static steno_status feed(mpeg *m, stream_bytes *bytes, steno_error *error)
{
    if (bytes->size == 0)
        return bytes->last ? end_of_bytes(m, error) : STENO_AGAIN;
    size_t size = bytes->size < PIECE_SIZE ? bytes->size : PIECE_SIZE;
    m->silent += size;
    if (m->silent > SILENT_SIZE || mpg123_feed(m->decoder, bytes->next, size) != MPG123_OK)
        return stream_damaged("MP3", m->frames_read, m->info.rate_hz, error);
    stream_take(bytes, size);
    return STENO_OK;
}

static steno_status mpeg_read(void *state, stream_bytes *bytes, float *samples, size_t capacity,
    size_t *out_frames, steno_error *error)
{
    mpeg *m = state;
    for (;;) {
        /* Before the format is known a read of nothing tells it. */
        size_t channels = m->info.channels, size = 0;
        int result = mpg123_read(m->decoder, samples,
            m->info.rate_hz ? capacity * channels * sizeof *samples : 0, &size);
        if (size > 0) {
            size_t count = size / sizeof *samples;
            for (size_t i = 0; i < count; i++)
                samples[i] = encoding_clip(samples[i]);
            m->silent = 0;
            m->frames_read += count / channels;
            *out_frames = count / channels;
            return STENO_OK;
        }
        steno_status status = STENO_OK;
        if (result == MPG123_NEW_FORMAT)
            status = read_format(m, error);
        else if (result == MPG123_NEED_MORE)
            status = feed(m, bytes, error);
        else if (result == MPG123_DONE)
            status = end_of_bytes(m, error);
        else if (result != MPG123_OK)
            status = stream_damaged("MP3", m->frames_read, m->info.rate_hz, error);
        if (status != STENO_OK)
            return status;
    }
}

static bool mpeg_get_info(const void *state, steno_audio_info *out_info)
{
    const mpeg *m = state;
    if (m->info.rate_hz == 0)
        return false;
    *out_info = m->info;
    return true;
}

static void mpeg_destroy(void *state)
{
    mpeg *m = state;
    mpg123_delete(m->decoder);
    memory_free(m);
}

static steno_status mpeg_create(const steno_raw_format *raw, void **out_state, steno_error *error)
{
    mpeg *m = memory_allocate(1, sizeof *m);
    if (!m)
        return error_memory(error);
    m->decoder = mpg123_new(NULL, NULL);
    if (!m->decoder) {
        memory_free(m);
        return error_memory(error);
    }
    mpg123_param(m->decoder, MPG123_ADD_FLAGS,
        MPG123_QUIET | MPG123_FORCE_FLOAT | MPG123_GAPLESS | MPG123_SKIP_ID3V2, 0);
    mpg123_param(m->decoder, MPG123_REMOVE_FLAGS, MPG123_AUTO_RESAMPLE, 0);
    if (mpg123_open_feed(m->decoder) != MPG123_OK) {
        mpeg_destroy(m);
        return error_set(error, STENO_ERROR_INTERNAL, "MP3: libmpg123 can't be fed");
    }
    *out_state = m;
    return STENO_OK;
}

const stream_codec stream_mpeg = {"MP3", mpeg_create, mpeg_destroy, mpeg_read, mpeg_get_info};
