#include "pieces.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FRAMES = 1 << 23 }; /* of any recording here; a decoder that never ends is noticed */

uint32_t pieces_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* As ck_assert, but at no cost as long as it holds: what is here comes for each byte, and Check
 * notes each assertion in a file. */
static void expect(bool holds, const char *what)
{
    if (!holds)
        ck_abort_msg("%s", what);
}

static void take(struct decoded *d, const float *samples, size_t frames)
{
    size_t channels = d->info.channels;
    d->samples = realloc(d->samples, (d->frames + frames) * channels * sizeof(float));
    memcpy(d->samples + d->frames * channels, samples, frames * channels * sizeof(float));
    d->frames += frames;
    expect(d->frames < MOST_FRAMES, "it ends");
    size_t i = 0;
    while (i < frames * channels && samples[i] >= -1.0f && samples[i] < 1.0f)
        i++;
    if (i < frames * channels)
        ck_abort_msg("%g", (double)samples[i]);
}

/* Reads what there is; returns what reading ended with. */
static steno_status read_some(
    steno_audio_stream *stream, float *buffer, size_t capacity, struct decoded *d)
{
    for (;;) {
        size_t count = SIZE_MAX;
        steno_status status = steno_audio_stream_read(stream, buffer, capacity, &count, &d->error);
        steno_audio_info info;
        bool known = steno_audio_stream_get_info(stream, &info) == STENO_OK;
        if (known && d->info.channels)
            expect(memcmp(&info, &d->info, sizeof info) == 0, "the format stays");
        else if (known)
            d->info = info;
        if (status != STENO_OK) {
            expect(count == SIZE_MAX, "outputs are written on success only");
            return status;
        }
        expect(known, "samples come with their format");
        expect(count >= 1 && count <= capacity, "some frames, and no more than there is room for");
        take(d, buffer, count);
    }
}

struct decoded pieces_decode(steno_audio_kind kind, const steno_raw_format *raw,
    struct recording recording, struct cutting cutting)
{
    struct decoded d = {.end = STENO_AGAIN};
    steno_audio_stream *stream;
    steno_error error = {0};
    ck_assert_msg(
        steno_audio_stream_create(kind, raw, &stream, &error) == STENO_OK, "%s", error.message);
    float *buffer = malloc(cutting.capacity * STENO_CHANNELS_MAX * sizeof *buffer);
    uint32_t seed = cutting.seed;
    size_t written = 0;
    while (written < recording.size) {
        size_t size = cutting.piece ? cutting.piece : pieces_random(&seed) % 1000;
        if (size > recording.size - written)
            size = recording.size - written;
        size_t taken = SIZE_MAX;
        steno_status status =
            steno_audio_stream_write(stream, recording.bytes + written, size, &taken);
        expect(status == STENO_OK ? taken == size : status == STENO_FULL && taken < size,
            "all is taken, or it is full");
        written += taken;
        d.end = read_some(stream, buffer, cutting.capacity, &d);
    }
    ck_assert_int_eq(steno_audio_stream_finish(stream), STENO_OK);
    d.end = read_some(stream, buffer, cutting.capacity, &d);
    ck_assert_msg(d.end == STENO_END || d.end < 0, "%d", d.end);
    if (d.end < 0) {
        ck_assert_int_eq(d.error.status, d.end);
        ck_assert_uint_gt(strlen(d.error.message), 4);
    }
    ck_assert_int_eq(read_some(stream, buffer, cutting.capacity, &d), d.end);
    free(buffer);
    steno_audio_stream_destroy(stream);
    return d;
}

void pieces_check_same(const char *name, const struct decoded *a, const struct decoded *b)
{
    ck_assert_msg(a->end == b->end, "%s: %d %s, %d %s", name, a->end, a->error.message, b->end,
        b->error.message);
    if (a->end < 0)
        ck_assert_str_eq(a->error.message, b->error.message);
    ck_assert_msg(a->frames == b->frames, "%s: %zu and %zu frames", name, a->frames, b->frames);
    ck_assert_uint_eq(a->info.rate_hz, b->info.rate_hz);
    ck_assert_uint_eq(a->info.channels, b->info.channels);
    if (a->frames > 0)
        ck_assert_msg(
            memcmp(a->samples, b->samples, a->frames * a->info.channels * sizeof(float)) == 0,
            "%s: other samples", name);
}
