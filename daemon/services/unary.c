/* Unary calls: a whole recording in one message and its transcript in another; and questions that
 * are answered at once. */
#include "base/error.h"
#include "base/memory.h"
#include "services/recognition_private.h"

/* ---- Recognition ---- */

typedef struct unary {
    recognition *all;
    const wire_protocol *protocol;
    call *call;
    wire_request request; /* its audio is borrowed by the session */
    session *session;
    wire_output output; /* the response as far as it is known */
} unary;

static void *unary_begin(void *context, call *rpc)
{
    const recognition_service *service = context;
    unary *u = memory_allocate(1, sizeof *u);
    if (u == NULL) {
        call_finish(rpc, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    u->all = service->all;
    u->protocol = service->protocol;
    u->call = rpc;
    wire_request_init(&u->request);
    wire_output_init(&u->output);
    u->all->streams++;
    u->all->streams_total++;
    call_read(rpc);
    return u;
}

static void unary_end(void *context)
{
    unary *u = context;
    u->all->streams--;
    session_destroy(u->session);
    wire_request_finish(&u->request);
    wire_output_finish(&u->output);
    memory_free(u);
}

static void wake(void *context)
{
    call_wake(context);
}

static void respond(call *rpc, const wire_output *output)
{
    if (output->failed) {
        call_finish(rpc, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    call_write(rpc, output->bytes, output->size);
    call_finish(rpc, CALL_OK, "");
}

static void unary_advance(void *context)
{
    unary *u = context;
    if (u->session == NULL || call_is_finished(u->call))
        return;
    const wire_config *config = session_get_config(u->session);
    steno_error error;
    steno_status status = session_advance(u->session, &error);
    session_output from;
    while (status >= 0 && (status = session_next(u->session, &from, &error)) == STENO_OK)
        if (!from.is_event)
            u->protocol->write_whole(&u->output, config, &from.result);
    if (status < 0) {
        recognition_fail(u->call, &error);
    } else if (status == STENO_END) {
        u->protocol->write_whole_end(&u->output, config, session_audio_ms(u->session));
        respond(u->call, &u->output);
    }
}

static void unary_message(void *context, const uint8_t *bytes, size_t size)
{
    unary *u = context;
    steno_error error;
    steno_status status = u->protocol->read_whole(&u->request, bytes, size, &error);
    recognition_name_request(u->all, u->call, &u->request.config);
    if (status == STENO_OK)
        status = speech_begin_session(
            u->all->speech, &u->request.config, wake, u->call, &u->session, &error);
    if (status != STENO_OK) {
        recognition_fail(u->call, &error);
        return;
    }
    session_offer(u->session, u->request.audio, u->request.audio_size);
    session_finish(u->session);
    unary_advance(u);
}

const call_method unary_method = {
    .recognises = true,
    .begin = unary_begin,
    .message = unary_message,
    .ready = unary_advance,
    .end = unary_end,
};

/* ---- Answers at once ---- */

typedef struct answering {
    const recognition_answer *method;
    call *call;
} answering;

static void *answer_begin(void *context, call *rpc)
{
    answering *a = memory_allocate(1, sizeof *a);
    if (a == NULL) {
        call_finish(rpc, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    a->method = context;
    a->call = rpc;
    call_read(rpc);
    return a;
}

static void answer_message(void *context, const uint8_t *bytes, size_t size)
{
    answering *a = context;
    steno_error error;
    wire_output output;
    wire_output_init(&output);
    steno_status status = a->method->answer(a->method->all, a->call, bytes, size, &output, &error);
    if (status == STENO_OK)
        respond(a->call, &output);
    else
        recognition_fail(a->call, &error);
    wire_output_finish(&output);
}

const call_method answer_method = {
    .begin = answer_begin,
    .message = answer_message,
    .end = memory_free,
};
