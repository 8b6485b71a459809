/*
 * Calls coming and going.  Each that a client begins is put on the server's list, whether it is
 * taken or refused (a refusal, too, is on its way for a while), and leaves it when it is over; only
 * a flood of them is cut off without.
 */
#include <grpc/slice.h>
#include <stdio.h>
#include <string.h>

#include "server/private.h"

static void enlist(server *self, call *one)
{
    one->next = self->calls;
    if (one->next != NULL)
        one->next->previous = one;
    self->calls = one;
    self->call_count++;
}

void server_forget(server *self, call *one)
{
    if (one->previous != NULL)
        one->previous->next = one->next;
    else
        self->calls = one->next;
    if (one->next != NULL)
        one->next->previous = one->previous;
    self->call_count--;
    if (one->counts)
        atomic_fetch_sub(&self->streams, 1);
    if (one->lasts)
        self->lasting--;
    if (self->limits.ended != NULL)
        self->limits.ended(
            self->limits.context, &(server_report){.method = one->method,
                                      .call = one,
                                      .status = one->status,
                                      .message = one->message,
                                      .refusal = one->refusal,
                                      .duration_ms = alarms_now_ms() - one->began_ms});
}

static const call_method *find_method(const server *self, grpc_slice path)
{
    for (size_t i = 0; i < self->method_count; i++)
        if (grpc_slice_str_cmp(path, self->methods[i]->path) == 0)
            return self->methods[i];
    return NULL;
}

static uint32_t streams_of_client(const server *self, const char *client)
{
    uint32_t count = 0;
    for (const call *one = self->calls; one != NULL; one = one->next)
        count += one->counts && strcmp(one->client, client) == 0;
    return count;
}

/* Notes why a call can't be taken. */
static call_status object(call *one, server_refusal refusal, call_status status)
{
    one->refusal = refusal;
    return status;
}

/* What there is to say against one more stream. */
static call_status object_to_stream(
    const server *self, call *one, uint32_t max_of_client, char *message, size_t size)
{
    uint32_t max_streams = atomic_load(&self->max_streams);
    if (atomic_load(&self->streams) >= max_streams) {
        snprintf(message, size, "the server's limit of %u streams at once is reached", max_streams);
        return object(one, SERVER_TOO_MANY_STREAMS, CALL_RESOURCE_EXHAUSTED);
    }
    if (max_of_client > 0 && streams_of_client(self, one->client) >= max_of_client) {
        snprintf(message, size, "the limit of %u streams at once of one client is reached",
            max_of_client);
        return object(one, SERVER_CLIENT_TOO_MANY, CALL_RESOURCE_EXHAUSTED);
    }
    return CALL_OK;
}

/* Why the call that was requested can't be taken; CALL_OK if it can. */
static call_status objection(const server *self, call *one, char *message, size_t size)
{
    const server_options *limits = &self->limits;
    if (one->method == NULL) {
        grpc_slice path = self->details.method;
        int length = GRPC_SLICE_LENGTH(path) < 200 ? (int)GRPC_SLICE_LENGTH(path) : 200;
        snprintf(message, size, "the server has no method %.*s", length,
            (const char *)GRPC_SLICE_START_PTR(path));
        return object(one, SERVER_NO_SUCH_METHOD, CALL_UNIMPLEMENTED);
    }
    if (self->phase >= SERVER_STOPPING ||
        (self->phase == SERVER_DRAINING && (one->method->recognises || one->method->lasts))) {
        snprintf(message, size, "the server is shutting down");
        return object(one, SERVER_SHUTTING_DOWN, CALL_UNAVAILABLE);
    }
    if (self->call_count >= limits->max_calls) {
        snprintf(
            message, size, "the server's limit of %u calls at once is reached", limits->max_calls);
        return object(one, SERVER_TOO_MANY_CALLS, CALL_RESOURCE_EXHAUSTED);
    }
    server_client client = {.max_streams = atomic_load(&self->max_streams_per_client)};
    snprintf(client.name, sizeof(client.name), "%s", one->client);
    if (limits->admit != NULL) {
        call_status status =
            limits->admit(limits->context, one, one->method, &client, message, size);
        if (status != CALL_OK)
            return object(one, SERVER_NOT_ADMITTED, status);
        snprintf(one->client, sizeof(one->client), "%s", client.name);
    }
    return one->method->recognises ? object_to_stream(self, one, client.max_streams, message, size)
                                   : CALL_OK;
}

static void accept_call(server *self)
{
    const call_method *method = find_method(self, self->details.method);
    /* Even refusing takes a call; a flood of them is cut off without one. */
    call *one = self->call_count < self->alarms.room
                    ? call_create(self, self->requested, &self->headers, method)
                    : NULL;
    if (one == NULL) {
        static const char cut[] = "the server has too many calls";
        grpc_call_cancel_with_status(self->requested, GRPC_STATUS_RESOURCE_EXHAUSTED, cut, NULL);
        grpc_call_unref(self->requested);
        if (self->limits.ended != NULL)
            self->limits.ended(self->limits.context, &(server_report){.method = method,
                                                         .status = CALL_RESOURCE_EXHAUSTED,
                                                         .message = cut,
                                                         .refusal = SERVER_TOO_MANY_CALLS});
        return;
    }
    one->began_ms = alarms_now_ms();
    one->deadline = self->details.deadline;
    char message[256];
    call_status status = objection(self, one, message, sizeof(message));
    enlist(self, one);
    if (status != CALL_OK) {
        call_refuse(one, status, message);
        return;
    }
    one->counts = method->recognises;
    one->lasts = method->lasts;
    self->lasting += one->lasts;
    if (one->counts) {
        atomic_fetch_add(&self->streams, 1);
        atomic_fetch_add(&self->streams_total, 1);
    }
    call_begin(one);
}

static void on_request(void *owner, bool success)
{
    server *self = owner;
    self->is_requesting = false;
    if (success)
        accept_call(self);
    grpc_call_details_destroy(&self->details);
    /* Without success gRPC is shutting down. */
    if (success)
        server_request_call(self);
}

void server_request_call(server *self)
{
    self->request = (operation){on_request, self};
    grpc_call_details_init(&self->details);
    self->is_requesting =
        grpc_server_request_call(self->grpc, &self->requested, &self->details, &self->headers,
            self->queue, self->queue, &self->request) == GRPC_CALL_OK;
}

void server_admit_lasting(server *self)
{
    if (self->limits.admit == NULL)
        return;
    for (call *one = self->calls; one != NULL; one = one->next) {
        server_client client = {0};
        char message[256];
        if (!one->lasts || one->finished)
            continue;
        call_status status = self->limits.admit(
            self->limits.context, one, one->method, &client, message, sizeof(message));
        if (status != CALL_OK)
            call_finish(one, status, message);
    }
}
