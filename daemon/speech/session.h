/*
 * A session: one recognition, from a request's configuration and bytes of audio to results, the
 * same for all protocols, for streams, whole recordings and operations.
 *
 *     session_create(&setting, &config, &session, &error);
 *     session_offer(session, bytes, size);              for each message
 *     status = session_advance(session, &error);        STENO_FULL: again when `ready` was called
 *     while ((status = session_next(session, &output, &error)) == STENO_OK)
 *         ... output is a result or an event ...
 *     session_finish(session);  session_advance(...);   no more bytes; results until STENO_END
 *
 * One thread at a time; nothing waits, but destroy waits for a worker that has one of the streams
 * in hand.
 */
#ifndef SPEECH_SESSION_H
#define SPEECH_SESSION_H

#include "steno/engine.h"
#include "system/log.h"
#include "wire/wire.h"

/* What all sessions share; its strings and objects are borrowed during create. */
typedef struct session_setting {
    steno_engine *engine;
    steno_model *model;  /* the session takes a reference */
    uint32_t chunk_ms;   /* of requests that name none */
    uint32_t beam;       /* hypotheses kept while searching; 0: the model's */
    uint32_t backlog_ms; /* audio waiting in each stream before advance says STENO_FULL */
    /* Called on a worker thread when advance or next may have something to do. */
    void (*ready)(void *context);
    void *context;
    log_sink *log; /* for transcripts (heard.h); NULL: none.  Borrowed until destroy */
} session_setting;

typedef struct session session;

/* Copies config, phrases included.  Errors: ARGUMENT, UNSUPPORTED and LIMIT name what is wrong
 * with the request (what depends on the audio's header, advance tells later); MEMORY. */
steno_status session_create(const session_setting *setting, const wire_config *config,
    session **out_session, steno_error *error);
/* NULL is fine. */
void session_destroy(session *session);

/* More audio, borrowed until advance says that all was taken.  Only when it has. */
void session_offer(session *session, const uint8_t *bytes, size_t size);
/* After what was offered no more comes. */
void session_finish(session *session);
/* After what was offered, what was said so far becomes final. */
void session_flush(session *session);

/* Moves audio on as far as there is room.  STENO_OK: all that was offered is taken.  Errors:
 * ARGUMENT, FORMAT, UNSUPPORTED and LIMIT are the audio's or the request's fault.  Audio that is
 * damaged after a sound beginning is taken as if it ended there, and session_next tells after the
 * last result. */
steno_status session_advance(session *session, steno_error *error);
/* Bytes offered and not yet taken. */
size_t session_left(const session *session);

typedef struct session_output {
    bool is_event;
    wire_event event;
    uint64_t event_ms;  /* of audio */
    wire_result result; /* valid until the next session_next */
} session_output;

/* The next result or event; STENO_AGAIN: none now; STENO_END: there will be none.  With
 * single_utterance, or after a timeout, STENO_END comes before session_finish: audio offered after
 * that is dropped. */
steno_status session_next(session *session, session_output *out, steno_error *error);

/* Whether time must be watched: a timeout may pass without `ready` being called. */
bool session_is_timed(const session *session);

/* Audio that has come, and that is recognised (in all channels). */
uint64_t session_audio_ms(const session *session);
uint64_t session_done_ms(const session *session);
const wire_config *session_get_config(const session *session);

#endif
