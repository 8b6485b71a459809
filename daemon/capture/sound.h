/*
 * What a capture hears, whatever it comes from: a microphone, a named pipe, or a file at the pace
 * at which it was spoken.
 *
 *     sound_open(&setting, &sound, &error);
 *     for (;;) {
 *         status = sound_next(sound, &block, &error);
 *         if (status == STENO_AGAIN) ... poll sound_fd for reading, sound_wait_ms at most ...
 *         else if (status == STENO_OK) ... use block; sound_get_info says what it is ...
 *         else break;                           STENO_END, or gone
 *     }
 *     sound_close(sound);
 *
 * One thread; nothing waits.
 */
#ifndef CAPTURE_SOUND_H
#define CAPTURE_SOUND_H

#include "settings/capture_options.h"

typedef struct sound sound;

typedef struct sound_info {
    const char *device; /* or the file; as long as the sound */
    uint32_t rate_hz, channels;
} sound_info;

/* At most a tenth of a second. */
typedef struct sound_block {
    const float *samples; /* [frames, channels], until the next call */
    size_t frames;
    uint64_t lost_frames;     /* missing just before them */
    uint32_t device_overruns; /* so far: times a device has lost audio itself */
} sound_block;

/* setting: borrowed until close.  Errors name what can't be opened; as of steno_audio_open,
 * steno_microphone_create; of what is no named pipe ARGUMENT. */
steno_status sound_open(const capture_setting *setting, sound **out_sound, steno_error *error);
/* NULL is fine. */
void sound_close(sound *sound);

/* STENO_OK: a block of one frame or more.  STENO_AGAIN: none yet.  STENO_END: the file is over, or
 * who wrote to the pipe has closed it.  Errors: the device is gone; the file is damaged. */
steno_status sound_next(sound *sound, sound_block *out_block, steno_error *error);
/* It has ended, with STENO_END or an error of whatever, and is let go for now.  Whether sound_next
 * may give more, of another writer to the pipe, or of the microphone, which it opens again. */
bool sound_end(sound *sound, steno_status ended);
/* Of the audio; after the first block. */
void sound_get_info(const sound *sound, sound_info *out_info);

/* What to wait for after STENO_AGAIN: a descriptor, or -1, and for how long. */
int sound_fd(const sound *sound);
int sound_wait_ms(const sound *sound);

#endif
