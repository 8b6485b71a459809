/*
 * The life of a call, on gRPC's operations:
 *
 *     closing     out from the beginning; returns when the call is over, whatever the reason
 *     reading     at most one out: the next message, or none for the client's half close
 *     writing     at most one out: the first of the queue
 *     finishing   once the queue is empty after call_finish: the status
 *     waking      an operation of nothing, which gRPC returns at once: how other threads get the
 *                 server's thread to call `ready` (gRPC's C core has no alarms of its own)
 *
 * When closing returns the session ends; when the others have returned, too, the memory goes.  A
 * cancelled read looks to gRPC's C core like a half close, so half_close may come just before an
 * end by cancellation.
 */
#include "server/call.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"
#include "server/call_private.h"
#include "system/connections.h"

const char *call_status_name(call_status status)
{
    static const char *const names[] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};
    return (unsigned)status < sizeof(names) / sizeof(names[0]) ? names[status] : "UNKNOWN";
}

/* ---- What is out, and the end of the memory ---- */

static void destroy(call *self)
{
    for (size_t i = 0; i < self->queue_count; i++)
        grpc_byte_buffer_destroy(self->queue[(self->queue_first + i) % CALL_QUEUE_MESSAGES]);
    while (self->copies != NULL) {
        header_copy *copy = self->copies;
        self->copies = copy->next;
        memory_free(copy);
    }
    grpc_metadata_array_destroy(&self->headers);
    grpc_slice_unref(self->answer_header.value);
    gpr_free(self->peer);
    grpc_call_unref(self->grpc);
    memory_free(self);
}

/* After is_over only what is out keeps it.  After the session's end nobody wakes it any more. */
static void release(call *self)
{
    if (self->is_over && self->out == 0 && !atomic_load(&self->is_woken))
        destroy(self);
}

static void start(call *self, const grpc_op *ops, size_t count, operation *tag)
{
    self->out++;
    if (grpc_call_start_batch(self->grpc, ops, count, tag, NULL) != GRPC_CALL_OK) {
        self->out--;
        grpc_call_cancel(self->grpc, NULL);
    }
}

/* Tells the session something unless it has finished. */
static void tell_ready(call *self)
{
    if (self->session != NULL && !self->finished && self->method->ready != NULL)
        self->method->ready(self->session);
}

/* ---- Writing ---- */

static grpc_op headers_op(call *self)
{
    self->sent_headers = true;
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    op.data.send_initial_metadata.metadata = &self->answer_header;
    op.data.send_initial_metadata.count = 1;
    return op;
}

static void send_message(call *self)
{
    grpc_op ops[2];
    size_t count = 0;
    if (!self->sent_headers)
        ops[count++] = headers_op(self);
    ops[count] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
    ops[count++].data.send_message.send_message = self->queue[self->queue_first];
    self->is_writing = true;
    start(self, ops, count, &self->writing);
}

static void send_status(call *self)
{
    grpc_op ops[2];
    size_t count = 0;
    grpc_slice details = grpc_slice_from_copied_string(self->message);
    if (!self->sent_headers)
        ops[count++] = headers_op(self);
    ops[count] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    ops[count].data.send_status_from_server.status = (grpc_status_code)self->status;
    ops[count++].data.send_status_from_server.status_details = &details;
    self->sent_status = true;
    start(self, ops, count, &self->finishing);
    grpc_slice_unref(details);
}

/* Sends what is next in order, if its time has come. */
static void send_next(call *self)
{
    if (self->is_over || self->is_writing)
        return;
    if (self->queue_count > 0)
        send_message(self);
    else if (self->finished && !self->sent_status)
        send_status(self);
}

static void take_first(call *self)
{
    grpc_byte_buffer *first = self->queue[self->queue_first];
    self->queue_first = (self->queue_first + 1) % CALL_QUEUE_MESSAGES;
    self->queue_count--;
    grpc_byte_buffer_destroy(first);
}

static void on_written(void *owner, bool success)
{
    call *self = owner;
    bool could_write = call_can_write(self);
    self->out--;
    self->is_writing = false;
    /* gRPC has taken the bytes out of the buffer, so its size is remembered apart. */
    self->queue_bytes -= self->queue_sizes[self->queue_first];
    take_first(self);
    /* Without success the call is dying, and closing will say so. */
    if (success) {
        send_next(self);
        if (!could_write && call_can_write(self))
            tell_ready(self);
    }
    release(self);
}

bool call_can_write(const call *self)
{
    if (self->method->writes_singly)
        return self->queue_count == 0;
    return self->queue_count < CALL_QUEUE_MESSAGES && self->queue_bytes < CALL_QUEUE_BYTES;
}

void call_write(call *self, const uint8_t *bytes, size_t size)
{
    if (self->finished || self->is_over)
        return;
    if (!call_can_write(self)) {
        call_finish(self, CALL_RESOURCE_EXHAUSTED, "the client does not fetch its answers");
        return;
    }
    size_t place = (self->queue_first + self->queue_count) % CALL_QUEUE_MESSAGES;
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, size);
    self->queue[place] = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    self->queue_sizes[place] = size;
    self->queue_count++;
    self->queue_bytes += size;
    send_next(self);
}

void call_finish(call *self, call_status status, const char *message)
{
    if (self->finished || self->is_over)
        return;
    self->finished = true;
    self->status = status;
    snprintf(self->message, sizeof(self->message), "%s", message);
    alarms_set(server_alarms(self->server), &self->alarm, alarms_now_ms() + CALL_LINGER_MS);
    send_next(self);
}

bool call_is_finished(const call *self)
{
    return self->finished;
}

static void on_finished(void *owner, bool success)
{
    call *self = owner;
    self->out--;
    release(self);
}

/* ---- Reading ---- */

void call_read(call *self)
{
    /* Of a call with one message the half close comes by itself. */
    if (self->finished || self->is_over || self->half_closed ||
        (self->has_message && !self->method->client_streams))
        return;
    assert(!self->is_reading);
    self->is_reading = true;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &self->incoming;
    start(self, &op, 1, &self->reading);
}

/* Hands over a message, which may lie in several slices. */
static void deliver(call *self, grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        call_finish(self, CALL_INTERNAL, "the message can't be read");
        return;
    }
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    self->has_message = true;
    self->method->message(self->session, GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all));
    grpc_slice_unref(all);
}

/* What has come whole is no flood (system/connections.h). */
static void note_heard(call *self, bool may_send)
{
    connections_heard(self->peer, (int)may_send - (int)self->may_send);
    self->may_send = may_send;
}

static void on_read(void *owner, bool success)
{
    call *self = owner;
    grpc_byte_buffer *buffer = self->incoming;
    self->incoming = NULL;
    self->out--;
    self->is_reading = false;
    bool wanted = success && self->session != NULL && !self->finished;
    if (success && !self->is_over)
        note_heard(self, buffer != NULL && self->method->client_streams);
    if (wanted && buffer != NULL)
        deliver(self, buffer);
    if (wanted && (buffer == NULL || !self->method->client_streams)) {
        self->half_closed = true;
        if (!self->has_message && !self->method->client_streams)
            call_finish(self, CALL_INVALID_ARGUMENT, "the request's message is missing");
        else if (!self->finished && self->method->half_close != NULL)
            self->method->half_close(self->session);
    }
    if (buffer != NULL)
        grpc_byte_buffer_destroy(buffer);
    release(self);
}

/* ---- Waking ---- */

void call_wake(call *self)
{
    if (!atomic_exchange(&self->is_woken, true))
        grpc_call_start_batch(self->grpc, NULL, 0, &self->waking, NULL);
}

static void on_woken(void *owner, bool success)
{
    call *self = owner;
    /* First, so that a call_wake from now on leads to another `ready`. */
    atomic_store(&self->is_woken, false);
    tell_ready(self);
    release(self);
}

void call_wake_at(call *self, uint64_t monotonic_ms)
{
    /* Afterwards the alarm watches over the lingering. */
    if (!self->finished && !self->is_over)
        alarms_set(server_alarms(self->server), &self->alarm, monotonic_ms);
}

void call_ring(call *self)
{
    if (self->finished)
        call_cancel(self, CALL_RESOURCE_EXHAUSTED, "the client does not fetch its answers");
    else
        tell_ready(self);
}

/* ---- Beginning and end ---- */

/* How it ended, where that was not call_finish's doing. */
static void note_end(call *self)
{
    if (self->was_cancelled == 0 || self->is_cut_off)
        return;
    bool is_late = gpr_time_cmp(self->deadline, gpr_now(self->deadline.clock_type)) <= 0;
    self->status = is_late ? CALL_DEADLINE_EXCEEDED : CALL_CANCELLED;
    snprintf(self->message, sizeof(self->message), "%s",
        is_late ? "the client's deadline is over" : "the client has gone");
}

static void on_closed(void *owner, bool success)
{
    call *self = owner;
    self->out--;
    self->is_over = true;
    alarms_remove(server_alarms(self->server), &self->alarm);
    if (self->session != NULL)
        self->method->end(self->session);
    self->session = NULL;
    note_heard(self, false);
    note_end(self);
    server_forget(self->server, self);
    release(self);
}

static bool is_sane_id(const char *id)
{
    size_t length = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return length > 0 && length < CALL_REQUEST_ID_BYTES && id[length] == '\0';
}

static void choose_request_id(call *self)
{
    const char *wanted = call_header(self, "x-request-id");
    unsigned char random[8] = {0};
    if (wanted != NULL && is_sane_id(wanted)) {
        snprintf(self->request_id, sizeof(self->request_id), "%s", wanted);
    } else {
        /* Never waits, for so few bytes; should it fail all the same the id is of no use. */
        (void)!getrandom(random, sizeof(random), GRND_NONBLOCK);
        for (size_t i = 0; i < sizeof(random); i++)
            snprintf(self->request_id + 2 * i, 3, "%02x", random[i]);
    }
    self->answer_header = (grpc_metadata){.key = grpc_slice_from_static_string("x-request-id"),
        .value = grpc_slice_from_copied_string(self->request_id)};
}

/* Length of the part of a peer that says who it is: "ipv4:127.0.0.1" of "ipv4:127.0.0.1:4711".
 * Unix peers, and those whose connections were handed over, have no names and count as one. */
static size_t client_length(const char *peer)
{
    const char *port = strrchr(peer, ':');
    bool is_nameless = strncmp(peer, "unix", 4) == 0 || strncmp(peer, "fd", 2) == 0;
    return is_nameless || port == NULL ? strcspn(peer, ":") : (size_t)(port - peer);
}

call *call_create(
    server *host, grpc_call *grpc, grpc_metadata_array *headers, const call_method *method)
{
    call *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return NULL;
    self->server = host;
    self->grpc = grpc;
    self->method = method;
    self->peer = grpc_call_get_peer(grpc);
    snprintf(
        self->client, sizeof(self->client), "%.*s", (int)client_length(self->peer), self->peer);
    self->headers = *headers;
    grpc_metadata_array_init(headers);
    choose_request_id(self);
    self->alarm.owner = self;
    self->reading = (operation){on_read, self};
    self->writing = (operation){on_written, self};
    self->finishing = (operation){on_finished, self};
    self->closing = (operation){on_closed, self};
    self->waking = (operation){on_woken, self};
    return self;
}

static void watch_close(call *self)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &self->was_cancelled;
    start(self, &op, 1, &self->closing);
}

void call_begin(call *self)
{
    note_heard(self, true);
    watch_close(self);
    self->session = self->method->begin(self->method->service, self);
    if (self->session == NULL)
        call_finish(self, CALL_INTERNAL, "the service could not begin");
}

void call_refuse(call *self, call_status status, const char *message)
{
    note_heard(self, false);
    watch_close(self);
    call_finish(self, status, message);
}

void call_cancel(call *self, call_status status, const char *message)
{
    self->is_cut_off = true;
    self->status = status;
    snprintf(self->message, sizeof(self->message), "%s", message);
    grpc_call_cancel_with_status(self->grpc, (grpc_status_code)status, message, NULL);
}

/* ---- About the client ---- */

const char *call_peer(const call *self)
{
    return self->peer;
}

const char *call_client(const call *self)
{
    return self->client;
}

bool call_certificate_name(const call *self, char *out_name, size_t size)
{
    grpc_auth_context *context = grpc_call_auth_context(self->grpc);
    /* Connections that were accepted elsewhere have none. */
    if (context == NULL)
        return false;
    grpc_auth_property_iterator names = grpc_auth_context_peer_identity(context);
    const grpc_auth_property *name = grpc_auth_property_iterator_next(&names);
    bool is_named = grpc_auth_context_peer_is_authenticated(context) && name != NULL &&
                    name->value_length < size &&
                    memchr(name->value, '\0', name->value_length) == NULL;
    if (is_named)
        snprintf(out_name, size, "%.*s", (int)name->value_length, name->value);
    grpc_auth_context_release(context);
    return is_named;
}

const char *call_request_id(const call *self)
{
    return self->request_id;
}

const char *call_header(const call *self, const char *key)
{
    size_t index = 0;
    const grpc_metadata_array *headers = &self->headers;
    while (index < headers->count && grpc_slice_str_cmp(headers->metadata[index].key, key) != 0)
        index++;
    if (index == headers->count)
        return NULL;
    for (const header_copy *copy = self->copies; copy != NULL; copy = copy->next)
        if (copy->index == index)
            return copy->text;
    grpc_slice value = headers->metadata[index].value;
    size_t size = GRPC_SLICE_LENGTH(value);
    header_copy *copy = memory_allocate(1, sizeof(*copy) + size + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy->text, GRPC_SLICE_START_PTR(value), size);
    copy->index = index;
    copy->next = self->copies;
    /* Nothing that can be seen of the call changes. */
    ((struct call *)self)->copies = copy;
    return copy->text;
}
