/*
 * Speech: one engine and one model, and the sessions and streams that begin with them.  Of who asks
 * for them, calls or captures, it knows nothing.
 *
 *     speech_create(&options, &speech, &error);
 *     speech_begin_session(speech, &config, ready, context, &session, &error);
 *     ...
 *     speech_destroy(speech);                     after all sessions
 */
#ifndef SPEECH_SPEECH_H
#define SPEECH_SPEECH_H

#include <stddef.h>
#include <stdint.h>

#include "speech/fingerprint.h"
#include "speech/session.h"
#include "steno/engine.h"
#include "steno/model.h"
#include "steno/status.h"
#include "steno/stream.h"
#include "system/log.h"

typedef struct speech_options {
    const char *model_path; /* borrowed during create; NULL: steno_model_default_path() */
    steno_precision precision;
    uint32_t threads;    /* workers; 0: one per core */
    uint32_t backlog_ms; /* audio that a stream may have waiting before its call is not read on */
    uint32_t chunk_ms;   /* latency against accuracy; 0: the model's largest */
    uint32_t beam;       /* hypotheses kept, accuracy against streams; 0: the model's */
    log_sink *log;       /* for transcripts, where it wants them; borrowed until destroy */
} speech_options;

typedef struct speech speech;

/* Opens the model and starts the engine.  Errors as steno_model_open and steno_engine_create. */
steno_status speech_create(const speech_options *options, speech **out_speech, steno_error *error);

/* Changing the model, the precision, the chunk, the beam and the backlog while calls are under way:
 *
 *     speech_prepare(speech, &options, &change, &error);     on any one thread; takes its time
 *     speech_commit(speech, change);                         or speech_abandon(change)
 *
 * Sessions that have begun go on with what they began with; those that begin get the new.  What
 * `options` says of threads is ignored.  A model file that is the one in use, unchanged, is not
 * opened again.  Errors of prepare as of create; nothing has changed then. */
typedef struct speech_change speech_change;
steno_status speech_prepare(
    speech *speech, const speech_options *options, speech_change **out_change, steno_error *error);
void speech_commit(speech *speech, speech_change *change);
/* NULL is fine. */
void speech_abandon(speech_change *change);

/* What is recognised with now: a reference, for the caller to give back, and what tells the file
 * from others by its contents.  Any thread. */
steno_model *speech_model(speech *speech);
steno_model *speech_identify(speech *speech, char out_id[FINGERPRINT_BYTES]);
/* A session with the model and settings of this moment; any thread.  As session_create. */
steno_status speech_begin_session(speech *speech, const wire_config *config,
    void (*ready)(void *context), void *context, session **out_session, steno_error *error);
/* A stream of the engine's with the model, the beam and, where options->chunk_ms is 0, the chunk of
 * this moment, whose model is in *out_model, borrowed from the stream.  As
 * steno_stream_create; any thread. */
steno_status speech_begin_stream(speech *speech, steno_stream_options *options,
    steno_stream **out_stream, const steno_model **out_model, steno_error *error);
/* Whether streams that begin now get another model than this one; any thread. */
bool speech_has_other_model(speech *speech, const steno_model *model);
/* The engine, for its numbers; as long as speech. */
const steno_engine *speech_engine(const speech *speech);

/* After all sessions and streams.  NULL is fine. */
void speech_destroy(speech *speech);

#endif
