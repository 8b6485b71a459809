/*
 * Streaming calls.
 *
 *     first message:   config          -> session
 *     other messages:  audio, flush    -> session_offer, and no call_read before all is taken:
 *                                         flow control holds the client back
 *     ready:           the engine has results or room: session_advance, session_next
 *     half close:      session_finish; after the last result the call ends
 *
 * After the half close a response is held until the next one, or the end, is known: the last one
 * carries the length of the audio.
 *
 * A session that ends before its client does (single_utterance, a timeout) goes on reading and
 * drops what it reads; the call ends with the client's half close.
 */
#include "base/error.h"
#include "base/memory.h"
#include "services/recognition_private.h"
#include "system/alarms.h"

/* How often a silence that may become too long is looked at. */
enum { WATCH_MS = 100 };

typedef struct streaming {
    recognition *all;
    const wire_protocol *protocol;
    call *call;
    wire_request request; /* of the message in hand: its audio is borrowed by the session */
    session *session;     /* NULL before the configuration */
    wire_output output;
    bool held;    /* output has a response that waits for being the last or not */
    bool reading; /* a message was asked for and has not come */
    bool half_closed;
    uint64_t half_closed_ms; /* when */
    bool ended;              /* the session has given its last result */
    uint64_t told_ms;        /* audio recognised, as last told to a client that asks for it */

    /* Where each audio message is answered. */
    wire_output partial; /* the newest interim result; empty: none since the last final */
    bool due;            /* a message has come and is not answered */
    bool answered;       /* a final has gone out that answers the message or the next one */
    bool final_at_end;   /* a final has gone out after the half close */
} streaming;

static void *begin(void *context, call *rpc)
{
    const recognition_service *service = context;
    streaming *s = memory_allocate(1, sizeof *s);
    if (s == NULL) {
        call_finish(rpc, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    s->all = service->all;
    s->protocol = service->protocol;
    s->call = rpc;
    wire_request_init(&s->request);
    wire_output_init(&s->output);
    wire_output_init(&s->partial);
    s->all->streams++;
    s->all->streams_total++;
    s->reading = true;
    call_read(rpc);
    return s;
}

static void end(void *context)
{
    streaming *s = context;
    s->all->streams--;
    session_destroy(s->session);
    wire_request_finish(&s->request);
    wire_output_finish(&s->output);
    wire_output_finish(&s->partial);
    memory_free(s);
}

static void wake(void *context)
{
    call_wake(context);
}

/* Responses. */

static bool answers_messages(const streaming *s)
{
    return s->protocol->answers_each_message && session_get_config(s->session)->interim;
}

static void send(streaming *s, wire_output *output)
{
    if (output->failed)
        call_finish(s->call, CALL_RESOURCE_EXHAUSTED, "out of memory");
    else
        call_write(s->call, output->bytes, output->size);
}

static void send_held(streaming *s)
{
    if (s->held)
        send(s, &s->output);
    s->held = false;
    wire_output_clear(&s->output);
}

static void give(streaming *s, const session_output *from)
{
    const wire_config *config = session_get_config(s->session);
    bool is_final = !from->is_event && from->result.result->is_final;
    send_held(s);
    wire_output_clear(&s->partial);
    if (answers_messages(s) && !is_final) {
        s->protocol->write_result(&s->partial, config, &from->result);
        return;
    }
    if (from->is_event)
        s->protocol->write_event(&s->output, config, from->event, from->event_ms);
    else
        s->protocol->write_result(&s->output, config, &from->result);
    s->answered |= is_final;
    s->final_at_end |= is_final && s->half_closed;
    s->held = true;
    if (!s->half_closed || s->protocol->write_last == NULL)
        send_held(s);
}

static void answer_message(streaming *s)
{
    if (!s->due || !answers_messages(s))
        return;
    s->due = false;
    if (!s->answered) {
        if (s->partial.size == 0)
            s->protocol->write_empty(&s->partial, false);
        send(s, &s->partial);
    }
    s->answered = false;
}

static void give_last(streaming *s)
{
    if (s->held && s->protocol->write_last != NULL)
        s->protocol->write_last(&s->output, session_audio_ms(s->session));
    send_held(s);
    if (s->protocol->write_empty != NULL && !s->final_at_end) {
        s->protocol->write_empty(&s->output, true);
        s->held = true;
        send_held(s);
    }
}

/* Gives what there is, as far as the client takes it. */
static void drain(streaming *s)
{
    while (!s->ended && !call_is_finished(s->call) && call_can_write(s->call)) {
        session_output output;
        steno_error error;
        steno_status status = session_next(s->session, &output, &error);
        if (status == STENO_OK) {
            give(s, &output);
        } else if (status == STENO_END) {
            s->ended = true;
        } else {
            if (status < 0) {
                send_held(s);
                recognition_fail(s->call, &error);
            }
            return;
        }
    }
}

/* Between results: what is recognised shall not stay unknown while nobody speaks. */
static void tell_progress(streaming *s)
{
    uint32_t every_ms = session_get_config(s->session)->progress_ms;
    uint64_t done_ms = session_done_ms(s->session);
    if (every_ms == 0 || s->protocol->write_progress == NULL || s->held || s->ended ||
        done_ms - s->told_ms < every_ms || !call_can_write(s->call))
        return;
    s->told_ms = done_ms;
    s->protocol->write_progress(&s->output, done_ms);
    s->held = true;
    send_held(s);
}

static void watch(streaming *s)
{
    if (!session_is_timed(s->session))
        return;
    call_wake_at(s->call, alarms_now_ms() + WATCH_MS);
}

/* Everything that can be done now. */
static void advance(void *context)
{
    streaming *s = context;
    if (s->session == NULL || call_is_finished(s->call))
        return;
    steno_error error;
    steno_status status = session_advance(s->session, &error);
    if (status < 0) {
        recognition_fail(s->call, &error);
        return;
    }
    drain(s);
    if (call_is_finished(s->call))
        return;
    tell_progress(s);
    if (status == STENO_FULL)
        return;
    answer_message(s);
    if (s->ended && s->half_closed) {
        give_last(s);
        call_finish(s->call, CALL_OK, "");
        if (s->all->answered != NULL)
            s->all->answered(s->all->answered_context, alarms_now_ms() - s->half_closed_ms);
    } else if (!s->reading && !s->half_closed && call_can_write(s->call)) {
        s->reading = true;
        call_read(s->call);
    }
    watch(s);
}

/* Messages. */

static steno_status take_config(streaming *s, steno_error *error)
{
    if (s->session != NULL)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "streaming_request: a configuration comes in the first message only");
    recognition_name_request(s->all, s->call, &s->request.config);
    return speech_begin_session(
        s->all->speech, &s->request.config, wake, s->call, &s->session, error);
}

static steno_status take_request(streaming *s, steno_error *error)
{
    if (s->request.part == WIRE_CONFIG)
        return take_config(s, error);
    if (s->session == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT,
            "streaming_request: the first message must have the configuration");
    if (s->request.part == WIRE_NOTHING)
        return error_set(error, STENO_ERROR_ARGUMENT, "streaming_request: a message without audio");
    if (s->request.part == WIRE_FLUSH) {
        session_flush(s->session);
    } else {
        s->due = true;
        session_offer(s->session, s->request.audio, s->request.audio_size);
    }
    return STENO_OK;
}

static void message(void *context, const uint8_t *bytes, size_t size)
{
    streaming *s = context;
    steno_error error;
    s->reading = false;
    steno_status status = s->protocol->read_streaming(&s->request, bytes, size, &error);
    if (status == STENO_OK)
        status = take_request(s, &error);
    if (status != STENO_OK)
        recognition_fail(s->call, &error);
    else
        advance(s);
}

static void half_close(void *context)
{
    streaming *s = context;
    s->reading = false;
    s->half_closed = true;
    s->half_closed_ms = alarms_now_ms();
    if (s->session == NULL) {
        call_finish(s->call, CALL_INVALID_ARGUMENT,
            "streaming_request: the call ended before its configuration");
        return;
    }
    session_finish(s->session);
    advance(s);
}

const call_method streaming_method = {
    .client_streams = true,
    .recognises = true,
    .begin = begin,
    .message = message,
    .half_close = half_close,
    .ready = advance,
    .end = end,
};
