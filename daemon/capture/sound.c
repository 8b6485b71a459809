#include "capture/sound.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "steno/audio.h"
#include "steno/microphone.h"
#include "system/alarms.h"

enum {
    BLOCKS_PER_SECOND = 10,
    LATE_MAX_MS = 5000, /* a file that was held up for longer does not catch up */
    WATCH_MS = 1000,    /* a microphone is looked after at least so often */
};

struct sound {
    const capture_setting *setting;
    uint32_t rate_hz, channels;
    float *samples; /* [rate_hz / BLOCKS_PER_SECOND, channels] */

    /* one of these */
    steno_microphone *microphone;
    steno_audio_file *file;
    int fifo; /* -1: none */

    /* file */
    uint64_t began_ms, frames; /* given since then */
    /* fifo */
    uint8_t *bytes; /* [block_bytes] */
    size_t block_bytes, got;
    bool has_heard; /* something, of who writes or has written to it */
};

static steno_status allocate(sound *self, steno_error *error)
{
    memory_free(self->samples);
    self->samples =
        memory_allocate((size_t)self->rate_hz / BLOCKS_PER_SECOND * self->channels, sizeof(float));
    return self->samples != NULL ? STENO_OK : error_memory(error);
}

/* ---- Files ---- */

static steno_status open_file(sound *self, steno_error *error)
{
    struct stat there;
    const char *path = self->setting->file;
    /* What has become a pipe since the settings were read would be waited for, for ever. */
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: is not a regular file", path);
    steno_status status = steno_audio_open(path, NULL, &self->file, error);
    if (status < 0)
        return status;
    const steno_audio_info *info = steno_audio_get_info(self->file);
    self->rate_hz = info->rate_hz;
    self->channels = info->channels;
    self->began_ms = alarms_now_ms();
    return allocate(self, error);
}

/* When the next block of a file will have been spoken. */
static uint64_t due_ms(const sound *self)
{
    uint64_t frames = self->frames + self->rate_hz / BLOCKS_PER_SECOND;
    return self->began_ms + frames * 1000 / self->rate_hz;
}

static steno_status next_of_file(sound *self, sound_block *out, steno_error *error)
{
    uint64_t now = alarms_now_ms(), due = due_ms(self);
    if (now < due)
        return STENO_AGAIN;
    if (now - due > LATE_MAX_MS)
        self->began_ms += now - due;
    steno_status status = steno_audio_read(
        self->file, self->samples, self->rate_hz / BLOCKS_PER_SECOND, &out->frames, error);
    if (status == STENO_OK)
        self->frames += out->frames;
    return status;
}

/* ---- Named pipes ---- */

static steno_status open_pipe(const char *path, int *out_fd, steno_error *error)
{
    struct stat about;
    /* Does not wait for somebody to write to it. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(error, path, errno);
    if (fstat(fd, &about) != 0 || !S_ISFIFO(about.st_mode)) {
        close(fd);
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: not a named pipe", path);
    }
    *out_fd = fd;
    return STENO_OK;
}

static steno_status open_fifo(sound *self, steno_error *error)
{
    const capture_setting *setting = self->setting;
    steno_status status = open_pipe(setting->fifo, &self->fifo, error);
    if (status < 0)
        return status;
    self->rate_hz = setting->rate_hz;
    self->channels = setting->channels;
    self->block_bytes = (size_t)self->rate_hz / BLOCKS_PER_SECOND * self->channels *
                        steno_encoding_size((steno_encoding)setting->encoding);
    self->bytes = memory_allocate(self->block_bytes, 1);
    return self->bytes != NULL ? allocate(self, error) : error_memory(error);
}

/* Whether the path leads to another pipe than the one that is open. */
static bool is_replaced(const sound *self)
{
    struct stat there, here;
    return stat(self->setting->fifo, &there) != 0 || fstat(self->fifo, &here) != 0 ||
           there.st_dev != here.st_dev || there.st_ino != here.st_ino;
}

/* Nobody has it open for writing: because nobody has come yet, or because who did has gone.  Then
 * it is opened again, to wait for the next one, before it is closed: who comes in between finds a
 * reader, and what they write is there.  So is one that was removed and made anew: the next writer
 * would wait for ever for who reads the old one. */
static steno_status renew(sound *self, steno_error *error)
{
    struct pollfd fd = {.fd = self->fifo, .events = POLLIN};
    bool has_gone = self->has_heard || (poll(&fd, 1, 0) > 0 && (fd.revents & POLLHUP) != 0);
    if (!has_gone && !is_replaced(self))
        return STENO_AGAIN;
    int next = -1;
    steno_status status = open_pipe(self->setting->fifo, &next, error);
    if (status < 0)
        return status;
    close(self->fifo);
    self->fifo = next;
    self->got = 0;
    status = self->has_heard ? STENO_END : STENO_AGAIN;
    self->has_heard = false;
    return status;
}

static steno_status next_of_fifo(sound *self, sound_block *out, steno_error *error)
{
    steno_encoding encoding = (steno_encoding)self->setting->encoding;
    size_t frame_bytes = steno_encoding_size(encoding) * self->channels;
    ssize_t count = read(self->fifo, self->bytes + self->got, self->block_bytes - self->got);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return STENO_AGAIN;
    if (count < 0)
        return error_errno(error, self->setting->fifo, errno);
    if (count == 0)
        return renew(self, error);
    self->has_heard = true;
    self->got += (size_t)count;
    out->frames = self->got / frame_bytes;
    steno_encoding_to_float(encoding, self->bytes, out->frames * self->channels, self->samples);
    size_t used = out->frames * frame_bytes;
    memmove(self->bytes, self->bytes + used, self->got - used);
    self->got -= used;
    return out->frames > 0 ? STENO_OK : STENO_AGAIN;
}

/* ---- Microphones ---- */

static steno_status open_device(sound *self, steno_error *error)
{
    const capture_setting *setting = self->setting;
    bool is_default = strcmp(setting->device, "default") == 0;
    const steno_capture_options wanted = {
        .device = is_default ? NULL : setting->device,
        .rate_hz = setting->rate_hz,
        .channels = setting->channels,
    };
    return steno_microphone_create(&wanted, &self->microphone, error);
}

/* It is open now, unless it was. */
static steno_status take_format(sound *self, steno_error *error)
{
    const steno_capture_info *info = steno_microphone_get_info(self->microphone);
    if (self->samples != NULL && info->rate_hz == self->rate_hz && info->channels == self->channels)
        return STENO_OK;
    self->rate_hz = info->rate_hz;
    self->channels = info->channels;
    return allocate(self, error);
}

static steno_status next_of_device(sound *self, sound_block *out, steno_error *error)
{
    steno_status status = steno_microphone_open(self->microphone, error);
    if (status == STENO_OK)
        status = take_format(self, error);
    if (status == STENO_OK)
        status = steno_microphone_read(self->microphone, self->samples,
            self->rate_hz / BLOCKS_PER_SECOND, &out->frames, &out->lost_frames, error);
    if (status == STENO_OK) {
        steno_capture_counts counts;
        steno_microphone_get_counts(self->microphone, &counts);
        out->samples = self->samples;
        out->device_overruns = (uint32_t)counts.device_overruns;
    }
    return status;
}

/* ---- All ---- */

steno_status sound_open(const capture_setting *setting, sound **out_sound, steno_error *error)
{
    sound *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->setting = setting;
    self->fifo = -1;
    steno_status status = setting->device != NULL ? open_device(self, error)
                          : setting->file != NULL ? open_file(self, error)
                                                  : open_fifo(self, error);
    if (status < 0)
        sound_close(self);
    else
        *out_sound = self;
    return status;
}

void sound_close(sound *self)
{
    if (self == NULL)
        return;
    steno_microphone_destroy(self->microphone);
    if (self->file != NULL)
        steno_audio_close(self->file);
    if (self->fifo >= 0)
        close(self->fifo);
    memory_free(self->bytes);
    memory_free(self->samples);
    memory_free(self);
}

steno_status sound_next(sound *self, sound_block *out_block, steno_error *error)
{
    sound_block block = {.samples = self->samples};
    steno_status status = self->microphone != NULL ? next_of_device(self, &block, error)
                          : self->file != NULL     ? next_of_file(self, &block, error)
                                                   : next_of_fifo(self, &block, error);
    if (status == STENO_OK)
        *out_block = block;
    return status;
}

void sound_get_info(const sound *self, sound_info *out_info)
{
    const char *device = self->microphone != NULL
                             ? steno_microphone_get_info(self->microphone)->device
                         : self->file != NULL ? self->setting->file
                                              : self->setting->fifo;
    *out_info = (sound_info){device, self->rate_hz, self->channels};
}

bool sound_end(sound *self, steno_status ended)
{
    if (self->microphone != NULL)
        steno_microphone_close(self->microphone);
    return self->microphone != NULL || (self->fifo >= 0 && ended >= 0);
}

int sound_fd(const sound *self)
{
    return self->microphone != NULL ? steno_microphone_fd(self->microphone) : self->fifo;
}

int sound_wait_ms(const sound *self)
{
    if (self->file == NULL)
        return WATCH_MS;
    uint64_t now = alarms_now_ms(), due = due_ms(self);
    return due > now ? (int)(due - now) : 0;
}
