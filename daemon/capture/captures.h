/*
 * Captures: what the daemon listens to by itself.  Each has a thread that hears a sound, has it
 * recognised by a stream of the engine's, and publishes what was said as captions.
 *
 *     captures_create(&options, speech, log, &captures, &error);
 *     captures_start(captures, &error);
 *     ... captures_captions(captures): readers join and leave ...
 *     captures_stop(captures, false);      when draining: last words, then readers get STENO_END
 *     captures_destroy(captures);          after all readers have left
 */
#ifndef CAPTURE_CAPTURES_H
#define CAPTURE_CAPTURES_H

#include "captions/captions.h"
#include "settings/capture_options.h"
#include "speech/speech.h"
#include "system/log.h"

typedef struct captures captures;

/* All borrowed until destroy.  No capture at all is fine.  Errors: of a capture whose settings the
 * model does not go with, naming its place in the file; MEMORY; IO (no descriptors left). */
steno_status captures_create(const capture_options *options, speech *maker, log_sink *log,
    captures **out_captures, steno_error *error);
/* Begins to listen.  What can't be had is not an error but tried again and again.  Errors: IO (no
 * thread can be had). */
steno_status captures_start(captures *captures, steno_error *error);

/* Hears no more; what was heard is still recognised, unless `at_once`.  Does not wait.  Any
 * thread, also again. */
void captures_stop(captures *captures, bool at_once);
/* Waits until nothing more will be published after a stop, or for so long. */
void captures_wait(captures *captures, uint32_t most_ms);
/* Stops at once, if that has not been, and waits for the threads.  NULL is fine. */
void captures_destroy(captures *captures);

/* The hub; as long as the captures. */
captions *captures_captions(captures *captures);

#endif
