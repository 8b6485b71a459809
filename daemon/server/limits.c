/*
 * Messages are taken uncompressed only: gRPC's C core expands a compressed one without a limit, and
 * audio doesn't shrink by gzip.
 */
#include "server/limits.h"

#include <grpc/compression.h>
#include <stdint.h>

/* Dead connections: asked after half a minute of silence, given up 20 s later. */
#define KEEPALIVE_MS 30000
#define KEEPALIVE_TIMEOUT_MS 20000
/* Clients may ask the same, as often as this. */
#define CLIENT_PING_MIN_MS 10000
/* The time to begin to speak, unless it is given. */
#define HANDSHAKE_MS 20000

static grpc_arg number_arg(const char *key, size_t value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
        .key = (char *)key,
        .value.integer = value < INT32_MAX ? (int)value : INT32_MAX};
}

/* Without a limit of its own: more than are taken, so that one too many is told so instead of
 * waiting. */
static size_t calls_per_connection(const server_options *options)
{
    return options->max_calls_per_connection > 0 ? options->max_calls_per_connection
                                                 : 2 * (size_t)options->max_calls;
}

/* For gRPC INT_MAX is never. */
static size_t idle_ms(const server_options *options)
{
    return options->idle_ms > 0 ? options->idle_ms : INT32_MAX;
}

static size_t handshake_ms(const server_options *options)
{
    return options->handshake_ms > 0 ? options->handshake_ms : HANDSHAKE_MS;
}

grpc_server *server_limits_create(const server_options *options)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("stenod");
    grpc_resource_quota_resize(quota, options->memory_bytes);
    grpc_arg args[] = {
        number_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, options->max_message_bytes),
        number_arg(GRPC_ARG_MAX_METADATA_SIZE, options->max_metadata_bytes),
        number_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, calls_per_connection(options)),
        number_arg(GRPC_ARG_MAX_CONNECTION_IDLE_MS, idle_ms(options)),
        number_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
        /* Windows that stay as they are: what a client may have waiting here is bounded. */
        number_arg(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        number_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        number_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        number_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        number_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, CLIENT_PING_MIN_MS),
        number_arg(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, handshake_ms(options)),
        number_arg(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1U << GRPC_COMPRESS_NONE),
        {.type = GRPC_ARG_POINTER,
            .key = (char *)GRPC_ARG_RESOURCE_QUOTA,
            .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
    };
    grpc_channel_args all = {.num_args = sizeof(args) / sizeof(args[0]), .args = args};
    grpc_server *grpc = grpc_server_create(&all, NULL);
    grpc_resource_quota_unref(quota);
    return grpc;
}
