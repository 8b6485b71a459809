/*
 * The set is unpacked once for its names; answers are the files' own bytes, which are looked up in
 * the serialised set, whose only field they are:
 *
 *     0x0a size FileDescriptorProto   0x0a size FileDescriptorProto ...
 *
 * Searches walk everything: there are a dozen files and few questions.
 */
#include "wire/descriptors.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "proto/message_memory.h"

/* The set is our own; far more than it takes. */
#define UNPACKED_LIMIT_BYTES (64 << 20)

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__OneofDescriptorProto oneof_proto;

typedef struct file_entry {
    const file_proto *proto;
    const uint8_t *bytes; /* [size] */
    size_t size;
} file_entry;

struct descriptors {
    message_memory memory;
    file_entry *files; /* [count] */
    size_t count;
};

/* ---- Reading the set ---- */

static bool read_size(const uint8_t *bytes, size_t size, size_t *position, size_t *out_size)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && *position < size; shift += 7) {
        uint8_t byte = bytes[(*position)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out_size = (size_t)value;
            return value <= size - *position;
        }
    }
    return false;
}

static bool find_bytes(descriptors *self, const uint8_t *bytes, size_t size)
{
    size_t position = 0;
    for (size_t i = 0; i < self->count; i++) {
        size_t length;
        if (position >= size || bytes[position++] != 0x0a ||
            !read_size(bytes, size, &position, &length))
            return false;
        self->files[i].bytes = bytes + position;
        self->files[i].size = length;
        position += length;
    }
    return position == size;
}

static bool names_are_there(const descriptors *self)
{
    for (size_t i = 0; i < self->count; i++) {
        const file_proto *proto = self->files[i].proto;
        if (proto->name == NULL)
            return false;
        for (size_t d = 0; d < proto->n_dependency; d++)
            if (descriptors_find_file(self, proto->dependency[d]) == DESCRIPTORS_NONE)
                return false;
    }
    return true;
}

steno_status descriptors_create(
    const uint8_t *bytes, size_t size, descriptors **out_descriptors, steno_error *error)
{
    descriptors *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    message_memory_init(&self->memory, UNPACKED_LIMIT_BYTES);
    steno_status status = STENO_OK;
    Google__Protobuf__FileDescriptorSet *set =
        google__protobuf__file_descriptor_set__unpack(&self->memory.allocator, size, bytes);
    if (set != NULL) {
        self->files = memory_allocate(set->n_file, sizeof(*self->files));
        if (self->files == NULL) {
            status = error_memory(error);
        } else {
            self->count = set->n_file;
            for (size_t i = 0; i < set->n_file; i++)
                self->files[i].proto = set->file[i];
            if (!find_bytes(self, bytes, size) || !names_are_there(self))
                status = error_set(error, STENO_ERROR_FORMAT, "the descriptor set is damaged");
        }
    } else {
        status = message_memory_is_exceeded(&self->memory)
                     ? error_memory(error)
                     : error_set(error, STENO_ERROR_FORMAT, "the descriptor set is damaged");
    }
    if (status < 0) {
        descriptors_destroy(self);
        return status;
    }
    *out_descriptors = self;
    return STENO_OK;
}

void descriptors_destroy(descriptors *self)
{
    if (self == NULL)
        return;
    memory_free(self->files);
    message_memory_finish(&self->memory);
    memory_free(self);
}

size_t descriptors_count(const descriptors *self)
{
    return self->count;
}

const uint8_t *descriptors_file(const descriptors *self, size_t file, size_t *out_size)
{
    *out_size = self->files[file].size;
    return self->files[file].bytes;
}

size_t descriptors_find_file(const descriptors *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->files[i].proto->name, name) == 0)
            return i;
    return DESCRIPTORS_NONE;
}

/* ---- Symbols ---- */

/* What is left of a symbol after `name` and a dot, "" if the symbol is the name itself; NULL if it
 * is another.  The empty name (a file without package) leaves everything. */
static const char *after(const char *symbol, const char *name)
{
    size_t length = name != NULL ? strlen(name) : 0;
    if (length == 0)
        return symbol;
    if (strncmp(symbol, name, length) != 0)
        return NULL;
    if (symbol[length] == '\0')
        return symbol + length;
    return symbol[length] == '.' && symbol[length + 1] != '\0' ? symbol + length + 1 : NULL;
}

static bool is_name(const char *name, const char *symbol)
{
    return name != NULL && strcmp(name, symbol) == 0;
}

static bool fields_have(field_proto *const *fields, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++)
        if (is_name(fields[i]->name, symbol))
            return true;
    return false;
}

/* The values of an enum are named beside it, not inside. */
static bool enums_have(enum_proto *const *enums, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        if (is_name(enums[i]->name, symbol))
            return true;
        for (size_t v = 0; v < enums[i]->n_value; v++)
            if (is_name(enums[i]->value[v]->name, symbol))
                return true;
    }
    return false;
}

static bool services_have(service_proto *const *services, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++) {
        const char *rest = after(symbol, services[i]->name);
        if (rest == NULL)
            continue;
        if (rest[0] == '\0')
            return true;
        for (size_t m = 0; m < services[i]->n_method; m++)
            if (is_name(services[i]->method[m]->name, rest))
                return true;
    }
    return false;
}

static bool choices_have(oneof_proto *const *choices, size_t count, const char *symbol)
{
    for (size_t i = 0; i < count; i++)
        if (is_name(choices[i]->name, symbol))
            return true;
    return false;
}

/* only_messages: what is inside of messages other than messages does not count.  Nesting is as deep
 * as our own files are. */
static bool messages_have(
    message_proto *const *messages, size_t count, const char *symbol, bool only_messages)
{
    for (size_t i = 0; i < count; i++) {
        const message_proto *message = messages[i];
        const char *rest = after(symbol, message->name);
        if (rest == NULL)
            continue;
        if (rest[0] == '\0' ||
            messages_have(message->nested_type, message->n_nested_type, rest, only_messages))
            return true;
        if (!only_messages && (fields_have(message->field, message->n_field, rest) ||
                                  choices_have(message->oneof_decl, message->n_oneof_decl, rest) ||
                                  fields_have(message->extension, message->n_extension, rest) ||
                                  enums_have(message->enum_type, message->n_enum_type, rest)))
            return true;
    }
    return false;
}

static bool file_has(const file_proto *file, const char *symbol)
{
    const char *rest = after(symbol, file->package);
    return rest != NULL && rest[0] != '\0' &&
           (messages_have(file->message_type, file->n_message_type, rest, false) ||
               services_have(file->service, file->n_service, rest) ||
               enums_have(file->enum_type, file->n_enum_type, rest) ||
               fields_have(file->extension, file->n_extension, rest));
}

size_t descriptors_find_symbol(const descriptors *self, const char *symbol)
{
    for (size_t i = 0; i < self->count; i++)
        if (file_has(self->files[i].proto, symbol))
            return i;
    return DESCRIPTORS_NONE;
}

bool descriptors_is_message(const descriptors *self, const char *type)
{
    for (size_t i = 0; i < self->count; i++) {
        const file_proto *file = self->files[i].proto;
        const char *rest = after(type, file->package);
        if (rest != NULL && rest[0] != '\0' &&
            messages_have(file->message_type, file->n_message_type, rest, true))
            return true;
    }
    return false;
}

/* ---- Extensions ---- */

/* The next of a file's extensions of `type`, those inside messages excepted: proto3 has extensions
 * of options alone, which are defined at the top. */
static const field_proto *extension_at(const file_proto *file, size_t index, const char *type)
{
    const field_proto *field = file->extension[index];
    /* Fully qualified names begin with a dot. */
    return field->extendee != NULL && field->extendee[0] == '.' &&
                   strcmp(field->extendee + 1, type) == 0
               ? field
               : NULL;
}

size_t descriptors_find_extension(const descriptors *self, const char *type, int32_t number)
{
    for (size_t i = 0; i < self->count; i++) {
        const file_proto *file = self->files[i].proto;
        for (size_t e = 0; e < file->n_extension; e++) {
            const field_proto *field = extension_at(file, e, type);
            if (field != NULL && field->number == number)
                return i;
        }
    }
    return DESCRIPTORS_NONE;
}

size_t descriptors_extension_numbers(
    const descriptors *self, const char *type, int32_t *out_numbers, size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        const file_proto *file = self->files[i].proto;
        for (size_t e = 0; e < file->n_extension && count < room; e++) {
            const field_proto *field = extension_at(file, e, type);
            if (field != NULL)
                out_numbers[count++] = field->number;
        }
    }
    return count;
}

void descriptors_mark_closure(const descriptors *self, size_t file, bool *marked)
{
    if (marked[file])
        return;
    marked[file] = true;
    const file_proto *proto = self->files[file].proto;
    for (size_t i = 0; i < proto->n_dependency; i++)
        descriptors_mark_closure(self, descriptors_find_file(self, proto->dependency[i]), marked);
}
