/*
 * stenod: settings, then speech (model and engine), health and reflection as tables of methods,
 * then the server that serves them until a signal ends it.
 *
 * Threads: the server's is the main thread.  Signals are blocked everywhere and awaited by a thread
 * of their own, which hands them to server_shutdown: the first drains, the second ends at once.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/config.h"
#include "daemon/descriptor_set.h"
#include "daemon/health.h"
#include "daemon/listen.h"
#include "daemon/options.h"
#include "daemon/reflection.h"
#include "daemon/server.h"
#include "daemon/service_names.h"
#include "daemon/speech.h"
#include "steno/engine.h"
#include "steno/steno.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Calls that don't recognise (health, reflection, operations) beside the streams. */
#define OTHER_CALLS 256
/* Request headers: paths, deadlines, credentials. */
#define METADATA_BYTES (16 << 10)
/* What gRPC may use for buffers before it holds clients back. */
#define GRPC_MEMORY_BYTES ((size_t)256 << 20)
#define PEM_MAX_BYTES (1 << 20)

typedef struct daemon_parts {
    speech *speech;
    health *health;
    reflection *reflection;
    service_names names;
    const call_method **methods; /* [method_count], of all services */
    size_t method_count;
    char *tls_certificate, *tls_key;
    server *server;
} daemon_parts;

/* ---- Parts ---- */

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

static steno_status add_methods(
    daemon_parts *self, const call_method *const *methods, size_t count, steno_error *error)
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

static steno_status create_services(
    daemon_parts *self, const daemon_options *options, steno_error *error)
{
    const call_method *const *methods;
    const speech_options speech_settings = {
        .model_path = options->model,
        .precision = (steno_precision)options->precision,
        .threads = options->threads,
        .backlog_ms = options->backlog_seconds * 1000,
        .chunk_ms = options->chunk_ms,
    };
    steno_status status = speech_create(&speech_settings, &self->speech, error);
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

static void on_draining(void *context)
{
    daemon_parts *self = context;
    health_drain(self->health);
}

static steno_status create_server(
    daemon_parts *self, const daemon_options *options, steno_error *error)
{
    steno_status status;
    if (options->tls_cert != NULL &&
        ((status = read_text(options->tls_cert, &self->tls_certificate, error)) < 0 ||
            (status = read_text(options->tls_key, &self->tls_key, error)) < 0))
        return status;
    const server_options server_settings = {
        .addresses = (const char *const *)options->listen.items,
        .address_count = options->listen.count,
        .max_streams = options->max_streams,
        .max_streams_per_client = options->max_streams_per_client,
        .max_calls = options->max_streams + OTHER_CALLS,
        .max_calls_per_connection = options->max_calls_per_connection,
        .max_connections = options->max_connections,
        .idle_ms = options->idle_seconds * 1000,
        .max_message_bytes = (size_t)options->max_message_mb << 20,
        .max_metadata_bytes = METADATA_BYTES,
        .memory_bytes = GRPC_MEMORY_BYTES + ((size_t)options->max_message_mb << 20),
        .tls_certificate = self->tls_certificate,
        .tls_key = self->tls_key,
        .draining = on_draining,
        .context = self,
    };
    return server_create(&server_settings, self->methods, self->method_count, &self->server, error);
}

static void destroy_parts(daemon_parts *self)
{
    server_destroy(self->server);
    reflection_destroy(self->reflection);
    health_destroy(self->health);
    speech_destroy(self->speech);
    service_names_finish(&self->names);
    memory_free(self->methods);
    memory_free(self->tls_certificate);
    memory_free(self->tls_key);
}

/* One line for each address, with the port that "0" has become, and one for the model. */
static void announce(const daemon_parts *self, const daemon_options *options)
{
    for (size_t i = 0; i < options->listen.count; i++) {
        const char *text = options->listen.items[i];
        listen_address address;
        if (listen_parse(text, &address, NULL) == STENO_OK && address.kind != LISTEN_UNIX)
            fprintf(stderr, "stenod: listening on %.*s:%d\n", (int)(strrchr(text, ':') - text),
                text, server_port(self->server, i));
        else
            fprintf(stderr, "stenod: listening on %s\n", text);
    }
    const char *model = options->model != NULL ? options->model : steno_model_default_path();
    uint32_t threads = options->threads > 0 ? options->threads : steno_engine_cores();
    fprintf(stderr, "stenod: model %s, %u %s, at most %u streams\n", model, threads,
        threads == 1 ? "thread" : "threads", options->max_streams);
}

/* ---- Signals ---- */

typedef struct signal_waiter {
    server *server;
    uint32_t drain_ms;
    sigset_t signals;
    _Atomic bool is_done; /* the server has ended by itself */
} signal_waiter;

static void *wait_for_signals(void *argument)
{
    signal_waiter *self = argument;
    for (bool again = false;; again = true) {
        int signal = 0;
        if (sigwait(&self->signals, &signal) != 0 || atomic_load(&self->is_done))
            return NULL;
        if (again)
            fprintf(stderr, "stenod: ending at once\n");
        else
            fprintf(stderr, "stenod: %s, ending when the streams have, after %u s at most\n",
                signal == SIGINT ? "interrupted" : "told to end", self->drain_ms / 1000);
        server_shutdown(self->server, again ? 0 : self->drain_ms);
    }
}

static steno_status serve(
    daemon_parts *self, const daemon_options *options, const sigset_t *signals, steno_error *error)
{
    signal_waiter waiter = {
        .server = self->server, .drain_ms = options->drain_seconds * 1000, .signals = *signals};
    pthread_t thread;
    int code = pthread_create(&thread, NULL, wait_for_signals, &waiter);
    if (code != 0)
        return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
    announce(self, options);
    server_run(self->server);
    atomic_store(&waiter.is_done, true);
    pthread_kill(thread, SIGTERM);
    pthread_join(thread, NULL);
    return STENO_OK;
}

static int run(const daemon_options *options)
{
    /* Before the first thread, so that all inherit it. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);

    daemon_parts parts = {0};
    steno_error error;
    steno_status status = create_services(&parts, options, &error);
    if (status == STENO_OK)
        status = create_server(&parts, options, &error);
    if (status == STENO_OK)
        status = serve(&parts, options, &signals, &error);
    destroy_parts(&parts);
    if (status < 0)
        fprintf(stderr, "stenod: %s\n", error.message);
    return status < 0 ? EXIT_FAILED : EXIT_SUCCESS;
}

/* ---- Settings ---- */

static steno_status read_settings(
    daemon_options *options, int argc, char **argv, steno_error *error)
{
    steno_status status = options_read_arguments(options, argc, argv, error);
    if (status < 0 || options->help || options->version)
        return status;
    if ((status = options_read_environment(options, environ, error)) < 0)
        return status;
    if (options->config != NULL && (status = config_read(options, options->config, error)) < 0)
        return status;
    return options_complete(options, error);
}

int main(int argc, char **argv)
{
    daemon_options options;
    steno_error error;
    int result = EXIT_SUCCESS;
    steno_status status = options_init(&options);
    if (status < 0)
        error_memory(&error);
    else
        status = read_settings(&options, argc, argv, &error);
    if (status < 0) {
        fprintf(stderr, "stenod: %s\n", error.message);
        result = EXIT_USAGE;
    } else if (options.help) {
        options_print_help(stdout);
    } else if (options.version) {
        printf("stenod %s\n", steno_version());
    } else if (options.check_config) {
        printf("The settings are right.\n");
    } else {
        result = run(&options);
    }
    options_finish(&options);
    return result;
}
