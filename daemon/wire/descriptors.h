/*
 * What the messages and services of a google.protobuf.FileDescriptorSet are called and where they
 * are: the questions of server reflection.
 *
 * Immutable after create; any thread.
 */
#ifndef WIRE_DESCRIPTORS_H
#define WIRE_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct descriptors descriptors;

/* No file. */
#define DESCRIPTORS_NONE SIZE_MAX

/* The bytes are borrowed until destroy.  Errors: FORMAT (damaged, or files missing that others
 * import), MEMORY. */
steno_status descriptors_create(
    const uint8_t *bytes, size_t size, descriptors **out_descriptors, steno_error *error);
void descriptors_destroy(descriptors *self);

size_t descriptors_count(const descriptors *self);
/* The serialised google.protobuf.FileDescriptorProto of a file; lives as long as the set. */
const uint8_t *descriptors_file(const descriptors *self, size_t file, size_t *out_size);

/* The file of this name; that defines this symbol ("package.Service", ".Method", ".Message", its
 * nested ones, fields, oneofs, enums and their values); that extends this message so. */
size_t descriptors_find_file(const descriptors *self, const char *name);
size_t descriptors_find_symbol(const descriptors *self, const char *symbol);
size_t descriptors_find_extension(const descriptors *self, const char *type, int32_t number);

/* Whether there is a message of this name. */
bool descriptors_is_message(const descriptors *self, const char *type);
/* The numbers with which a message is extended, at most `room` of them; returns how many. */
size_t descriptors_extension_numbers(
    const descriptors *self, const char *type, int32_t *out_numbers, size_t room);

/* Marks the file and all that it imports, directly or not. */
void descriptors_mark_closure(const descriptors *self, size_t file, bool *marked);

#endif
