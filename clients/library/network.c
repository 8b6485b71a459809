/*
 * One completion queue and one thread that takes from it: whatever gRPC returns is an operation
 * that says whose it is (call.c).
 */
#include "network.h"

#include <grpc/grpc_security.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "network_private.h"
#include "steno/steno.h"

/* A server that is there answers pings: one that has died without a word is noticed after both. */
#define KEEPALIVE_MS 30000
#define KEEPALIVE_TIMEOUT_MS 20000
/* No result is nearly so large. */
#define MESSAGE_MAX_BYTES (1 << 20)
/* Between attempts to connect. */
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000

static void *run(void *argument)
{
    network *self = argument;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(self->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        atomic_load_explicit(&self->begun, memory_order_acquire);
        const operation *one = event.tag;
        one->done(one->owner, event.success != 0);
    }
}

/* The program's signals are the program's: none is delivered to this thread. */
static int start_thread(network *self)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&self->thread, NULL, run, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

steno_status network_create(network **out_network, steno_error *error)
{
    network *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    grpc_init();
    self->queue = grpc_completion_queue_create_for_next(NULL);
    int code = start_thread(self);
    if (code != 0) {
        grpc_completion_queue_shutdown(self->queue);
        grpc_completion_queue_destroy(self->queue);
        grpc_shutdown_blocking();
        memory_free(self);
        return error_set(error, STENO_ERROR_MEMORY, "can't start a thread: %s", strerror(code));
    }
    *out_network = self;
    return STENO_OK;
}

void network_destroy(network *self)
{
    if (self == NULL)
        return;
    grpc_completion_queue_shutdown(self->queue);
    pthread_join(self->thread, NULL);
    grpc_completion_queue_destroy(self->queue);
    grpc_shutdown_blocking();
    memory_free(self);
}

static grpc_arg number_arg(const char *key, uint32_t value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = (int)value};
}

static grpc_arg text_arg(const char *key, const char *value)
{
    return (grpc_arg){.type = GRPC_ARG_STRING, .key = (char *)key, .value.string = (char *)value};
}

static grpc_channel_credentials *make_credentials(
    const address *where, const connection_setting *setting)
{
    if (!where->is_tls)
        return grpc_insecure_credentials_create();
    grpc_ssl_pem_key_cert_pair pair = {
        .private_key = setting->key, .cert_chain = setting->certificate};
    return grpc_ssl_credentials_create(
        setting->authorities, setting->certificate != NULL ? &pair : NULL, NULL, NULL);
}

static grpc_channel *make_channel(
    const address *where, const connection_setting *setting, grpc_channel_credentials *credentials)
{
    grpc_arg args[16] = {
        text_arg(GRPC_ARG_PRIMARY_USER_AGENT_STRING, "steno"),
        number_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_MAX_BYTES),
        number_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        number_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        number_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        /* How long an attempt to connect may take. */
        number_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, setting->timeout_ms),
        number_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_MIN_MS),
        number_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS),
        /* Windows that grow would hold results that nobody reads. */
        number_arg(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        /* What is sent again, the stream decides; gRPC would keep all of it. */
        number_arg(GRPC_ARG_ENABLE_RETRIES, 0),
        /* Audio goes to the address named: neither a proxy of the environment nor a name server's
         * word about the service changes that. */
        number_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        number_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        /* Another client of the process has its own troubles. */
        number_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        /* gRPC's C core expands a compressed message without a limit. */
        number_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1U << GRPC_COMPRESS_NONE),
    };
    size_t count = 14;
    if (where->is_tls && setting->server_name != NULL)
        args[count++] = text_arg(GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, setting->server_name);
    grpc_channel_args all = {.num_args = count, .args = args};
    return grpc_channel_create(where->target, credentials, &all);
}

static char *make_authorization(const char *token)
{
    static const char scheme[] = "Bearer ";
    size_t size = strlen(token) + 1;
    char *value = memory_allocate(sizeof scheme - 1 + size, 1);
    if (value != NULL) {
        memcpy(value, scheme, sizeof scheme - 1);
        memcpy(value + sizeof scheme - 1, token, size);
    }
    return value;
}

steno_status connection_create(network *net, const address *where,
    const connection_setting *setting, connection **out_connection, steno_error *error)
{
    connection *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    self->network = net;
    if (setting->token != NULL) {
        self->authorization = make_authorization(setting->token);
        if (self->authorization == NULL) {
            memory_free(self);
            return error_memory(error);
        }
    }
    grpc_channel_credentials *credentials = make_credentials(where, setting);
    if (credentials != NULL) {
        self->channel = make_channel(where, setting, credentials);
        grpc_channel_credentials_release(credentials);
    }
    if (self->channel == NULL) {
        connection_destroy(self);
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: its certificates can't be used: are they PEM files?", where->text);
    }
    *out_connection = self;
    return STENO_OK;
}

void connection_destroy(connection *self)
{
    if (self == NULL)
        return;
    if (self->channel != NULL)
        grpc_channel_destroy(self->channel);
    memory_free(self->authorization);
    memory_free(self);
}
