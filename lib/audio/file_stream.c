#include "audio/file_stream.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { BLOCK_SIZE = 1 << 16 };

struct file_stream {
    input *input;
    steno_audio_stream *audio;
    uint32_t channels;
    bool first_is_held; /* the frame that had to be read for the format to be known */
    float first[STENO_CHANNELS_MAX];
    unsigned char block[BLOCK_SIZE];
    size_t begin, end; /* of the bytes in `block` that the stream had no room for */
};

/* The stream wants bytes: what one read of the input gives, or the rest of the block. */
static steno_status feed(file_stream *self, steno_error *error)
{
    if (self->begin == self->end) {
        int64_t count = input_read_some(self->input, self->block, BLOCK_SIZE);
        if (count < 0)
            return input_error(self->input, error);
        if (count == 0)
            return steno_audio_stream_finish(self->audio);
        self->begin = 0;
        self->end = (size_t)count;
    }
    size_t taken = 0;
    steno_status status = steno_audio_stream_write(
        self->audio, self->block + self->begin, self->end - self->begin, &taken);
    self->begin += taken;
    return status < 0 ? status : STENO_OK;
}

static steno_status decode(
    file_stream *self, float *samples, size_t frames, size_t *out_frames, steno_error *error)
{
    for (;;) {
        steno_error own = {0};
        steno_status status =
            steno_audio_stream_read(self->audio, samples, frames, out_frames, &own);
        if (status < 0)
            return error_set(error, status, "%s: %s", self->input->name, own.message);
        if (status != STENO_AGAIN)
            return status;
        status = feed(self, error);
        if (status < 0)
            return status;
    }
}

steno_status file_stream_open(input *from, steno_audio_kind kind, file_stream **out_stream,
    steno_audio_info *out_info, steno_error *error)
{
    file_stream *self = memory_allocate(1, sizeof *self);
    if (!self)
        return error_memory(error);
    self->input = from;
    steno_status status = steno_audio_stream_create(kind, NULL, &self->audio, error);
    size_t count;
    if (status == STENO_OK)
        status = decode(self, self->first, 1, &count, error);
    if (status == STENO_OK)
        status = steno_audio_stream_get_info(self->audio, out_info);
    else if (status == STENO_END)
        status = error_set(error, STENO_ERROR_FORMAT, "%s: there is no sound in it", from->name);
    if (status != STENO_OK) {
        file_stream_close(self);
        return status;
    }
    self->channels = out_info->channels;
    self->first_is_held = true;
    *out_stream = self;
    return STENO_OK;
}

void file_stream_close(file_stream *self)
{
    if (!self)
        return;
    steno_audio_stream_destroy(self->audio);
    memory_free(self);
}

steno_status file_stream_read(
    file_stream *self, float *samples, size_t frames, size_t *out_frames, steno_error *error)
{
    if (!self->first_is_held) {
        steno_status status = decode(self, samples, frames, out_frames, error);
        if (status == STENO_END)
            *out_frames = 0;
        return status;
    }
    memcpy(samples, self->first, self->channels * sizeof *samples);
    self->first_is_held = false;
    *out_frames = 1;
    return STENO_OK;
}
