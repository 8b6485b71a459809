/*
 * grpc.reflection.v1.ServerReflection and its older twin v1alpha: what the server serves, and the
 * descriptors of it, for tools such as grpcurl.
 *
 *     reflection_create(descriptor_set, descriptor_set_size, &names, &reflection, &error);
 *     reflection_methods(reflection, &methods);        for server_create
 *     reflection_destroy(reflection);                  after the server
 *
 * The server's thread.
 */
#ifndef SERVICES_REFLECTION_H
#define SERVICES_REFLECTION_H

#include <stddef.h>
#include <stdint.h>

#include "server/call.h"
#include "services/names.h"
#include "steno/status.h"

typedef struct reflection reflection;

/* set [size]: a serialised google.protobuf.FileDescriptorSet; names: the services that there are.
 * Both are borrowed until destroy.  Errors: FORMAT, MEMORY. */
steno_status reflection_create(const uint8_t *set, size_t size, const service_names *names,
    reflection **out_reflection, steno_error *error);

/* The methods served; they live until destroy. */
size_t reflection_methods(reflection *self, const call_method *const **out_methods);

/* After every call has ended.  NULL is fine. */
void reflection_destroy(reflection *self);

#endif
