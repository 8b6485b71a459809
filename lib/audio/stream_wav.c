/*
 * Headerless samples and WAV.  A WAV file is walked chunk by chunk (a name, a size, as many bytes,
 * padded to even) as bytes come; chunks that don't matter are skipped by counting, so that their
 * size is no matter.  Samples end where the header says, or with the bytes where it says nothing:
 * 0 or a size that stands for "unknown", as writers to pipes put.
 *
 *     RIFF size WAVE   [ds64 ...]   fmt  ...   [LIST ...]   data size samples...
 */
#include <string.h>

#include "audio/encoding.h"
#include "audio/header.h"
#include "audio/stream_codec.h"
#include "base/error.h"
#include "base/memory.h"

enum {
    FORM_SIZE = 12,
    CHUNK_SIZE = 8,
    FORMAT_SIZE = 16,
    EXTENSIBLE_SIZE = 26, /* up to the code that begins the sub-format's GUID */
    LONG_SIZES_SIZE = 16, /* of a ds64 chunk: those of the file and of the samples */
    CODE_PCM = 1,
    CODE_FLOAT = 3,
    CODE_ALAW = 6,
    CODE_MULAW = 7,
    CODE_EXTENSIBLE = 0xfffe,
};

/* How one sample becomes a float. */
typedef enum sample {
    SAMPLE_ENCODING, /* by steno_encoding_to_float */
    SAMPLE_U8,
    SAMPLE_S24,
    SAMPLE_S32,
    SAMPLE_F64,
} sample;

typedef struct wav {
    enum { AT_FORM, AT_CHUNK, SKIPPING, AT_SAMPLES } place;
    uint64_t skip;       /* bytes */
    uint64_t long_size;  /* of the samples by a ds64 chunk, or UINT64_MAX */
    uint64_t bytes_left; /* of samples; UINT64_MAX: unknown */
    uint64_t frames_read;
    sample sample;
    steno_encoding encoding;
    size_t sample_size;
    bool has_format;
    steno_audio_info info;
} wav;

static uint32_t little(const unsigned char *bytes, size_t size)
{
    uint32_t value = 0;
    for (size_t i = size; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

/* Samples to floats; the scales are powers of two, so nothing is rounded up to 24 bits. */
static void convert(const wav *w, const unsigned char *bytes, size_t count, float *out)
{
    switch (w->sample) {
    case SAMPLE_ENCODING:
        steno_encoding_to_float(w->encoding, bytes, count, out);
        return;
    case SAMPLE_U8:
        for (size_t i = 0; i < count; i++)
            out[i] = (float)(bytes[i] - 128) / 128.0f;
        return;
    case SAMPLE_S24:
        for (size_t i = 0; i < count; i++)
            out[i] = (float)((int32_t)(little(bytes + 3 * i, 3) << 8) / 256) / 8388608.0f;
        return;
    case SAMPLE_S32:
        for (size_t i = 0; i < count; i++)
            out[i] = encoding_clip((float)(int32_t)little(bytes + 4 * i, 4) / 2147483648.0f);
        return;
    case SAMPLE_F64:
        for (size_t i = 0; i < count; i++) {
            uint64_t bits = little(bytes + 8 * i, 4) | (uint64_t)little(bytes + 8 * i + 4, 4) << 32;
            double value;
            memcpy(&value, &bits, sizeof value);
            out[i] = encoding_clip((float)value);
        }
        return;
    }
}

static steno_status choose_sample(wav *w, uint32_t code, uint32_t bits, steno_error *error)
{
    w->sample = SAMPLE_ENCODING;
    w->sample_size = bits / 8;
    if (code == CODE_PCM && bits == 8)
        w->sample = SAMPLE_U8;
    else if (code == CODE_PCM && bits == 16)
        w->encoding = STENO_ENCODING_S16;
    else if (code == CODE_PCM && bits == 24)
        w->sample = SAMPLE_S24;
    else if (code == CODE_PCM && bits == 32)
        w->sample = SAMPLE_S32;
    else if (code == CODE_FLOAT && bits == 32)
        w->encoding = STENO_ENCODING_F32;
    else if (code == CODE_FLOAT && bits == 64)
        w->sample = SAMPLE_F64;
    else if (code == CODE_MULAW && bits == 8)
        w->encoding = STENO_ENCODING_MULAW;
    else if (code == CODE_ALAW && bits == 8)
        w->encoding = STENO_ENCODING_ALAW;
    else
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "WAV: its samples are encoded in a way that is not supported (code %u, %u bits)", code,
            bits);
    return STENO_OK;
}

/* bytes: the chunk "fmt ", of which `size` bytes, at least FORMAT_SIZE, are here. */
static steno_status read_format(wav *w, const unsigned char *bytes, size_t size, steno_error *error)
{
    uint32_t code = little(bytes, 2), channels = little(bytes + 2, 2);
    uint32_t rate_hz = little(bytes + 4, 4), block = little(bytes + 12, 2);
    if (code == CODE_EXTENSIBLE) {
        if (size < EXTENSIBLE_SIZE)
            return error_set(error, STENO_ERROR_FORMAT, "WAV: damaged: its format is cut short");
        code = little(bytes + 24, 2);
    }
    steno_status status = stream_check_shape("WAV", rate_hz, channels, error);
    if (status == STENO_OK)
        status = choose_sample(w, code, little(bytes + 14, 2), error);
    if (status != STENO_OK)
        return status;
    if (block != channels * w->sample_size)
        return error_set(error, STENO_ERROR_FORMAT,
            "WAV: damaged: %u bytes in a frame of %u channels of %zu", block, channels,
            w->sample_size);
    bool small = w->sample == SAMPLE_ENCODING && w->encoding != STENO_ENCODING_F32;
    w->info = (steno_audio_info){.rate_hz = rate_hz,
        .channels = channels,
        .frames = UINT64_MAX,
        .format = "WAV",
        .fits_16_bits = small || w->sample == SAMPLE_U8};
    w->has_format = true;
    return STENO_OK;
}

static steno_status begin_samples(wav *w, uint32_t size, steno_error *error)
{
    if (!w->has_format)
        return error_set(error, STENO_ERROR_FORMAT, "WAV: damaged: samples before their format");
    bool unknown = size == 0 || size >= HEADER_SIZE_UNKNOWN;
    uint64_t frame_size = w->info.channels * w->sample_size;
    w->bytes_left = unknown ? w->long_size : size;
    if (w->bytes_left != UINT64_MAX) {
        w->info.frames = w->bytes_left / frame_size;
        w->bytes_left = w->info.frames * frame_size;
    }
    w->place = AT_SAMPLES;
    return STENO_OK;
}

/* One chunk's header and, of those that matter, its contents. */
static steno_status read_chunk(wav *w, stream_bytes *bytes, steno_error *error)
{
    if (bytes->size < CHUNK_SIZE)
        return STENO_AGAIN;
    const unsigned char *name = bytes->next;
    uint32_t size = little(name + 4, 4);
    size_t wanted = 0;
    if (memcmp(name, "fmt ", 4) == 0)
        wanted = size < EXTENSIBLE_SIZE ? size : EXTENSIBLE_SIZE;
    else if (memcmp(name, "ds64", 4) == 0)
        wanted = size < LONG_SIZES_SIZE ? size : LONG_SIZES_SIZE;
    if (bytes->size < CHUNK_SIZE + wanted)
        return STENO_AGAIN;
    stream_take(bytes, CHUNK_SIZE);
    const unsigned char *contents = bytes->next;

    if (memcmp(name, "data", 4) == 0)
        return begin_samples(w, size, error);
    w->skip = (uint64_t)size + (size & 1);
    w->place = SKIPPING;
    if (memcmp(name, "ds64", 4) == 0 && wanted == LONG_SIZES_SIZE)
        w->long_size = little(contents + 8, 4) | (uint64_t)little(contents + 12, 4) << 32;
    if (w->long_size == 0)
        w->long_size = UINT64_MAX;
    if (memcmp(name, "fmt ", 4) != 0)
        return STENO_OK;
    if (wanted < FORMAT_SIZE)
        return error_set(error, STENO_ERROR_FORMAT, "WAV: damaged: its format is cut short");
    return read_format(w, contents, wanted, error);
}

/* On to the first sample: OK there. */
static steno_status read_header(wav *w, stream_bytes *bytes, steno_error *error)
{
    while (w->place != AT_SAMPLES) {
        if (w->place == AT_FORM) {
            if (bytes->size < FORM_SIZE)
                return STENO_AGAIN;
            bool rf64 = memcmp(bytes->next, "RF64", 4) == 0;
            if ((!rf64 && memcmp(bytes->next, "RIFF", 4) != 0) ||
                memcmp(bytes->next + 8, "WAVE", 4) != 0)
                return error_set(error, STENO_ERROR_FORMAT, "WAV: it does not begin like one");
            stream_take(bytes, FORM_SIZE);
            w->place = AT_CHUNK;
        } else if (w->place == SKIPPING) {
            size_t skipped = w->skip < bytes->size ? (size_t)w->skip : bytes->size;
            stream_take(bytes, skipped);
            w->skip -= skipped;
            if (w->skip > 0)
                return STENO_AGAIN;
            w->place = AT_CHUNK;
        } else {
            steno_status status = read_chunk(w, bytes, error);
            if (status != STENO_OK)
                return status;
        }
    }
    return STENO_OK;
}

static steno_status end_of_bytes(const wav *w, const stream_bytes *bytes, steno_error *error)
{
    if (w->place != AT_SAMPLES || (w->bytes_left != UINT64_MAX && w->bytes_left > 0))
        return stream_truncated(w->info.format, w->frames_read, w->info.rate_hz, error);
    if (w->bytes_left == UINT64_MAX && bytes->size > 0)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: truncated: it ends after %.2f s inside a sample", w->info.format,
            (double)w->frames_read / w->info.rate_hz);
    return STENO_END;
}

static steno_status wav_read(void *state, stream_bytes *bytes, float *samples, size_t capacity,
    size_t *out_frames, steno_error *error)
{
    wav *w = state;
    steno_status status = read_header(w, bytes, error);
    if (status == STENO_AGAIN && bytes->last)
        return end_of_bytes(w, bytes, error);
    if (status != STENO_OK)
        return status;
    if (w->bytes_left == 0)
        return STENO_END;

    size_t frame_size = w->info.channels * w->sample_size;
    size_t available = w->bytes_left < bytes->size ? (size_t)w->bytes_left : bytes->size;
    size_t count = available / frame_size;
    if (count > capacity)
        count = capacity;
    if (count == 0)
        return bytes->last ? end_of_bytes(w, bytes, error) : STENO_AGAIN;
    convert(w, bytes->next, count * w->info.channels, samples);
    stream_take(bytes, count * frame_size);
    if (w->bytes_left != UINT64_MAX)
        w->bytes_left -= count * frame_size;
    w->frames_read += count;
    *out_frames = count;
    return STENO_OK;
}

static bool wav_get_info(const void *state, steno_audio_info *out_info)
{
    const wav *w = state;
    if (w->place != AT_SAMPLES)
        return false;
    *out_info = w->info;
    return true;
}

static steno_status wav_create(const steno_raw_format *raw, void **out_state, steno_error *error)
{
    wav *w = memory_allocate(1, sizeof *w);
    if (!w)
        return error_memory(error);
    w->long_size = UINT64_MAX;
    w->info.format = "WAV";
    *out_state = w;
    return STENO_OK;
}

static steno_status raw_create(const steno_raw_format *raw, void **out_state, steno_error *error)
{
    static const char *const names[] = {"raw s16", "raw f32", "raw mu-law", "raw A-law"};
    wav *w = memory_allocate(1, sizeof *w);
    if (!w)
        return error_memory(error);
    w->place = AT_SAMPLES;
    w->bytes_left = UINT64_MAX;
    w->encoding = raw->encoding;
    w->sample_size = steno_encoding_size(raw->encoding);
    w->info = (steno_audio_info){.rate_hz = raw->rate_hz,
        .channels = raw->channels,
        .frames = UINT64_MAX,
        .format = names[raw->encoding],
        .fits_16_bits = raw->encoding != STENO_ENCODING_F32};
    *out_state = w;
    return STENO_OK;
}

const stream_codec stream_wav = {"WAV", wav_create, memory_free, wav_read, wav_get_info};
const stream_codec stream_raw = {
    "headerless audio", raw_create, memory_free, wav_read, wav_get_info};
