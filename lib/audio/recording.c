/*
 * Audio written as it comes, by libsndfile.  Nothing is written under another name first: a
 * recording that is still growing can be listened to, and what a killed program leaves is there.
 */
#include <errno.h>
#include <math.h>
#include <sndfile.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/audio.h"
#include "steno/recording.h"

struct steno_recording {
    SNDFILE *sound;
    char *path;
    uint32_t rate_hz, channels;
    bool is_wav;
    uint64_t since_header; /* frames written since a WAV's header was brought up to date */
    steno_error failure;   /* sticks */
};

static bool ends_with(const char *path, const char *ending)
{
    size_t length = strlen(path), size = strlen(ending);
    if (length <= size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char letter = path[length - size + i];
        if (letter >= 'A' && letter <= 'Z')
            letter = (char)(letter - 'A' + 'a');
        if (letter != ending[i])
            return false;
    }
    return true;
}

steno_status steno_recording_check_path(const char *path, steno_error *error)
{
    if (ends_with(path, ".flac") || ends_with(path, ".wav"))
        return STENO_OK;
    return error_set(error, STENO_ERROR_ARGUMENT,
        "%s: audio is written as .flac or .wav; give the name one of these endings", path);
}

static steno_status check(const char *path, uint32_t rate_hz, uint32_t channels, steno_error *error)
{
    if (rate_hz < STENO_RATE_MIN_HZ || rate_hz > STENO_RATE_MAX_HZ)
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: %u Hz is not from %d to %d", path,
            (unsigned)rate_hz, STENO_RATE_MIN_HZ, STENO_RATE_MAX_HZ);
    if (channels < 1 || channels > STENO_CHANNELS_MAX)
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: %u channels are not from 1 to %d", path,
            (unsigned)channels, STENO_CHANNELS_MAX);
    return steno_recording_check_path(path, error);
}

/* Why libsndfile could not create the file: it keeps errno but names no cause. */
static steno_status refuse(const char *path, int code, steno_error *error)
{
    steno_status status = STENO_ERROR_IO;
    if (code == ENOENT)
        status = STENO_ERROR_NOT_FOUND;
    else if (code == EACCES || code == EPERM || code == EROFS)
        status = STENO_ERROR_PERMISSION;
    return error_set(
        error, status, "%s: can't write: %s", path, code != 0 ? strerror(code) : sf_strerror(NULL));
}

steno_status steno_recording_create(const char *path, uint32_t rate_hz, uint32_t channels,
    steno_recording **out_recording, steno_error *error)
{
    steno_status status = check(path, rate_hz, channels, error);
    if (status < 0)
        return status;
    steno_recording *self = memory_allocate(1, sizeof *self);
    char *name = memory_duplicate(path);
    if (!self || !name) {
        memory_free(self);
        memory_free(name);
        return error_memory(error);
    }
    self->path = name;
    self->rate_hz = rate_hz;
    self->channels = channels;
    self->is_wav = ends_with(path, ".wav");
    SF_INFO info = {
        .samplerate = (int)rate_hz,
        .channels = (int)channels,
        .format = (self->is_wav ? SF_FORMAT_WAV : SF_FORMAT_FLAC) | SF_FORMAT_PCM_16,
    };
    errno = 0;
    self->sound = sf_open(path, SFM_WRITE, &info);
    if (!self->sound) {
        status = refuse(path, errno, error);
        steno_recording_close(self, NULL);
        return status;
    }
    *out_recording = self;
    return STENO_OK;
}

/* Steps of 1/32768, as reading takes them: what was read from 16 bits is written as it was.
 * libsndfile's own conversion multiplies by 32767. */
static void convert(const float *samples, size_t count, short *out)
{
    for (size_t i = 0; i < count; i++) {
        float scaled = samples[i] == samples[i] ? samples[i] * 32768 : 0;
        out[i] = (short)lrintf(fminf(32767, fmaxf(-32768, scaled)));
    }
}

static steno_status fail(steno_recording *self, int code)
{
    return error_set(&self->failure, STENO_ERROR_IO, "%s: can't write: %s", self->path,
        code != 0 ? strerror(code) : sf_strerror(self->sound));
}

steno_status steno_recording_write(
    steno_recording *self, const float *samples, size_t frames, steno_error *error)
{
    short block[1024];
    size_t left = frames * self->channels;
    while (left > 0 && self->failure.status == STENO_OK) {
        /* Whole frames: 1024 is a multiple of every channel count but 3, 5, 6 and 7. */
        size_t room = sizeof block / sizeof *block / self->channels * self->channels;
        size_t count = left < room ? left : room;
        convert(samples, count, block);
        errno = 0;
        if (sf_write_short(self->sound, block, (sf_count_t)count) != (sf_count_t)count)
            fail(self, errno);
        samples += count;
        left -= count;
    }
    self->since_header += frames;
    if (self->is_wav && self->since_header >= self->rate_hz && self->failure.status == STENO_OK) {
        sf_command(self->sound, SFC_UPDATE_HEADER_NOW, NULL, 0);
        self->since_header = 0;
    }
    if (self->failure.status < 0 && error)
        *error = self->failure;
    return self->failure.status;
}

steno_status steno_recording_close(steno_recording *self, steno_error *error)
{
    if (!self)
        return STENO_OK;
    errno = 0;
    if (self->sound && sf_close(self->sound) != 0 && self->failure.status == STENO_OK) {
        self->sound = NULL;
        fail(self, errno != 0 ? errno : EIO);
    }
    steno_status status = self->failure.status;
    if (status < 0 && error)
        *error = self->failure;
    memory_free(self->path);
    memory_free(self);
    return status;
}
