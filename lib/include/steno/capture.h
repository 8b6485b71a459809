/*
 * Sound devices: which microphones there are, and live audio from one of them, by PortAudio (ALSA,
 * and through it PulseAudio and PipeWire; JACK).
 *
 *     steno_capture_open(NULL, &capture, &error);                  NULL: the system's microphone
 *     const steno_capture_info *info = steno_capture_get_info(capture);
 *     while (listening) {
 *         status = steno_capture_read(capture, samples, frames, &count, &lost, &error);
 *         if (status == STENO_AGAIN) ... do something else for some 20 ms ...
 *         else if (status == STENO_OK) ... use count frames of info->channels samples ...
 *         else break;                                              it was unplugged, say
 *     }
 *     steno_capture_close(capture);
 *
 * PortAudio has state of its own that is the process's: of the functions that list devices, open
 * and close, one may run at a time.  A capture, once open, is used by one thread at a time.  While
 * any is open, or a list being made, PortAudio and the systems under it may write to standard error
 * (ALSA does so for every device that its configuration names and the machine lacks): a program
 * with a screen to keep clean has to point descriptor 2 elsewhere.  And it may hang: a program that
 * must not takes steno/microphone.h, which does all this in a process of its own.
 */
#ifndef STENO_CAPTURE_H
#define STENO_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this build has PortAudio; without, listing and opening give STENO_ERROR_UNSUPPORTED. */
STENO_API bool steno_capture_is_supported(void);

enum { STENO_DEVICE_RATES_MAX = 9 };

/* A device that sound can be had from. */
typedef struct steno_device {
    uint32_t number;       /* from 1, in the order of the list; changes as devices come and go */
    const char *name;      /* UTF-8 as a rule, but whatever the system says */
    const char *system;    /* "ALSA", "JACK Audio Connection Kit", ... */
    uint32_t channels_max; /* 1 or more */
    uint32_t rate_hz;      /* its own */
    uint32_t rates_hz[STENO_DEVICE_RATES_MAX]; /* the usual rates it takes, rising; only if asked
                                                  for; none: it is in use, say */
    size_t rate_count;
    bool is_default; /* what steno_capture_open takes unless told otherwise */
} steno_device;

typedef struct steno_device_list steno_device_list;

/* The devices that are there now (while a capture is open: that were there when it was opened).
 * probe_rates: try each for the rates it takes, which opens it.  No device at all is an empty list.
 * Errors: UNSUPPORTED, MEMORY, IO. */
STENO_API steno_status steno_device_list_create(
    bool probe_rates, steno_device_list **out_list, steno_error *error);
/* NULL is fine. */
STENO_API void steno_device_list_destroy(steno_device_list *list);
/* The devices [*out_count]; they live as long as the list. */
STENO_API const steno_device *steno_device_list_get(
    const steno_device_list *list, size_t *out_count);

/* The device meant by `wanted`: its whole name, its number, or a part of its name that no other
 * has; upper and lower case (of ASCII) are the same.  NULL: the default.  STENO_ERROR_NOT_FOUND,
 * STENO_ERROR_ARGUMENT where several could be meant; the message says which there are. */
STENO_API steno_status steno_device_list_find(const steno_device_list *list, const char *wanted,
    const steno_device **out_device, steno_error *error);

typedef struct steno_capture_options {
    const char *device; /* as steno_device_list_find takes it; NULL: the default */
    uint32_t rate_hz;   /* 8000..192000; 0: the device's own, or the nearest usual one it takes */
    uint32_t channels;  /* 1..8, no more than it has; 0: both of a device of two, else one */
    uint32_t buffer_ms; /* audio held until it is read, 100..60000; 0: 5000.  What comes when it is
                           full is lost, and counted */
} steno_capture_options;

typedef struct steno_capture_info {
    const char *device, *system; /* as in steno_device; live as long as the capture */
    uint32_t rate_hz, channels;
    uint32_t latency_ms; /* of the device: from sound to reading, about */
} steno_capture_info;

typedef struct steno_capture_counts {
    uint64_t frames;          /* that came from the device, lost ones included */
    uint64_t lost_frames;     /* there was no room for: read too slowly */
    uint64_t device_overruns; /* times the device itself lost audio, nobody knows how much */
} steno_capture_counts;

typedef struct steno_capture steno_capture;

/* Opens a device and starts it.  options: NULL for defaults.  Errors: NOT_FOUND, ARGUMENT (as
 * find, or an option out of range), UNSUPPORTED (the rate or the channels; no PortAudio), IO (in
 * use by another program, gone, no sound system), MEMORY; the message names the device.  May take
 * as long as the sound system does, which for one that does not answer is for ever. */
STENO_API steno_status steno_capture_open(
    const steno_capture_options *options, steno_capture **out_capture, steno_error *error);
/* NULL is fine.  Takes as long as the sound system does, too. */
STENO_API void steno_capture_close(steno_capture *capture);

STENO_API const steno_capture_info *steno_capture_get_info(const steno_capture *capture);

/* Up to `capacity` (at least 1) frames, interleaved [capacity, channels], in [-1, 1] or beyond
 * where the device is too loud.  Never waits.  STENO_OK: *out_frames, at least one, came, and
 * *out_lost frames are missing just before them.  STENO_AGAIN: nothing is there yet.  STENO_END:
 * all was read after steno_capture_stop.  STENO_ERROR_IO: the device is gone, or has given nothing
 * for three seconds (what had come was given); it sticks, and the capture can only be closed. */
STENO_API steno_status steno_capture_read(steno_capture *capture, float *samples, size_t capacity,
    size_t *out_frames, uint64_t *out_lost, steno_error *error);

/* Takes nothing more from the device; what has come can still be read. */
STENO_API void steno_capture_stop(steno_capture *capture);

STENO_API void steno_capture_get_counts(
    const steno_capture *capture, steno_capture_counts *out_counts);

#ifdef __cplusplus
}
#endif

#endif
