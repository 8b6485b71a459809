/*
 * Input passes in small pieces through a mono buffer of fixed size (channel choice or mean) into a
 * soxr stream, so that nothing here grows with what the caller feeds.  soxr works in blocks of
 * its own: what it gives depends only on the samples fed in all, never on how they were cut, but
 * it keeps up to HELD_MAX samples back.  It rounds the total in floating point; the number of
 * samples due is therefore counted here, in integers, and flush gives exactly that.
 */
#include "audio/convert.h"

#include <soxr.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/audio.h"

enum {
    PIECE_FRAMES = 512,
    /* Samples that soxr's HQ filters keep back, at most: 2,000 were measured over all rates from
     * 8 to 192 kHz.  More would not be lost, only come with the next feed. */
    HELD_MAX = 4096,
};

struct converter {
    uint32_t rate_hz, out_rate_hz;
    uint32_t channels, channel;
    soxr_t resampler; /* NULL where the rates are equal */

    /* What reset clears (and the resampler's own state). */
    uint64_t frames_fed, samples_given;
    bool failed;

    float mono[PIECE_FRAMES];
};

static steno_status check_arguments(
    uint32_t rate_hz, uint32_t channels, uint32_t channel, uint32_t out_rate_hz, steno_error *error)
{
    uint32_t rates[] = {rate_hz, out_rate_hz};
    for (size_t i = 0; i < 2; i++)
        if (rates[i] < STENO_RATE_MIN_HZ || rates[i] > STENO_RATE_MAX_HZ)
            return error_set(error, STENO_ERROR_ARGUMENT, "a rate of %u Hz is outside %d to %d Hz",
                rates[i], STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ);
    if (channels == 0 || channels > STENO_CHANNELS_MAX)
        return error_set(error, STENO_ERROR_ARGUMENT, "%u channels are not between 1 and %d",
            channels, STENO_CHANNELS_MAX);
    if (channel > channels)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "channel %u is asked for but there are only %u", channel, channels);
    return STENO_OK;
}

steno_status converter_create(uint32_t rate_hz, uint32_t channels, uint32_t channel,
    uint32_t out_rate_hz, converter **out_converter, steno_error *error)
{
    steno_status status = check_arguments(rate_hz, channels, channel, out_rate_hz, error);
    if (status < 0)
        return status;
    converter *self = memory_allocate(1, sizeof *self);
    if (!self)
        return error_memory(error);
    self->rate_hz = rate_hz;
    self->out_rate_hz = out_rate_hz;
    self->channels = channels;
    self->channel = channel;
    if (rate_hz != out_rate_hz) {
        soxr_error_t failure = NULL;
        soxr_io_spec_t format = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
        soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
        soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
        self->resampler =
            soxr_create(rate_hz, out_rate_hz, 1, &failure, &format, &quality, &runtime);
        if (!self->resampler || failure) {
            converter_destroy(self);
            return error_set(error, STENO_ERROR_INTERNAL, "resampling %u to %u Hz: %s", rate_hz,
                out_rate_hz, failure ? failure : "soxr gave no resampler");
        }
    }
    *out_converter = self;
    return STENO_OK;
}

void converter_destroy(converter *self)
{
    if (!self)
        return;
    soxr_delete(self->resampler);
    memory_free(self);
}

size_t converter_bound(const converter *self, size_t frames)
{
    if (!self->resampler)
        return frames;
    return (size_t)((uint64_t)frames * self->out_rate_hz / self->rate_hz) + 1 + HELD_MAX;
}

/* The mean of all channels, or the chosen one, of `frames` interleaved frames. */
static void mix(const converter *self, const float *samples, size_t frames, float *out)
{
    uint32_t channels = self->channels;
    if (channels == 1) {
        memcpy(out, samples, frames * sizeof(float));
    } else if (self->channel > 0) {
        for (size_t i = 0; i < frames; i++)
            out[i] = samples[i * channels + self->channel - 1];
    } else {
        for (size_t i = 0; i < frames; i++) {
            float sum = 0.0f;
            for (uint32_t c = 0; c < channels; c++)
                sum += samples[i * channels + c];
            out[i] = sum / (float)channels;
        }
    }
}

static steno_status fail(converter *self)
{
    self->failed = true;
    return STENO_ERROR_INTERNAL;
}

steno_status converter_feed(
    converter *self, const float *samples, size_t frames, float *out, size_t *out_count)
{
    if (self->failed)
        return STENO_ERROR_INTERNAL;
    if (!self->resampler) {
        mix(self, samples, frames, out);
        *out_count = frames;
        return STENO_OK;
    }
    size_t room = converter_bound(self, frames);
    size_t count = 0;
    while (frames > 0) {
        size_t piece = frames < PIECE_FRAMES ? frames : PIECE_FRAMES;
        mix(self, samples, piece, self->mono);
        size_t taken = 0, given = 0;
        soxr_error_t failure = soxr_process(
            self->resampler, self->mono, piece, &taken, out + count, room - count, &given);
        if (failure || taken != piece)
            return fail(self);
        samples += piece * self->channels;
        frames -= piece;
        count += given;
        self->frames_fed += piece;
        self->samples_given += given;
    }
    *out_count = count;
    return STENO_OK;
}

steno_status converter_flush(converter *self, float *out, size_t *out_count)
{
    if (self->failed)
        return STENO_ERROR_INTERNAL;
    if (!self->resampler) {
        *out_count = 0;
        return STENO_OK;
    }
    uint64_t due = (self->frames_fed * self->out_rate_hz + self->rate_hz / 2) / self->rate_hz;
    if (due < self->samples_given || due - self->samples_given > converter_bound(self, 0))
        return fail(self);
    size_t wanted = (size_t)(due - self->samples_given);
    size_t count = 0;
    while (count < wanted) {
        size_t given = 0;
        if (soxr_process(self->resampler, NULL, 0, NULL, out + count, wanted - count, &given))
            return fail(self);
        if (given == 0)
            break;
        count += given;
    }
    /* soxr rounds the total its own way: at most one sample may be missing. */
    if (wanted - count > 1)
        return fail(self);
    if (count < wanted)
        out[count] = 0.0f;
    self->samples_given += wanted;
    *out_count = wanted;
    return STENO_OK;
}
