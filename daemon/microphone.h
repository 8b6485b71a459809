/*
 * A microphone of the daemon: opened and read by a process of its own, the daemon's program once
 * more, that hands over what the device gives through a pipe.
 *
 * Sound systems are why: PortAudio knows the devices of the moment it was first asked, for the
 * whole process, and one that vanishes at the wrong moment may leave it waiting or turning for
 * ever.  A process that does not answer can be ended and another one begun, whatever it hangs in,
 * and other captures never notice.
 *
 *     microphone_start(&wanted, &microphone, &error);
 *     while (the descriptor of microphone_fd has something to read)
 *         status = microphone_next(microphone, &block, &error);
 *     microphone_destroy(microphone);
 *
 * One thread, the one that has started it: the process ends with that thread, too.
 */
#ifndef DAEMON_MICROPHONE_H
#define DAEMON_MICROPHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/capture.h"
#include "steno/status.h"

typedef struct microphone microphone;

typedef struct microphone_info {
    const char *device; /* as long as the microphone */
    uint32_t rate_hz, channels;
} microphone_info;

typedef struct microphone_block {
    const float *samples; /* [frames, channels], until the next call */
    size_t frames;
    uint64_t lost_frames;     /* missing just before them */
    uint32_t device_overruns; /* so far */
} microphone_block;

/* Errors: UNSUPPORTED (a build without PortAudio), IO (no process can be had), MEMORY. */
steno_status microphone_start(
    const steno_capture_options *wanted, microphone **out_microphone, steno_error *error);
/* Ends the process at once.  NULL is fine. */
void microphone_destroy(microphone *microphone);

/* To poll for reading; does not change. */
int microphone_fd(const microphone *microphone);

/* The next block, never waiting; STENO_AGAIN: none now.  Errors as of steno_capture_open and
 * steno_capture_read; IO also where the process has not said anything for ten seconds. */
steno_status microphone_next(
    microphone *microphone, microphone_block *out_block, steno_error *error);
/* False until microphone_next has seen that the device is open. */
bool microphone_get_info(const microphone *microphone, microphone_info *out_info);

/* Whether these are the arguments of such a process, which `main` then is to return the result of;
 * before anything else is done. */
bool microphone_is_asked_for(int argc, char *const *argv);
int microphone_main(char *const *argv);

#endif
