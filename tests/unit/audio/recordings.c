#include "recordings.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void recording_signal(float *samples, size_t count, double rate_hz)
{
    double phase = 0.0;
    for (size_t i = 0; i < count; i++) {
        double t = (double)i / rate_hz;
        phase += 2 * M_PI * (300.0 + 200.0 * sin(2 * M_PI * 0.7 * t)) / rate_hz;
        double loudness = fmax(0.0, sin(2 * M_PI * 0.5 * t));
        samples[i] = (float)(loudness * (0.3 * sin(phase) + 0.2 * sin(3 * phase)));
    }
}

static void put(unsigned char *bytes, size_t size, uint32_t value)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
}

struct recording recording_wav(
    const float *samples, uint32_t frames, uint32_t channels, uint32_t rate_hz, uint32_t data_size)
{
    uint32_t count = frames * channels;
    struct recording wav = {.size = 44 + 2 * (size_t)count};
    wav.bytes = malloc(wav.size);
    memcpy(wav.bytes, "RIFF....WAVEfmt ", 16);
    put(wav.bytes + 4, 4, data_size > UINT32_MAX - 36 ? UINT32_MAX : data_size + 36);
    put(wav.bytes + 16, 4, 16);
    put(wav.bytes + 20, 2, 1);
    put(wav.bytes + 22, 2, channels);
    put(wav.bytes + 24, 4, rate_hz);
    put(wav.bytes + 28, 4, rate_hz * channels * 2);
    put(wav.bytes + 32, 2, channels * 2);
    put(wav.bytes + 34, 2, 16);
    memcpy(wav.bytes + 36, "data", 4);
    put(wav.bytes + 40, 4, data_size);
    for (uint32_t i = 0; i < count; i++)
        put(wav.bytes + 44 + 2 * i, 2, (uint32_t)lrintf(samples[i] * 32768.0f));
    return wav;
}

/* Where libsndfile writes to. */
struct sink {
    struct recording recording;
    size_t position;
};

static sf_count_t sink_size(void *context)
{
    return (sf_count_t)((struct sink *)context)->recording.size;
}

static sf_count_t sink_seek(sf_count_t offset, int whence, void *context)
{
    struct sink *sink = context;
    sf_count_t base = whence == SEEK_CUR   ? (sf_count_t)sink->position
                      : whence == SEEK_END ? (sf_count_t)sink->recording.size
                                           : 0;
    sink->position = (size_t)(base + offset);
    return base + offset;
}

static sf_count_t sink_read(void *bytes, sf_count_t size, void *context)
{
    struct sink *sink = context;
    size_t left = sink->recording.size - sink->position;
    size_t count = (size_t)size < left ? (size_t)size : left;
    memcpy(bytes, sink->recording.bytes + sink->position, count);
    sink->position += count;
    return (sf_count_t)count;
}

static sf_count_t sink_write(const void *bytes, sf_count_t size, void *context)
{
    struct sink *sink = context;
    size_t end = sink->position + (size_t)size;
    if (end > sink->recording.size) {
        sink->recording.bytes = realloc(sink->recording.bytes, end);
        sink->recording.size = end;
    }
    memcpy(sink->recording.bytes + sink->position, bytes, (size_t)size);
    sink->position = end;
    return size;
}

static sf_count_t sink_tell(void *context)
{
    return (sf_count_t)((struct sink *)context)->position;
}

struct recording recording_encode(
    const float *samples, size_t frames, int channels, int rate_hz, int format, double quality)
{
    struct sink sink = {{NULL, 0}, 0};
    SF_VIRTUAL_IO callbacks = {sink_size, sink_seek, sink_read, sink_write, sink_tell};
    SF_INFO info = {.samplerate = rate_hz, .channels = channels, .format = format};
    SNDFILE *sound = sf_open_virtual(&callbacks, SFM_WRITE, &info, &sink);
    ck_assert_msg(sound != NULL, "format %x: %s", (unsigned)format, sf_strerror(NULL));
    int mode = SF_BITRATE_MODE_VARIABLE;
    sf_command(sound, SFC_SET_BITRATE_MODE, &mode, sizeof mode);
    sf_command(sound, SFC_SET_COMPRESSION_LEVEL, &quality, sizeof quality);
    ck_assert_int_eq(sf_writef_float(sound, samples, (sf_count_t)frames), (sf_count_t)frames);
    sf_close(sound);
    return sink.recording;
}

struct recording recording_load(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, TEST_DATA "/%s", name);
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "%s", path);
    fseek(stream, 0, SEEK_END);
    struct recording recording = {.size = (size_t)ftell(stream)};
    rewind(stream);
    recording.bytes = malloc(recording.size);
    ck_assert_uint_eq(fread(recording.bytes, 1, recording.size, stream), recording.size);
    fclose(stream);
    return recording;
}

size_t recording_page(struct recording ogg, unsigned number)
{
    size_t offset = 0;
    while (number-- > 0) {
        size_t size = 27 + (size_t)ogg.bytes[offset + 26];
        for (unsigned i = 0; i < ogg.bytes[offset + 26]; i++)
            size += ogg.bytes[offset + 27 + i];
        offset += size;
        ck_assert_uint_lt(offset, ogg.size);
    }
    return offset;
}

size_t recording_read(steno_audio_file *file, size_t piece, float **out_samples,
    steno_status *out_end, steno_error *error)
{
    size_t channels = steno_audio_get_info(file)->channels;
    size_t room = 0, count = 0;
    float *samples = NULL;
    for (;;) {
        if (count + piece > room) {
            room = 2 * room + piece;
            samples = realloc(samples, room * channels * sizeof(float));
        }
        size_t got = SIZE_MAX;
        *out_end = steno_audio_read(file, samples + count * channels, piece, &got, error);
        if (*out_end != STENO_OK)
            break;
        ck_assert_uint_ge(got, 1);
        ck_assert_uint_le(got, piece);
        count += got;
    }
    *out_samples = samples;
    return count;
}

static int64_t reader_read(void *context, void *bytes, size_t size)
{
    struct reader *reader = context;
    size_t left = reader->recording.size - reader->position;
    if (size > left)
        size = left;
    if (reader->step > 0 && size > reader->step)
        size = reader->step;
    if (reader->fail_at > 0 && reader->position + size > reader->fail_at) {
        errno = EIO;
        return -1;
    }
    if (size > 0)
        memcpy(bytes, reader->recording.bytes + reader->position, size);
    reader->position += size;
    return (int64_t)size;
}

static int64_t reader_seek(void *context, int64_t offset, int whence)
{
    struct reader *reader = context;
    int64_t base = whence == SEEK_CUR   ? (int64_t)reader->position
                   : whence == SEEK_END ? (int64_t)reader->recording.size
                                        : 0;
    if (base + offset < 0 || base + offset > (int64_t)reader->recording.size)
        return -1;
    reader->position = (size_t)(base + offset);
    return base + offset;
}

steno_source reader_source(struct reader *reader, int can_seek)
{
    return (steno_source){reader_read, can_seek ? reader_seek : NULL, reader};
}
