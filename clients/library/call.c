/*
 * The life of a call, on gRPC's operations, each of which is out once at most:
 *
 *     opening     the call goes to the server; returns when a connection has taken it
 *     writing     one message, or the half close after the last
 *     greeting    the server's headers
 *     reading     the next message, as long as there is room for it in the inbox: beyond that flow
 *                 control holds the server back
 *     ending      the status, when all is over
 *
 * Operations are begun with the owner's lock held and return on the network's thread, which takes
 * it.  `busy` covers the time after that in which the owner is told without the lock, so that
 * call_destroy does not pull the memory from under it.
 */
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "network_private.h"

enum { INBOX_MESSAGES = 8 };

struct call {
    /* Constant. */
    network *network;
    grpc_call *grpc;
    call_owner owner;
    operation opening, writing, greeting, reading, ending;

    /* With the owner's lock. */
    unsigned out; /* operations */
    unsigned busy;
    bool is_opened, is_writing, is_closed, is_greeted, is_reading, is_ended;
    grpc_byte_buffer *outgoing;
    grpc_byte_buffer *incoming;
    grpc_byte_buffer *inbox[INBOX_MESSAGES]; /* a ring */
    size_t inbox_first, inbox_count;
    grpc_slice taken; /* the message that call_take gave last */
    bool has_taken;

    grpc_metadata_array headers, trailers;
    grpc_status_code code;
    grpc_slice details;
    char details_text[512];
};

/* With the lock. */
static void start(call *self, const grpc_op *op, operation *tag)
{
    self->out++;
    atomic_fetch_add_explicit(&self->network->begun, 1, memory_order_release);
    if (grpc_call_start_batch(self->grpc, op, 1, tag, NULL) != GRPC_CALL_OK) {
        self->out--;
        grpc_call_cancel(self->grpc, NULL);
    }
}

/* ---- Sending ---- */

static void send_next(call *self)
{
    if (!self->is_opened || self->is_writing || self->is_closed || self->is_ended)
        return;
    const uint8_t *bytes;
    size_t size;
    call_pulled pulled = self->owner.pull(self->owner.context, &bytes, &size);
    if (pulled == CALL_NOTHING)
        return;
    self->is_writing = true;
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    if (pulled == CALL_MESSAGE) {
        grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, size);
        self->outgoing = grpc_raw_byte_buffer_create(&slice, 1);
        grpc_slice_unref(slice);
        op = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
        op.data.send_message.send_message = self->outgoing;
    }
    self->is_closed = pulled == CALL_CLOSE;
    start(self, &op, &self->writing);
}

void call_push(call *self)
{
    send_next(self);
}

/* ---- Receiving ---- */

static void read_next(call *self)
{
    if (!self->is_greeted || self->is_reading || self->is_ended ||
        self->inbox_count == INBOX_MESSAGES)
        return;
    self->is_reading = true;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &self->incoming;
    start(self, &op, &self->reading);
}

bool call_has_message(const call *self)
{
    return self->inbox_count > 0;
}

bool call_take(call *self, const uint8_t **out_bytes, size_t *out_size)
{
    if (self->has_taken)
        grpc_slice_unref(self->taken);
    self->has_taken = false;
    while (self->inbox_count > 0 && !self->has_taken) {
        grpc_byte_buffer *buffer = self->inbox[self->inbox_first];
        self->inbox_first = (self->inbox_first + 1) % INBOX_MESSAGES;
        self->inbox_count--;
        grpc_byte_buffer_reader reader;
        if (grpc_byte_buffer_reader_init(&reader, buffer)) {
            self->taken = grpc_byte_buffer_reader_readall(&reader);
            grpc_byte_buffer_reader_destroy(&reader);
            self->has_taken = true;
        }
        grpc_byte_buffer_destroy(buffer);
        read_next(self);
    }
    if (!self->has_taken)
        return false;
    *out_bytes = GRPC_SLICE_START_PTR(self->taken);
    *out_size = GRPC_SLICE_LENGTH(self->taken);
    return true;
}

/* ---- What gRPC returns ---- */

static void lock(call *self)
{
    pthread_mutex_lock(self->owner.lock);
    self->out--;
}

/* Tells the owner; afterwards the call may be gone. */
static void unlock(call *self)
{
    call_owner owner = self->owner;
    self->busy++;
    pthread_cond_broadcast(owner.cond);
    pthread_mutex_unlock(owner.lock);
    if (owner.changed != NULL)
        owner.changed(owner.context);
    pthread_mutex_lock(owner.lock);
    self->busy--;
    pthread_cond_broadcast(owner.cond);
    pthread_mutex_unlock(owner.lock);
}

static void on_opened(void *owner, bool success)
{
    call *self = owner;
    lock(self);
    self->is_opened = success;
    send_next(self);
    unlock(self);
}

static void on_written(void *owner, bool success)
{
    call *self = owner;
    lock(self);
    self->is_writing = false;
    if (self->outgoing != NULL)
        grpc_byte_buffer_destroy(self->outgoing);
    self->outgoing = NULL;
    /* Without success the call is dying, and ending will say so. */
    if (success)
        send_next(self);
    unlock(self);
}

static void on_greeted(void *owner, bool success)
{
    call *self = owner;
    lock(self);
    self->is_greeted = success;
    read_next(self);
    unlock(self);
}

static void on_read(void *owner, bool success)
{
    call *self = owner;
    lock(self);
    self->is_reading = false;
    if (self->incoming != NULL && success) {
        size_t place = (self->inbox_first + self->inbox_count) % INBOX_MESSAGES;
        self->inbox[place] = self->incoming;
        self->inbox_count++;
        self->incoming = NULL;
        read_next(self);
    } else if (self->incoming != NULL) {
        grpc_byte_buffer_destroy(self->incoming);
        self->incoming = NULL;
    }
    unlock(self);
}

static void on_ended(void *owner, bool success)
{
    call *self = owner;
    lock(self);
    self->is_ended = true;
    size_t size = GRPC_SLICE_LENGTH(self->details);
    if (size > sizeof self->details_text - 1)
        size = sizeof self->details_text - 1;
    memcpy(self->details_text, GRPC_SLICE_START_PTR(self->details), size);
    unlock(self);
}

bool call_is_over(const call *self)
{
    return self->is_ended && !self->is_reading && self->inbox_count == 0;
}

int call_code(const call *self)
{
    return (int)self->code;
}

const char *call_details(const call *self)
{
    return self->details_text;
}

bool call_was_opened(const call *self)
{
    return self->is_opened;
}

/* ---- Beginning and end ---- */

static void begin(call *self, const char *authorization)
{
    grpc_metadata header;
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    if (authorization != NULL) {
        header = (grpc_metadata){
            .key = grpc_slice_from_static_string("authorization"),
            .value = grpc_slice_from_copied_string(authorization),
        };
        op.data.send_initial_metadata.count = 1;
        op.data.send_initial_metadata.metadata = &header;
    }
    start(self, &op, &self->opening);
    if (authorization != NULL)
        grpc_slice_unref(header.value);

    op = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &self->headers;
    start(self, &op, &self->greeting);

    op = (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &self->trailers;
    op.data.recv_status_on_client.status = &self->code;
    op.data.recv_status_on_client.status_details = &self->details;
    start(self, &op, &self->ending);
}

static gpr_timespec deadline_after(uint32_t timeout_ms)
{
    if (timeout_ms == 0)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(
        gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

steno_status call_create(connection *to, const char *path, uint32_t timeout_ms,
    const call_owner *owner, call **out_call, steno_error *error)
{
    call *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    self->network = to->network;
    self->owner = *owner;
    self->opening = (operation){on_opened, self};
    self->writing = (operation){on_written, self};
    self->greeting = (operation){on_greeted, self};
    self->reading = (operation){on_read, self};
    self->ending = (operation){on_ended, self};
    self->code = GRPC_STATUS_UNKNOWN;
    self->details = grpc_empty_slice();
    grpc_metadata_array_init(&self->headers);
    grpc_metadata_array_init(&self->trailers);
    grpc_slice method = grpc_slice_from_copied_string(path);
    self->grpc = grpc_channel_create_call(to->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
        to->network->queue, method, NULL, deadline_after(timeout_ms), NULL);
    grpc_slice_unref(method);
    pthread_mutex_lock(owner->lock);
    begin(self, to->authorization);
    pthread_mutex_unlock(owner->lock);
    *out_call = self;
    return STENO_OK;
}

void call_destroy(call *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock(self->owner.lock);
    /* Nothing new is begun from here on. */
    self->is_opened = self->is_greeted = false;
    if (!self->is_ended)
        grpc_call_cancel(self->grpc, NULL);
    while (self->out > 0 || self->busy > 0)
        pthread_cond_wait(self->owner.cond, self->owner.lock);
    pthread_mutex_unlock(self->owner.lock);
    for (size_t i = 0; i < self->inbox_count; i++)
        grpc_byte_buffer_destroy(self->inbox[(self->inbox_first + i) % INBOX_MESSAGES]);
    if (self->has_taken)
        grpc_slice_unref(self->taken);
    grpc_slice_unref(self->details);
    grpc_metadata_array_destroy(&self->headers);
    grpc_metadata_array_destroy(&self->trailers);
    grpc_call_unref(self->grpc);
    memory_free(self);
}
