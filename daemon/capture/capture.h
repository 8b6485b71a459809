/*
 * One capture, from its sound to its captions; captures.c has all of them, each on a thread of its
 * own.
 *
 *     capture_init(&capture, &shared, &setting, source, &error);
 *     capture_run(&capture);                  until shared.stopping
 *     capture_finish(&capture);
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdatomic.h>

#include "captions/captions.h"
#include "capture/sound.h"
#include "settings/capture_options.h"
#include "speech/speech.h"
#include "system/log.h"

/* What all captures share. */
typedef struct capture_shared {
    /* Constant. */
    speech *speech;
    log_sink *log;
    int stop_fd; /* an eventfd, to be read from once stopping */

    /* Any thread.  at_once: without recognising what was heard. */
    _Atomic bool stopping, at_once;
} capture_shared;

typedef struct capture {
    /* Constant. */
    capture_shared *all;
    const capture_setting *setting;
    captions_source *source;
    steno_phrase *phrases; /* [setting->phrases.count] */
    int ready_fd;          /* an eventfd: the stream has something */

    /* The thread's. */
    sound *sound;
    sound_info info;      /* once `listening` */
    steno_stream *stream; /* NULL: nothing was heard yet */
    const steno_model *model;
    bool listening;
    bool was_told; /* the log, that it listens; of a file that is repeated once */
    bool is_muted; /* readers were told */
    uint64_t silent_frames;
    uint64_t origin_ms; /* audio of earlier streams */
    uint64_t lost_ms;
    uint32_t gaps, overruns, overruns_before; /* of this sound; of those before */
    uint64_t looked_ms, stop_ms;
    uint32_t retry_ms;
    char reason[sizeof(((steno_error *)NULL)->message)];
} capture;

/* All borrowed until finish, which is fine after an error, too.  Errors: of settings that the model
 * does not go with, naming their place in the file; MEMORY; IO (no descriptors left). */
steno_status capture_init(capture *self, capture_shared *all, const capture_setting *setting,
    captions_source *source, steno_error *error);
void capture_finish(capture *self);

/* Listens until `stopping`, then publishes the last words and ends the source. */
void capture_run(capture *self);

#endif
