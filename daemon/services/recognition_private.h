/* What the recognising services share: recognition.c makes it and lists the methods; streaming.c,
 * unary.c and operations.c serve them. */
#ifndef SERVICES_RECOGNITION_PRIVATE_H
#define SERVICES_RECOGNITION_PRIVATE_H

#include "server/call.h"
#include "services/operations.h"
#include "services/recognition.h"
#include "speech/speech.h"
#include "wire/wire.h"

struct recognition {
    /* Constant once calls come. */
    speech *speech;
    operations *operations;
    struct method_table *methods;
    void (*answered)(void *context, uint64_t latency_ms); /* NULL: nobody wants to know */
    void *answered_context;

    /* The server's thread. */
    uint32_t streams, streams_total;
    int64_t last_request_id;
};

/* What a recognising method works for. */
typedef struct recognition_service {
    recognition *all;
    const wire_protocol *protocol;
} recognition_service;

/* A method that answers its message at once.  Writes the response to `output`. */
typedef struct recognition_answer {
    recognition *all;
    steno_status (*answer)(recognition *self, call *call, const uint8_t *bytes, size_t size,
        wire_output *output, steno_error *error);
} recognition_answer;

/* The same for all recognising methods: path and service are still to be set. */
extern const call_method streaming_method, unary_method, answer_method;

/* Of gRPC for ours, where the request has been at fault, or something here. */
call_status recognition_call_status(steno_status status);
/* Ends a call with an error. */
void recognition_fail(call *call, const steno_error *error);

/* Gives the request its number, and its call's id for the log. */
void recognition_name_request(recognition *self, const call *call, wire_config *config);

#endif
