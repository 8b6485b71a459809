/* google.longrunning: operations as messages. */
#include "wire/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "google/cloud/speech/v1/cloud_speech.pb-c.h"
#include "google/longrunning/operations.pb-c.h"

#define TYPE_PREFIX "type.googleapis.com/google.cloud.speech.v1."

/* Responses. */

static Google__Protobuf__Timestamp timestamp_of(int64_t us)
{
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = us / 1000000;
    time.nanos = (int32_t)(us % 1000000) * 1000;
    return time;
}

/* How far it is, as bytes in memory of the output. */
static ProtobufCBinaryData make_metadata(wire_output *output, const wire_operation *operation)
{
    Google__Protobuf__Timestamp started = timestamp_of(operation->started_us);
    Google__Protobuf__Timestamp updated = timestamp_of(operation->updated_us);
    Google__Cloud__Speech__V1__LongRunningRecognizeMetadata metadata =
        GOOGLE__CLOUD__SPEECH__V1__LONG_RUNNING_RECOGNIZE_METADATA__INIT;
    metadata.progress_percent = operation->progress_percent;
    metadata.start_time = &started;
    metadata.last_update_time = &updated;
    ProtobufCBinaryData data = {.len = protobuf_c_message_get_packed_size(&metadata.base)};
    data.data = wire_take(output, data.len, 1);
    if (data.data != NULL)
        protobuf_c_message_pack(&metadata.base, data.data);
    return data;
}

/* What an Operation points to. */
typedef struct operation_parts {
    Google__Protobuf__Any metadata, response;
    Google__Rpc__Status error;
} operation_parts;

static void make_operation(wire_output *output, const wire_operation *from, operation_parts *parts,
    Google__Longrunning__Operation *made)
{
    google__longrunning__operation__init(made);
    google__protobuf__any__init(&parts->metadata);
    google__protobuf__any__init(&parts->response);
    google__rpc__status__init(&parts->error);
    parts->metadata.type_url = (char *)TYPE_PREFIX "LongRunningRecognizeMetadata";
    parts->metadata.value = make_metadata(output, from);
    made->name = (char *)from->name;
    made->metadata = &parts->metadata;
    made->done = from->done;
    if (!from->done)
        return;
    if (from->error_code != 0) {
        parts->error.code = from->error_code;
        parts->error.message = (char *)from->error_message;
        made->result_case = GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR;
        made->error = &parts->error;
    } else {
        parts->response.type_url = (char *)TYPE_PREFIX "LongRunningRecognizeResponse";
        parts->response.value =
            (ProtobufCBinaryData){.len = from->response_size, .data = (uint8_t *)from->response};
        made->result_case = GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE;
        made->response = &parts->response;
    }
}

void wire_operation_write(wire_output *output, const wire_operation *operation)
{
    operation_parts parts;
    Google__Longrunning__Operation made;
    make_operation(output, operation, &parts, &made);
    wire_pack(output, &made.base);
}

void wire_operation_write_listed(wire_output *output, const wire_operation *operation)
{
    operation_parts parts;
    Google__Longrunning__Operation made, *list[] = {&made};
    make_operation(output, operation, &parts, &made);
    Google__Longrunning__ListOperationsResponse response =
        GOOGLE__LONGRUNNING__LIST_OPERATIONS_RESPONSE__INIT;
    response.n_operations = 1;
    response.operations = list;
    wire_pack(output, &response.base);
}

void wire_operation_write_next_page(wire_output *output, const char *token)
{
    Google__Longrunning__ListOperationsResponse response =
        GOOGLE__LONGRUNNING__LIST_OPERATIONS_RESPONSE__INIT;
    response.next_page_token = (char *)token;
    wire_pack(output, &response.base);
}

/* Requests. */

/* A name longer than any of ours is cut, and so found nowhere. */
static void copy_name(const char *from, char out_name[WIRE_OPERATION_NAME])
{
    snprintf(out_name, WIRE_OPERATION_NAME, "%s", from);
}

steno_status wire_operation_read_name(
    const uint8_t *bytes, size_t size, char out_name[WIRE_OPERATION_NAME], steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, WIRE_MEMORY_BYTES);
    /* Cancel and Delete have the same one field. */
    const Google__Longrunning__GetOperationRequest *request =
        (const Google__Longrunning__GetOperationRequest *)wire_unpack(
            &memory, &google__longrunning__get_operation_request__descriptor, bytes, size, error);
    steno_status status = request != NULL ? STENO_OK : error->status;
    if (request != NULL)
        copy_name(request->name, out_name);
    message_memory_finish(&memory);
    return status;
}

steno_status wire_operation_read_wait(const uint8_t *bytes, size_t size,
    char out_name[WIRE_OPERATION_NAME], uint64_t *out_timeout_ms, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, WIRE_MEMORY_BYTES);
    const Google__Longrunning__WaitOperationRequest *request =
        (const Google__Longrunning__WaitOperationRequest *)wire_unpack(
            &memory, &google__longrunning__wait_operation_request__descriptor, bytes, size, error);
    steno_status status = request != NULL ? STENO_OK : error->status;
    const Google__Protobuf__Duration *timeout = request != NULL ? request->timeout : NULL;
    if (timeout != NULL &&
        (timeout->seconds < 0 || timeout->nanos < 0 || timeout->nanos > 999999999))
        status = error_set(error, STENO_ERROR_ARGUMENT, "timeout: not a length of time");
    if (status == STENO_OK) {
        copy_name(request->name, out_name);
        *out_timeout_ms = UINT64_MAX;
        if (timeout != NULL && timeout->seconds < INT32_MAX)
            *out_timeout_ms =
                (uint64_t)timeout->seconds * 1000 + (uint64_t)timeout->nanos / 1000000;
    }
    message_memory_finish(&memory);
    return status;
}

steno_status wire_operation_read_list(
    const uint8_t *bytes, size_t size, wire_list *out_list, steno_error *error)
{
    message_memory memory;
    message_memory_init(&memory, WIRE_MEMORY_BYTES);
    const Google__Longrunning__ListOperationsRequest *request =
        (const Google__Longrunning__ListOperationsRequest *)wire_unpack(
            &memory, &google__longrunning__list_operations_request__descriptor, bytes, size, error);
    steno_status status = request != NULL ? STENO_OK : error->status;
    if (request != NULL && request->filter[0] != '\0')
        status = error_set(error, STENO_ERROR_ARGUMENT, "filter: none is known here");
    if (status == STENO_OK && request->page_size < 0)
        status = error_set(error, STENO_ERROR_ARGUMENT, "page_size: %d, should not be negative",
            request->page_size);
    if (status == STENO_OK) {
        copy_name(request->name, out_list->prefix);
        copy_name(request->page_token, out_list->page_token);
        out_list->page_size = (uint32_t)request->page_size;
    }
    message_memory_finish(&memory);
    return status;
}
