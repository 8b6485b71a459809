/*
 * Recordings: writing audio to a file as it comes.
 *
 *     steno_recording_create("talk.flac", 48000, 1, &recording, &error);
 *     steno_recording_write(recording, samples, frames, &error);
 *     steno_recording_close(recording, &error);
 *
 * What was written stays readable when the program is killed: FLAC but for its last block (a tenth
 * of a second), WAV but for what was written since the header was brought up to date, each second.
 * One thread at a time.
 */
#ifndef STENO_RECORDING_H
#define STENO_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct steno_recording steno_recording;

/* Whether a path's ending, ".flac" or ".wav" in any case, names a format that can be written:
 * STENO_OK, or STENO_ERROR_ARGUMENT with a message that says so. */
STENO_API steno_status steno_recording_check_path(const char *path, steno_error *error);

/* Creates the file, or empties the one that is there.  16 bits a sample.  rate_hz: 8000..192000,
 * channels: 1..8.  Errors name the path: ARGUMENT (ending, rate, channels), NOT_FOUND (its folder),
 * PERMISSION, IO, MEMORY. */
STENO_API steno_status steno_recording_create(const char *path, uint32_t rate_hz, uint32_t channels,
    steno_recording **out_recording, steno_error *error);

/* Appends interleaved samples [frames, channels], rounded to multiples of 1/32768, so that what was
 * read from 16 bits stays as it was; those beyond [-1, 1) are clipped, what is no number becomes 0.
 * STENO_ERROR_IO (no room, say) sticks. */
STENO_API steno_status steno_recording_write(
    steno_recording *recording, const float *samples, size_t frames, steno_error *error);

/* Ends the file and frees the recording, whatever is returned: STENO_OK, or the first error that
 * there was.  NULL is fine. */
STENO_API steno_status steno_recording_close(steno_recording *recording, steno_error *error);

#ifdef __cplusplus
}
#endif

#endif
