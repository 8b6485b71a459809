/*
 * One completion queue, one thread that takes from it.  Whatever gRPC returns carries an operation
 * (completion.h) that says whose it is; beside those of the calls there are
 *
 *     request    out from server_run on: the next call that a client begins (calls.c)
 *     stopped    gRPC has let go of all connections
 *     the bell's (bell.h), when another thread or a signal's handler wants something
 *
 *     SERVING --server_shutdown--> LEAVING --notice is over--> DRAINING --no stream left, or time
 * is up--> STOPPING --> STOPPED
 */
#include "server/private.h"

#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "server/limits.h"
#include "system/connections.h"

/* How long idle connections may take to go once the last call has ended. */
#define GOODBYE_MS 500

/* ---- Shutting down ---- */

static void put_forward(_Atomic uint64_t *at_ms, uint64_t wanted_ms)
{
    uint64_t before = atomic_load(at_ms);
    while (wanted_ms < before && !atomic_compare_exchange_weak(at_ms, &before, wanted_ms))
        ;
}

void server_shutdown(server *self, uint32_t notice_ms, uint32_t drain_ms)
{
    uint64_t now = alarms_now_ms();
    /* In this order: who sees that it is to stop knows when to refuse. */
    put_forward(&self->refuse_at_ms, now + notice_ms);
    put_forward(&self->stop_at_ms, now + notice_ms + drain_ms);
    bell_ring(&self->bell);
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
        if (atomic_exchange(&self->admits_again, false))
            server_admit_lasting(self);
        advance_shutdown(self, now);
        if (is_running(self))
            completion_take(self->queue, next_ms(self));
    }
}

void server_run(server *self)
{
    if (!self->is_requesting)
        server_request_call(self);
    run_until_stopped(self);
}

/* ---- What others ask of it ---- */

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

int server_port(const server *self, size_t address)
{
    return address < self->place_count ? self->places[address].port : 0;
}

uint32_t server_streams(const server *self)
{
    return atomic_load(&self->streams);
}

uint64_t server_streams_total(const server *self)
{
    return atomic_load(&self->streams_total);
}

void server_admit_again(server *self)
{
    atomic_store(&self->admits_again, true);
    bell_ring(&self->bell);
}

alarms *server_alarms(server *self)
{
    return &self->alarms;
}

/* ---- Creating and destroying ---- */

/* gRPC logs what clients do wrong; it speaks only when asked to by its own variables. */
static void keep_quiet(gpr_log_func_args *args) {}

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
        status = bell_init(&self->bell, self->queue, error);
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
    self->refuse_at_ms = self->stop_at_ms = UINT64_MAX;
    self->disconnect_at_ms = UINT64_MAX;
    self->beat_at_ms = options->beat != NULL && options->beat_ms > 0 ? 0 : UINT64_MAX;
    server_set_limits(self, options->max_streams, options->max_streams_per_client);
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

void server_destroy(server *self)
{
    if (self == NULL)
        return;
    /* One that never ran, or did not start whole, has no calls but may have connections. */
    atomic_store(&self->refuse_at_ms, 0);
    atomic_store(&self->stop_at_ms, 0);
    run_until_stopped(self);
    bell_finish(&self->bell);
    grpc_server_destroy(self->grpc);
    grpc_completion_queue_shutdown(self->queue);
    while (completion_take(self->queue, UINT64_MAX))
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
