/* gRPC's server with the limits that gRPC itself keeps. */
#ifndef DAEMON_SERVER_LIMITS_H
#define DAEMON_SERVER_LIMITS_H

#include <grpc/grpc.h>

#include "daemon/server.h"

grpc_server *server_limits_create(const server_options *options);

#endif
