/* gRPC's server with the limits that gRPC itself keeps. */
#ifndef SERVER_LIMITS_H
#define SERVER_LIMITS_H

#include <grpc/grpc.h>

#include "server/server.h"

grpc_server *server_limits_create(const server_options *options);

#endif
