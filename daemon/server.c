/*
 * One completion queue, one thread that takes from it.  Whatever gRPC returns carries an operation
 * (call_private.h) that says whose it is; the server's own are
 *
 *     request    out from server_run on: the next call that a client begins
 *     bell       an operation of nothing on a channel that leads nowhere, to get the thread out of
 *                its wait: the ringer, a thread that does nothing but wait for server_shutdown's
 *                eventfd, starts it.  Signal handlers can't do that themselves (gRPC takes locks),
 *                and polling a flag would wake an idle machine for nothing.
 *     stopped    gRPC has let go of all connections
 *
 *     SERVING --server_shutdown--> LEAVING --notice is over--> DRAINING --no stream left, or time
 * is up--> STOPPING --> STOPPED
 */
#include "daemon/server.h"

#include <errno.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/call_private.h"
#include "daemon/connections.h"
#include "daemon/server_limits.h"
#include "daemon/server_place.h"
#include "daemon/server_tls.h"

/* How long idle connections may take to go once the last call has ended. */
#define GOODBYE_MS 500

typedef enum server_phase {
    SERVER_SERVING,
    SERVER_LEAVING, /* serving, and `draining` has been called */
    SERVER_DRAINING,
    SERVER_STOPPING,
    SERVER_STOPPED,
} server_phase;

struct server {
    /* Constant after create. */
    const call_method *const *methods; /* [method_count] */
    size_t method_count;
    server_options limits; /* its numbers and hook; the pointers to texts have gone */
    server_place *places;  /* [place_count] */
    size_t place_count;
    server_tls *tls; /* NULL: no certificates */
    grpc_server *grpc;
    grpc_completion_queue *queue;
    grpc_channel *nowhere;
    grpc_call *bell_call; /* on `nowhere`; never sends anything */
    int shutdown_fd;
    pthread_t ringer;
    bool has_ringer;

    /* Any thread. */
    _Atomic uint64_t refuse_at_ms, stop_at_ms; /* UINT64_MAX: not to */
    _Atomic bool is_rung;                      /* `bell` is out */
    _Atomic bool is_closing;                   /* the ringer is to go */
    _Atomic bool admits_again;                 /* calls that last are to be looked at */
    _Atomic uint32_t max_streams, max_streams_per_client;
    _Atomic uint32_t streams;
    _Atomic uint64_t streams_total;

    /* The server's thread. */
    server_phase phase;
    bool has_cancelled;        /* the calls, time being up */
    uint64_t disconnect_at_ms; /* UINT64_MAX: not yet; 0: done */
    uint64_t beat_at_ms;       /* UINT64_MAX: never */
    bool is_requesting;
    operation request, bell, stopped;
    grpc_call *requested;
    grpc_call_details details;
    grpc_metadata_array headers;
    call *calls;
    uint32_t call_count; /* refused ones included */
    uint32_t lasting;    /* of the calls that draining waits for beside streams */
    alarms alarms;
};

/* ---- Calls coming and going ---- */

alarms *server_alarms(server *self)
{
    return &self->alarms;
}

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

/* Why a call can't be taken; CALL_OK if it can. */
static call_status objection(const server *self, call *one, char *message, size_t size)
{
    const server_options *limits = &self->limits;
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
    call_status status = CALL_UNIMPLEMENTED;
    if (method != NULL)
        status = objection(self, one, message, sizeof(message));
    else
        snprintf(message, sizeof(message), "the server has no method %.*s",
            (int)(GRPC_SLICE_LENGTH(self->details.method) < 200
                      ? GRPC_SLICE_LENGTH(self->details.method)
                      : 200),
            (const char *)GRPC_SLICE_START_PTR(self->details.method));
    enlist(self, one);
    if (method == NULL)
        one->refusal = SERVER_NO_SUCH_METHOD;
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

static void request_call(server *self)
{
    grpc_call_details_init(&self->details);
    self->is_requesting =
        grpc_server_request_call(self->grpc, &self->requested, &self->details, &self->headers,
            self->queue, self->queue, &self->request) == GRPC_CALL_OK;
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
        request_call(self);
}

/* Ends the calls that last whose clients may no longer have them. */
static void admit_again(server *self)
{
    if (!atomic_exchange(&self->admits_again, false) || self->limits.admit == NULL)
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

void server_admit_again(server *self)
{
    atomic_store(&self->admits_again, true);
    eventfd_write(self->shutdown_fd, 1);
}

/* ---- Shutting down ---- */

static void on_bell(void *owner, bool success)
{
    server *self = owner;
    atomic_store(&self->is_rung, false);
}

static void *run_ringer(void *argument)
{
    server *self = argument;
    while (!atomic_load(&self->is_closing)) {
        eventfd_t count;
        if (eventfd_read(self->shutdown_fd, &count) != 0)
            continue;
        if (!atomic_load(&self->is_closing) && !atomic_exchange(&self->is_rung, true))
            grpc_call_start_batch(self->bell_call, NULL, 0, &self->bell, NULL);
    }
    return NULL;
}

static void put_forward(_Atomic uint64_t *at_ms, uint64_t wanted_ms)
{
    uint64_t before = atomic_load(at_ms);
    while (wanted_ms < before && !atomic_compare_exchange_weak(at_ms, &before, wanted_ms))
        ;
}

void server_shutdown(server *self, uint32_t notice_ms, uint32_t drain_ms)
{
    int kept = errno;
    uint64_t now = alarms_now_ms();
    /* In this order: who sees that it is to stop knows when to refuse. */
    put_forward(&self->refuse_at_ms, now + notice_ms);
    put_forward(&self->stop_at_ms, now + notice_ms + drain_ms);
    eventfd_write(self->shutdown_fd, 1);
    errno = kept;
}

static void on_stopped(void *owner, bool success)
{
    server *self = owner;
    self->phase = SERVER_STOPPED;
}

static void begin_stopping(server *self)
{
    self->phase = SERVER_STOPPING;
    for (call *one = self->calls; one != NULL; one = one->next)
        if (!one->counts)
            call_finish(one, CALL_UNAVAILABLE, "the server is shutting down");
    grpc_server_shutdown_and_notify(self->grpc, self->queue, &self->stopped);
}

/* All that is waited for has ended. */
static bool has_drained(const server *self)
{
    return atomic_load(&self->streams) == 0 && self->lasting == 0;
}

/* Goes on with what server_shutdown has begun, as far as it is time for. */
static void advance_shutdown(server *self, uint64_t now)
{
    uint64_t stop_at = atomic_load(&self->stop_at_ms);
    if (stop_at == UINT64_MAX)
        return;
    if (self->phase == SERVER_SERVING) {
        self->phase = SERVER_LEAVING;
        if (self->limits.draining != NULL)
            self->limits.draining(self->limits.context);
    }
    if (self->phase == SERVER_LEAVING && now >= atomic_load(&self->refuse_at_ms)) {
        self->phase = SERVER_DRAINING;
        if (self->limits.refusing != NULL)
            self->limits.refusing(self->limits.context);
    }
    if (self->phase == SERVER_DRAINING && (has_drained(self) || now >= stop_at))
        begin_stopping(self);
    if (self->phase != SERVER_STOPPING)
        return;
    if (now >= stop_at && !self->has_cancelled) {
        self->has_cancelled = true;
        for (call *one = self->calls; one != NULL; one = one->next)
            call_cancel(one, CALL_UNAVAILABLE, "the server is shutting down");
    }
    if (self->call_count == 0 && self->disconnect_at_ms == UINT64_MAX)
        self->disconnect_at_ms = now + GOODBYE_MS;
    if (self->disconnect_at_ms != 0 && now >= self->disconnect_at_ms) {
        self->disconnect_at_ms = 0;
        grpc_server_cancel_all_calls(self->grpc);
    }
}

/* ---- Running ---- */

/* When to wake although nothing has come. */
static uint64_t next_ms(const server *self)
{
    uint64_t next = alarms_next_ms(&self->alarms);
    uint64_t stop_at = atomic_load(&self->stop_at_ms);
    uint64_t refuse_at = atomic_load(&self->refuse_at_ms);
    if (self->phase <= SERVER_LEAVING && refuse_at < next)
        next = refuse_at;
    if (!self->has_cancelled && stop_at < next)
        next = stop_at;
    if (self->disconnect_at_ms != 0 && self->disconnect_at_ms < next)
        next = self->disconnect_at_ms;
    if (self->beat_at_ms < next)
        next = self->beat_at_ms;
    return next;
}

static gpr_timespec deadline_of(uint64_t at_ms)
{
    if (at_ms == UINT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return (gpr_timespec){.tv_sec = (int64_t)(at_ms / 1000),
        .tv_nsec = (int32_t)(at_ms % 1000 * 1000000),
        .clock_type = GPR_CLOCK_MONOTONIC};
}

/* Takes one event, if any comes in time.  Returns false once the queue has shut down. */
static bool take_event(server *self, uint64_t until_ms)
{
    grpc_event event = grpc_completion_queue_next(self->queue, deadline_of(until_ms), NULL);
    if (event.type == GRPC_OP_COMPLETE) {
        operation *tag = event.tag;
        tag->done(tag->owner, event.success != 0);
    }
    return event.type != GRPC_QUEUE_SHUTDOWN;
}

static bool is_running(const server *self)
{
    return self->phase != SERVER_STOPPED || self->call_count > 0 || self->is_requesting;
}

static void run_until_stopped(server *self)
{
    while (is_running(self)) {
        uint64_t now = alarms_now_ms();
        alarm_entry *due;
        while ((due = alarms_take_due(&self->alarms, now)) != NULL)
            call_ring(due->owner);
        if (now >= self->beat_at_ms) {
            self->beat_at_ms = now + self->limits.beat_ms;
            self->limits.beat(self->limits.context);
        }
        admit_again(self);
        advance_shutdown(self, now);
        if (is_running(self))
            take_event(self, next_ms(self));
    }
}

void server_run(server *self)
{
    if (!self->is_requesting)
        request_call(self);
    run_until_stopped(self);
}

void server_set_limits(server *self, uint32_t max_streams, uint32_t max_streams_per_client)
{
    atomic_store(&self->max_streams, max_streams);
    atomic_store(&self->max_streams_per_client, max_streams_per_client);
}

steno_status server_set_certificates(server *self, const char *certificate, const char *key,
    const char *client_ca, steno_error *error)
{
    return self->tls == NULL ? STENO_OK
                             : server_tls_replace(self->tls, certificate, key, client_ca, error);
}

void server_adopt(void *context, int fd)
{
    server *self = context;
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    grpc_server_add_channel_from_fd(self->grpc, fd, credentials);
    grpc_server_credentials_release(credentials);
}

uint32_t server_streams(const server *self)
{
    return atomic_load(&self->streams);
}

uint64_t server_streams_total(const server *self)
{
    return atomic_load(&self->streams_total);
}

/* ---- Listening ---- */

int server_port(const server *self, size_t address)
{
    return address < self->place_count ? self->places[address].port : 0;
}

/* ---- Creating and destroying ---- */

/* gRPC logs what clients do wrong; it speaks only when asked to by its own variables. */
static void keep_quiet(gpr_log_func_args *args) {}

static steno_status start_ringer(server *self, steno_error *error)
{
    self->shutdown_fd = eventfd(0, EFD_CLOEXEC);
    if (self->shutdown_fd < 0)
        return error_set(error, STENO_ERROR_IO, "can't create an eventfd: %s", strerror(errno));
    self->nowhere =
        grpc_lame_client_channel_create("nowhere", GRPC_STATUS_UNAVAILABLE, "leads nowhere");
    self->bell_call =
        grpc_channel_create_call(self->nowhere, NULL, GRPC_PROPAGATE_DEFAULTS, self->queue,
            grpc_slice_from_static_string("/"), NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    int code = pthread_create(&self->ringer, NULL, run_ringer, self);
    if (code != 0)
        return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
    self->has_ringer = true;
    return STENO_OK;
}

static steno_status start_server(server *self, const server_options *options, steno_error *error)
{
    self->places = memory_allocate(options->address_count, sizeof(*self->places));
    /* Twice: as many calls may be on their way out after a refusal. */
    if (self->places == NULL || alarms_init(&self->alarms, 2 * (size_t)options->max_calls) < 0)
        return error_memory(error);
    self->place_count = options->address_count;
    steno_status status = STENO_OK;
    if (options->max_connections > 0)
        status = connections_begin(options->max_connections, options->max_message_bytes, error);
    if (status == STENO_OK && options->tls_certificate != NULL)
        status = server_tls_create(options->tls_certificate, options->tls_key,
            options->tls_client_ca, options->address_count, &self->tls, error);
    if (status == STENO_OK)
        status = start_ringer(self, error);
    for (size_t i = 0; i < options->address_count && status == STENO_OK; i++)
        status = server_place_open(
            &self->places[i], self->grpc, options->addresses[i], i, self->tls, error);
    return status;
}

steno_status server_create(const server_options *options, const call_method *const *methods,
    size_t method_count, server **out_server, steno_error *error)
{
    if ((options->address_count == 0 && !options->adopts) || options->max_calls == 0)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "a server needs an address and room for calls");
    server *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->methods = methods;
    self->method_count = method_count;
    self->limits = *options;
    self->shutdown_fd = -1;
    self->refuse_at_ms = self->stop_at_ms = UINT64_MAX;
    self->disconnect_at_ms = UINT64_MAX;
    self->beat_at_ms = options->beat != NULL && options->beat_ms > 0 ? 0 : UINT64_MAX;
    server_set_limits(self, options->max_streams, options->max_streams_per_client);
    self->request = (operation){on_request, self};
    self->bell = (operation){on_bell, self};
    self->stopped = (operation){on_stopped, self};
    if (getenv("GRPC_VERBOSITY") == NULL && getenv("GRPC_TRACE") == NULL)
        gpr_set_log_function(keep_quiet);
    grpc_init();
    grpc_metadata_array_init(&self->headers);
    self->queue = grpc_completion_queue_create_for_next(NULL);
    self->grpc = server_limits_create(options);
    grpc_server_register_completion_queue(self->grpc, self->queue, NULL);
    steno_status status = start_server(self, options, error);
    grpc_server_start(self->grpc);
    if (status < 0) {
        server_destroy(self);
        return status;
    }
    *out_server = self;
    return STENO_OK;
}

static void stop_ringer(server *self)
{
    if (self->has_ringer) {
        atomic_store(&self->is_closing, true);
        eventfd_write(self->shutdown_fd, 1);
        pthread_join(self->ringer, NULL);
    }
    if (self->bell_call != NULL)
        grpc_call_unref(self->bell_call);
    if (self->nowhere != NULL)
        grpc_channel_destroy(self->nowhere);
    if (self->shutdown_fd >= 0)
        close(self->shutdown_fd);
}

void server_destroy(server *self)
{
    if (self == NULL)
        return;
    /* One that never ran, or did not start whole, has no calls but may have connections. */
    atomic_store(&self->refuse_at_ms, 0);
    atomic_store(&self->stop_at_ms, 0);
    run_until_stopped(self);
    stop_ringer(self);
    grpc_server_destroy(self->grpc);
    grpc_completion_queue_shutdown(self->queue);
    while (take_event(self, UINT64_MAX))
        ;
    grpc_completion_queue_destroy(self->queue);
    grpc_metadata_array_destroy(&self->headers);
    for (size_t i = 0; i < self->place_count; i++)
        server_place_close(&self->places[i]);
    memory_free(self->places);
    alarms_finish(&self->alarms);
    grpc_shutdown();
    server_tls_destroy(self->tls);
    connections_end();
    memory_free(self);
}
