/*
 * One answer for each question, in order; the next question is read once there is room for its
 * answer.  The messages of v1 and v1alpha have the same numbers and types, so v1's serve both.
 */
#include "services/reflection.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/message_memory.h"
#include "wire/descriptors.h"

/* A question holds two names at most. */
#define REQUEST_LIMIT_BYTES (256 << 10)
#define EXTENSIONS_MAX 64

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

#define REQUEST(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

enum { METHOD_COUNT = 2 };

struct reflection {
    descriptors *files;
    const service_names *names;
    call_method methods[METHOD_COUNT];
    const call_method *table[METHOD_COUNT];

    /* For the answer being made; the server has one thread. */
    bool *marked;               /* [descriptors_count] */
    ProtobufCBinaryData *bytes; /* [descriptors_count] */
};

typedef struct session {
    reflection *reflection;
    call *call;
} session;

/* The parts an answer may have. */
typedef struct answer {
    reflection_response response;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    Grpc__Reflection__V1__ExtensionNumberResponse numbers;
    Grpc__Reflection__V1__ListServiceResponse services;
    Grpc__Reflection__V1__ErrorResponse error;
    int32_t extension_numbers[EXTENSIONS_MAX];
} answer;

static void answer_error(answer *self, call_status status, const char *message)
{
    grpc__reflection__v1__error_response__init(&self->error);
    self->error.error_code = (int32_t)status;
    self->error.error_message = (char *)message;
    self->response.message_response_case = RESPONSE(ERROR_RESPONSE);
    self->response.error_response = &self->error;
}

/* The file and what it imports, it first. */
static void answer_file(reflection *self, answer *out, size_t file, const char *missing)
{
    if (file == DESCRIPTORS_NONE) {
        answer_error(out, CALL_NOT_FOUND, missing);
        return;
    }
    size_t count = descriptors_count(self->files), found = 0;
    memset(self->marked, 0, count * sizeof(*self->marked));
    descriptors_mark_closure(self->files, file, self->marked);
    self->marked[file] = false;
    for (size_t i = 0; i <= count; i++) {
        size_t which = i == 0 ? file : i - 1;
        if (i > 0 && !self->marked[which])
            continue;
        ProtobufCBinaryData *data = &self->bytes[found++];
        data->data = (uint8_t *)descriptors_file(self->files, which, &data->len);
    }
    grpc__reflection__v1__file_descriptor_response__init(&out->files);
    out->files.n_file_descriptor_proto = found;
    out->files.file_descriptor_proto = self->bytes;
    out->response.message_response_case = RESPONSE(FILE_DESCRIPTOR_RESPONSE);
    out->response.file_descriptor_response = &out->files;
}

static void answer_numbers(reflection *self, answer *out, const char *type)
{
    if (!descriptors_is_message(self->files, type)) {
        answer_error(out, CALL_NOT_FOUND, "there is no such message");
        return;
    }
    grpc__reflection__v1__extension_number_response__init(&out->numbers);
    out->numbers.base_type_name = (char *)type;
    out->numbers.extension_number = out->extension_numbers;
    out->numbers.n_extension_number =
        descriptors_extension_numbers(self->files, type, out->extension_numbers, EXTENSIONS_MAX);
    out->response.message_response_case = RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE);
    out->response.all_extension_numbers_response = &out->numbers;
}

static void answer_services(reflection *self, answer *out, ProtobufCAllocator *memory)
{
    typedef Grpc__Reflection__V1__ServiceResponse named;
    size_t count = self->names->count;
    named *services = memory->alloc(memory->allocator_data, count * sizeof(*services));
    named **pointers = memory->alloc(memory->allocator_data, count * sizeof(named *));
    if (services == NULL || pointers == NULL) {
        answer_error(out, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        grpc__reflection__v1__service_response__init(&services[i]);
        services[i].name = self->names->names[i];
        pointers[i] = &services[i];
    }
    grpc__reflection__v1__list_service_response__init(&out->services);
    out->services.n_service = count;
    out->services.service = pointers;
    out->response.message_response_case = RESPONSE(LIST_SERVICES_RESPONSE);
    out->response.list_services_response = &out->services;
}

/* memory: of the request, for what the answer holds. */
static void answer_question(
    reflection *self, answer *out, reflection_request *request, ProtobufCAllocator *memory)
{
    const descriptors *files = self->files;
    grpc__reflection__v1__server_reflection_response__init(&out->response);
    out->response.valid_host = request->host;
    out->response.original_request = request;
    switch (request->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        answer_file(self, out, descriptors_find_file(files, request->file_by_filename),
            "there is no such file");
        break;
    case REQUEST(FILE_CONTAINING_SYMBOL):
        answer_file(self, out, descriptors_find_symbol(files, request->file_containing_symbol),
            "there is no such symbol");
        break;
    case REQUEST(FILE_CONTAINING_EXTENSION):
        answer_file(self, out,
            descriptors_find_extension(files, request->file_containing_extension->containing_type,
                request->file_containing_extension->extension_number),
            "there is no such extension");
        break;
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        answer_numbers(self, out, request->all_extension_numbers_of_type);
        break;
    case REQUEST(LIST_SERVICES):
        answer_services(self, out, memory);
        break;
    default:
        answer_error(out, CALL_INVALID_ARGUMENT, "the question is missing or of an unknown kind");
    }
}

static void write_answer(session *self, const answer *made)
{
    size_t size =
        grpc__reflection__v1__server_reflection_response__get_packed_size(&made->response);
    uint8_t *packed = memory_allocate(size, 1);
    if (packed == NULL) {
        call_finish(self->call, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    grpc__reflection__v1__server_reflection_response__pack(&made->response, packed);
    call_write(self->call, packed, size);
    memory_free(packed);
}

static void message(void *session_called, const uint8_t *bytes, size_t size)
{
    session *self = session_called;
    message_memory memory;
    message_memory_init(&memory, REQUEST_LIMIT_BYTES);
    reflection_request *request =
        grpc__reflection__v1__server_reflection_request__unpack(&memory.allocator, size, bytes);
    if (request == NULL) {
        call_finish(
            self->call, CALL_INVALID_ARGUMENT, "not a grpc.reflection ServerReflectionRequest");
    } else {
        answer made;
        answer_question(self->reflection, &made, request, &memory.allocator);
        write_answer(self, &made);
        if (call_can_write(self->call))
            call_read(self->call);
    }
    message_memory_finish(&memory);
}

/* There is room for an answer again; nothing is being read since there was none. */
static void ready(void *session_called)
{
    session *self = session_called;
    call_read(self->call);
}

static void half_close(void *session_called)
{
    session *self = session_called;
    call_finish(self->call, CALL_OK, "");
}

static void *begin(void *service, call *call_begun)
{
    session *self = memory_allocate(1, sizeof(*self));
    if (self == NULL) {
        call_finish(call_begun, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    *self = (session){.reflection = service, .call = call_begun};
    call_read(call_begun);
    return self;
}

static void end(void *session_ended)
{
    memory_free(session_ended);
}

steno_status reflection_create(const uint8_t *set, size_t size, const service_names *names,
    reflection **out_reflection, steno_error *error)
{
    reflection *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->names = names;
    steno_status status = descriptors_create(set, size, &self->files, error);
    if (status == STENO_OK) {
        size_t count = descriptors_count(self->files);
        self->marked = memory_allocate(count, sizeof(*self->marked));
        self->bytes = memory_allocate(count, sizeof(*self->bytes));
        if (self->marked == NULL || self->bytes == NULL)
            status = error_memory(error);
    }
    if (status < 0) {
        reflection_destroy(self);
        return status;
    }
    static const char *const paths[METHOD_COUNT] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    };
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        self->methods[i] = (call_method){.path = paths[i],
            .client_streams = true,
            .service = self,
            .begin = begin,
            .message = message,
            .half_close = half_close,
            .ready = ready,
            .end = end};
        self->table[i] = &self->methods[i];
    }
    *out_reflection = self;
    return STENO_OK;
}

size_t reflection_methods(reflection *self, const call_method *const **out_methods)
{
    *out_methods = self->table;
    return METHOD_COUNT;
}

void reflection_destroy(reflection *self)
{
    if (self == NULL)
        return;
    memory_free(self->marked);
    memory_free(self->bytes);
    descriptors_destroy(self->files);
    memory_free(self);
}
