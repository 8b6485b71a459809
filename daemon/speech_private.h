/* What the speech services share: speech.c makes it and lists the methods; streaming.c, unary.c and
 * operations.c serve them. */
#ifndef DAEMON_SPEECH_PRIVATE_H
#define DAEMON_SPEECH_PRIVATE_H

#include <pthread.h>
#include <sys/stat.h>

#include "daemon/call.h"
#include "daemon/operations.h"
#include "daemon/session.h"
#include "daemon/speech.h"
#include "daemon/wire.h"

/* The server's thread, but for what is constant and what the mutex guards. */
struct speech {
    steno_engine *engine;
    pthread_mutex_t mutex;
    session_setting setting; /* under the mutex; `ready` is each session's own */
    struct stat model_file;  /* what was opened; speech_prepare's caller's thread */
    steno_precision precision;
    char model_id[FINGERPRINT_BYTES];                     /* under the mutex */
    void (*answered)(void *context, uint64_t latency_ms); /* NULL: nobody wants to know */
    void *answered_context;
    operations *operations;
    uint32_t streams, streams_total;
    int64_t last_request_id;
    struct speech_services *services;
};

/* What a recognising method works for. */
typedef struct speech_service {
    speech *speech;
    const wire_protocol *protocol;
} speech_service;

/* A method that answers its message at once.  Writes the response to `output`. */
typedef struct speech_answer {
    speech *speech;
    steno_status (*answer)(speech *speech, call *call, const uint8_t *bytes, size_t size,
        wire_output *output, steno_error *error);
} speech_answer;

/* The same for all recognising methods: path and service are still to be set. */
extern const call_method streaming_method, unary_method, answer_method;

/* Of gRPC for ours, where the request has been at fault, or something here. */
call_status speech_call_status(steno_status status);
/* Ends a call with an error. */
void speech_fail(call *call, const steno_error *error);

/* Gives the request its number, and its call's id for the log. */
void speech_name_request(speech *speech, const call *call, wire_config *config);

/* A session with the model and settings of this moment; any thread.  As session_create. */
steno_status speech_begin_session(speech *speech, const wire_config *config,
    void (*ready)(void *context), void *context, session **out_session, steno_error *error);

#endif
