/*
 * An input read from its beginning to its end through an audio stream: for MP3 that does not tell
 * its length.  Some versions of libsndfile guess one and stop there, others refuse such a file.
 */
#ifndef AUDIO_FILE_STREAM_H
#define AUDIO_FILE_STREAM_H

#include "audio/input.h"
#include "steno/audio_stream.h"

typedef struct file_stream file_stream;

/* Reads up to the first frame.  from: borrowed until file_stream_close.  *out_info: as
 * steno_audio_stream_get_info gives it.  Errors: those of steno_audio_stream_create and _read, with
 * the input's name before them, and of reading the input. */
steno_status file_stream_open(input *from, steno_audio_kind kind, file_stream **out_stream,
    steno_audio_info *out_info, steno_error *error);
/* NULL is fine. */
void file_stream_close(file_stream *self);

/* samples: [frames, channels], frames at least 1.  STENO_OK with *out_frames >= 1, STENO_END with
 * 0, or an error, which sticks. */
steno_status file_stream_read(
    file_stream *self, float *samples, size_t frames, size_t *out_frames, steno_error *error);

#endif
