/*
 * A microphone in a process of its own: what steno/capture.h does, but nothing here ever waits,
 * whatever the sound system does.
 *
 * PortAudio knows the devices of the moment it was first asked, for the whole process, and a device
 * that vanishes at the wrong moment may leave it waiting or turning for ever.  So the program is
 * started once more, and that process opens the device and hands over what it gives.  One that no
 * longer answers is killed; opening the microphone again begins another one.
 *
 * That takes two lines at the very beginning of the program's main:
 *
 *     int status;
 *     if (steno_microphone_serve(&status))
 *         return status;
 *
 * and then:
 *
 *     steno_microphone_create(NULL, &microphone, &error);           NULL: the system's microphone
 *     while (listening) {
 *         status = steno_microphone_open(microphone, &error);
 *         if (status == STENO_OK)
 *             status = steno_microphone_read(microphone, samples, frames, &count, &lost, &error);
 *         if (status == STENO_AGAIN) ... poll steno_microphone_fd for reading, a second at most ...
 *         else if (status == STENO_OK) ... use count frames of info->channels samples ...
 *         else ... say why, wait a while, and go on: it is opened again ...
 *     }
 *     steno_microphone_destroy(microphone);
 *
 * A microphone is used by one thread at a time; its process ends with the thread that has opened
 * it, however that ends.  It does not act on SIGINT, SIGQUIT, SIGTERM and SIGHUP, which a terminal
 * or a service manager may send to all processes of a program: they are for the program to act on.
 * What libraries write to standard output and standard error there goes nowhere.  Linux alone.
 */
#ifndef STENO_MICROPHONE_H
#define STENO_MICROPHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/capture.h"
#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this process was started to be a microphone's, which it then was, to its end: main
 * returns *out_status.  Before anything else is done, threads are started for instance. */
STENO_API bool steno_microphone_serve(int *out_status);

typedef struct steno_microphone steno_microphone;

/* options: as of steno_capture_open; copied.  Nothing is opened yet.  Errors: UNSUPPORTED (a build
 * without PortAudio), MEMORY. */
STENO_API steno_status steno_microphone_create(
    const steno_capture_options *options, steno_microphone **out_microphone, steno_error *error);
/* Kills its process, and waits for the end of it, but for no longer than half a second.  NULL is
 * fine. */
STENO_API void steno_microphone_destroy(steno_microphone *microphone);

/* Begins to open it, unless that was begun.  STENO_OK: it is open.  STENO_AGAIN: not yet.  Errors
 * as of steno_capture_open; IO also where no process can be had, it has ended, or has not answered
 * for ten seconds.  After an error the next call begins anew. */
STENO_API steno_status steno_microphone_open(steno_microphone *microphone, steno_error *error);
/* Whether it could not be opened because there is no microphone at all. */
STENO_API bool steno_microphone_found_none(const steno_microphone *microphone);

/* Once it is open, until it is opened anew; NULL before. */
STENO_API const steno_capture_info *steno_microphone_get_info(const steno_microphone *microphone);

/* To poll for reading after STENO_AGAIN; -1: there is nothing to poll.  Another one each time it is
 * opened.  Look again after a second at most: that is how a process that does not answer is found
 * out. */
STENO_API int steno_microphone_fd(const steno_microphone *microphone);

/* As steno_capture_read, of one that is open (else STENO_ERROR_STATE).  STENO_ERROR_IO also where
 * its process has ended, or has said nothing for five seconds.  After an error it is closed.  Time
 * in which the program itself was stopped does not count. */
STENO_API steno_status steno_microphone_read(steno_microphone *microphone, float *samples,
    size_t capacity, size_t *out_frames, uint64_t *out_lost, steno_error *error);

/* Takes nothing more from the device; what has come can still be read, then there is STENO_END: two
 * seconds later if the process no longer answers. */
STENO_API void steno_microphone_stop(steno_microphone *microphone);
/* Kills its process; it may be opened again. */
STENO_API void steno_microphone_close(steno_microphone *microphone);

/* Of the device that is open, or was last, up to what was read. */
STENO_API void steno_microphone_get_counts(
    const steno_microphone *microphone, steno_capture_counts *out_counts);

#ifdef __cplusplus
}
#endif

#endif
