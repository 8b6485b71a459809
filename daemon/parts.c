/*
 *     parts_create    speech, health, reflection -> table of methods -> server -> its surroundings
 *     parts_destroy   the other way round
 *
 * What a reload changes lies in the parts themselves, each behind its own lock or atomic: first all
 * prepare (which may fail), then all commit (which may not).
 */
#include "daemon/parts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/descriptor_set.h"
#include "daemon/health.h"
#include "daemon/inherited.h"
#include "daemon/listen.h"
#include "daemon/reflection.h"
#include "daemon/server.h"
#include "daemon/service_names.h"
#include "daemon/speech.h"
#include "daemon/systemd.h"
#include "steno/engine.h"

/* Calls that don't recognise (health, reflection, operations) beside the streams. */
#define OTHER_CALLS 256
/* A reload may raise the limit on streams up to this, or to what it was in the beginning. */
#define STREAMS_ROOM 1024
/* Request headers: paths, deadlines, credentials. */
#define METADATA_BYTES (16 << 10)
/* What gRPC may use for buffers before it holds clients back. */
#define GRPC_MEMORY_BYTES ((size_t)256 << 20)
#define PEM_MAX_BYTES (1 << 20)

enum { SOCKET_NAME = 256 };

struct parts {
    const daemon_options *options; /* in the beginning */
    log_sink *log;
    unsigned sockets;
    uint32_t streams_room;
    speech *speech;
    health *health;
    reflection *reflection;
    service_names names;
    const call_method **methods; /* [method_count], of all services */
    size_t method_count;
    char *tls_certificate, *tls_key;
    server *server;
    inherited *inherited;
    _Atomic uint32_t drain_seconds;
};

/* ---- Services ---- */

static steno_status add_methods(
    parts *self, const call_method *const *methods, size_t count, steno_error *error)
{
    const call_method **grown = memory_allocate(self->method_count + count, sizeof(*grown));
    if (grown == NULL || service_names_add(&self->names, methods, count) < 0) {
        memory_free(grown);
        return error_memory(error);
    }
    if (self->method_count > 0)
        memcpy(grown, self->methods, self->method_count * sizeof(*grown));
    memcpy(grown + self->method_count, methods, count * sizeof(*grown));
    memory_free(self->methods);
    self->methods = grown;
    self->method_count += count;
    return STENO_OK;
}

static speech_options speech_settings(const daemon_options *options)
{
    return (speech_options){
        .model_path = options->model,
        .precision = (steno_precision)options->precision,
        .threads = options->threads,
        .backlog_ms = options->backlog_seconds * 1000,
        .chunk_ms = options->chunk_ms,
    };
}

static steno_status create_services(parts *self, const daemon_options *options, steno_error *error)
{
    const call_method *const *methods;
    const speech_options settings = speech_settings(options);
    steno_status status = speech_create(&settings, &self->speech, error);
    if (status < 0)
        return status;
    size_t count = speech_methods(self->speech, &methods);
    if ((status = add_methods(self, methods, count, error)) < 0 ||
        (status = health_create(&self->names, &self->health, error)) < 0)
        return status;
    count = health_methods(self->health, &methods);
    if ((status = add_methods(self, methods, count, error)) < 0 ||
        (status = reflection_create(
             descriptor_set, descriptor_set_size, &self->names, &self->reflection, error)) < 0)
        return status;
    count = reflection_methods(self->reflection, &methods);
    return add_methods(self, methods, count, error);
}

/* ---- What the server says ---- */

static void on_draining(void *context)
{
    parts *self = context;
    health_drain(self->health);
    /* Who connects from now on waits for the daemon that comes next. */
    inherited_stop(self->inherited);
    systemd_stopping(parts_drain_seconds(self));
}

/* The engine's lock is taken on the way: should it hang, so does the server's thread, and the
 * service manager hears nothing. */
static void on_beat(void *context)
{
    parts *self = context;
    steno_engine_times times;
    steno_engine_get_times(speech_engine(self->speech), &times);
    systemd_alive();
}

static log_level level_of(const server_report *report)
{
    if (report->status == CALL_INTERNAL || report->status == CALL_UNKNOWN)
        return LOG_LEVEL_ERROR;
    if (report->refusal != SERVER_TAKEN && report->refusal != SERVER_NO_SUCH_METHOD)
        return LOG_LEVEL_WARNING;
    bool is_work = report->method != NULL && report->method->recognises;
    return is_work || report->status != CALL_OK ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static void on_ended(void *context, const server_report *report)
{
    parts *self = context;
    log_level level = level_of(report);
    if (!log_wants(self->log, level))
        return;
    char duration[24];
    snprintf(duration, sizeof(duration), "%llu", (unsigned long long)report->duration_ms);
    const log_field fields[] = {
        {"method", report->method != NULL ? report->method->path : NULL},
        {"status", call_status_name(report->status)},
        {"reason", report->status != CALL_OK ? report->message : NULL},
        {"duration_ms", duration},
        {"client", report->call != NULL ? call_client(report->call) : NULL},
        {"peer", report->call != NULL ? call_peer(report->call) : NULL},
        {"request_id", report->call != NULL ? call_request_id(report->call) : NULL},
    };
    log_write(self->log, level, report->refusal == SERVER_TAKEN ? "call ended" : "call refused",
        fields, sizeof(fields) / sizeof(fields[0]));
}

/* ---- The server ---- */

/* A whole text file. */
static steno_status read_text(const char *path, char **out_text, steno_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(error, STENO_ERROR_IO, "%s: %s", path, strerror(errno));
    char *text = memory_allocate(PEM_MAX_BYTES + 1, 1);
    steno_status status = STENO_OK;
    if (text == NULL) {
        status = error_memory(error);
    } else {
        size_t size = fread(text, 1, PEM_MAX_BYTES + 1, file);
        if (ferror(file))
            status = error_set(error, STENO_ERROR_IO, "%s: %s", path, strerror(errno));
        else if (size > PEM_MAX_BYTES)
            status = error_set(error, STENO_ERROR_LIMIT, "%s: too large for a PEM file", path);
    }
    fclose(file);
    if (status < 0)
        memory_free(text);
    else
        *out_text = text;
    return status;
}

static steno_status create_server(parts *self, const daemon_options *options, steno_error *error)
{
    steno_status status;
    if (options->tls_cert != NULL &&
        ((status = read_text(options->tls_cert, &self->tls_certificate, error)) < 0 ||
            (status = read_text(options->tls_key, &self->tls_key, error)) < 0))
        return status;
    self->streams_room = options->max_streams > STREAMS_ROOM ? options->max_streams : STREAMS_ROOM;
    const server_options settings = {
        .addresses = (const char *const *)options->listen.items,
        .address_count = options->listen.count,
        .adopts = self->sockets > 0,
        .max_streams = options->max_streams,
        .max_streams_per_client = options->max_streams_per_client,
        .max_calls = self->streams_room + OTHER_CALLS,
        .max_calls_per_connection = options->max_calls_per_connection,
        .max_connections = options->max_connections,
        .idle_ms = options->idle_seconds * 1000,
        .max_message_bytes = (size_t)options->max_message_mb << 20,
        .max_metadata_bytes = METADATA_BYTES,
        .memory_bytes = GRPC_MEMORY_BYTES + ((size_t)options->max_message_mb << 20),
        .tls_certificate = self->tls_certificate,
        .tls_key = self->tls_key,
        .draining = on_draining,
        .beat = on_beat,
        .beat_ms = systemd_watchdog_ms() / 3,
        .ended = on_ended,
        .context = self,
    };
    return server_create(&settings, self->methods, self->method_count, &self->server, error);
}

static steno_status take_sockets(parts *self, const daemon_options *options, steno_error *error)
{
    char name[SOCKET_NAME];
    for (unsigned i = 0; i < self->sockets; i++) {
        steno_status status = inherited_check(SYSTEMD_FIRST_SOCKET + (int)i,
            options->allow_plaintext_beyond_loopback, name, sizeof(name), error);
        if (status < 0)
            return status;
    }
    return self->sockets == 0 ? STENO_OK
                              : inherited_create(SYSTEMD_FIRST_SOCKET, self->sockets, server_adopt,
                                    self->server, &self->inherited, error);
}

steno_status parts_create(const daemon_options *options, log_sink *log, unsigned sockets,
    parts **out_parts, steno_error *error)
{
    parts *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->options = options;
    self->log = log;
    self->sockets = sockets;
    atomic_store(&self->drain_seconds, options->drain_seconds);
    steno_status status = create_services(self, options, error);
    if (status == STENO_OK)
        status = create_server(self, options, error);
    if (status == STENO_OK)
        status = take_sockets(self, options, error);
    if (status < 0) {
        parts_destroy(self);
        return status;
    }
    *out_parts = self;
    return STENO_OK;
}

void parts_destroy(parts *self)
{
    if (self == NULL)
        return;
    inherited_destroy(self->inherited);
    server_destroy(self->server);
    reflection_destroy(self->reflection);
    health_destroy(self->health);
    speech_destroy(self->speech);
    service_names_finish(&self->names);
    memory_free(self->methods);
    memory_free(self->tls_certificate);
    memory_free(self->tls_key);
    memory_free(self);
}

/* ---- Running ---- */

/* One entry for each address, with the port that "0" has become, and one for the model. */
static void announce(const parts *self)
{
    const daemon_options *options = self->options;
    for (size_t i = 0; i < options->listen.count; i++) {
        const char *text = options->listen.items[i];
        listen_address address;
        if (listen_parse(text, &address, NULL) == STENO_OK && address.kind != LISTEN_UNIX)
            log_say(self->log, LOG_LEVEL_INFO, "listening on %.*s:%d",
                (int)(strrchr(text, ':') - text), text, server_port(self->server, i));
        else
            log_say(self->log, LOG_LEVEL_INFO, "listening on %s", text);
    }
    for (unsigned i = 0; i < self->sockets; i++) {
        char name[SOCKET_NAME];
        if (inherited_check(SYSTEMD_FIRST_SOCKET + (int)i, true, name, sizeof(name), NULL) == 0)
            log_say(self->log, LOG_LEVEL_INFO, "listening on %s, from the service manager", name);
    }
    const char *model = options->model != NULL ? options->model : steno_model_default_path();
    uint32_t threads = steno_engine_threads(speech_engine(self->speech));
    log_say(self->log, LOG_LEVEL_INFO, "model %s, %u %s, at most %u streams", model, threads,
        threads == 1 ? "thread" : "threads", options->max_streams);
}

void parts_run(parts *self)
{
    announce(self);
    systemd_ready("Serving");
    server_run(self->server);
}

void parts_shutdown(parts *self, bool at_once)
{
    server_shutdown(self->server, at_once ? 0 : parts_drain_seconds(self) * 1000);
}

uint32_t parts_drain_seconds(const parts *self)
{
    return atomic_load(&self->drain_seconds);
}

/* ---- Reloading ---- */

steno_status parts_reload(parts *self, const daemon_options *options, steno_error *error)
{
    if (options->max_streams > self->streams_room)
        return error_set(error, STENO_ERROR_LIMIT, "max-streams: %u; above %u it takes a restart",
            options->max_streams, self->streams_room);
    const speech_options settings = speech_settings(options);
    speech_change *change;
    steno_status status = speech_prepare(self->speech, &settings, &change, error);
    if (status < 0)
        return status;

    speech_commit(self->speech, change);
    server_set_limits(self->server, options->max_streams, options->max_streams_per_client);
    atomic_store(&self->drain_seconds, options->drain_seconds);
    log_set(self->log, (log_level)options->log_level, (log_format)options->log_format);
    return STENO_OK;
}
