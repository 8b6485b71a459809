/* The table of methods, those that are answered at once, and what all of them share. */
#include "services/recognition.h"

#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "services/recognition_private.h"

#define GOOGLE "/google.cloud.speech.v1.Speech/"
#define STENO "/steno.v1.Speech/"
#define RIVA "/nvidia.riva.asr.RivaSpeechRecognition/"
#define OPERATIONS "/google.longrunning.Operations/"
#define VOSK "/vosk.stt.v1."

/* ---- Answers ---- */

static steno_status start_operation(recognition *self, call *rpc, wire_output *output,
    steno_status (*read)(wire_request *, const uint8_t *, size_t, steno_error *),
    const uint8_t *bytes, size_t size, steno_error *error)
{
    wire_request *request = memory_allocate(1, sizeof *request);
    if (request == NULL)
        return error_memory(error);
    wire_request_init(request);
    steno_status status = read(request, bytes, size, error);
    recognition_name_request(self, rpc, &request->config);
    if (status == STENO_OK)
        status = operations_start(self->operations, request, call_client(rpc), output, error);
    if (status != STENO_OK) {
        wire_request_finish(request);
        memory_free(request);
    }
    return status;
}

static steno_status answer_google_long(recognition *self, call *rpc, const uint8_t *bytes,
    size_t size, wire_output *output, steno_error *error)
{
    return start_operation(self, rpc, output, wire_google_read_long, bytes, size, error);
}

static steno_status answer_steno_long(recognition *self, call *rpc, const uint8_t *bytes,
    size_t size, wire_output *output, steno_error *error)
{
    return start_operation(self, rpc, output, wire_steno_read_long, bytes, size, error);
}

static steno_status answer_get(recognition *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_get(self->operations, bytes, size, output, error);
}

static steno_status answer_list(recognition *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_list(self->operations, call_client(rpc), bytes, size, output, error);
}

static steno_status answer_cancel(recognition *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_cancel(self->operations, bytes, size, output, error);
}

static steno_status answer_delete(recognition *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_delete(self->operations, bytes, size, output, error);
}

static steno_status answer_model(recognition *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    steno_model *model = speech_model(self->speech);
    steno_model_info info;
    steno_model_get_info(model, &info);
    steno_status status = wire_steno_get_model(&info, bytes, size, output, error);
    steno_model_unref(model);
    return status;
}

static steno_status answer_riva_config(recognition *self, call *rpc, const uint8_t *bytes,
    size_t size, wire_output *output, steno_error *error)
{
    steno_model *model = speech_model(self->speech);
    steno_model_info info;
    steno_model_get_info(model, &info);
    steno_status status = wire_riva_get_config(&info, bytes, size, output, error);
    steno_model_unref(model);
    return status;
}

/* The request is empty, whatever it holds. */
static steno_status answer_vosk_stats(recognition *self, call *rpc, const uint8_t *bytes,
    size_t size, wire_output *output, steno_error *error)
{
    steno_engine_times times;
    steno_engine_get_times(speech_engine(self->speech), &times);
    uint64_t spent_ns =
        times.feature_ns + times.encoder_ns + times.decoder_ns + times.transcript_ns;
    wire_stats stats = {.streams = self->streams, .streams_total = self->streams_total};
    if (times.audio_ms > 0)
        stats.real_time_factor = (float)((double)spent_ns / 1e6 / (double)times.audio_ms);
    wire_vosk_write_stats(output, &stats);
    return STENO_OK;
}

/* ---- Methods ---- */

enum { RECOGNISING = 7, ANSWERING = 9, METHODS = RECOGNISING + ANSWERING + 1 };

typedef struct method_table {
    recognition_service services[RECOGNISING];
    recognition_answer answers[ANSWERING];
    call_method methods[METHODS];
    const call_method *list[METHODS];
} method_table;

static void add_method(
    method_table *s, size_t index, const char *path, const call_method *kind, void *service)
{
    s->methods[index] = *kind;
    s->methods[index].path = path;
    s->methods[index].service = service;
    s->list[index] = &s->methods[index];
}

static void fill_methods(recognition *self, method_table *s)
{
    const struct {
        const char *path;
        const call_method *kind;
        const wire_protocol *protocol;
    } recognising[RECOGNISING] = {
        {GOOGLE "Recognize", &unary_method, &wire_google},
        {GOOGLE "StreamingRecognize", &streaming_method, &wire_google},
        {STENO "Recognize", &unary_method, &wire_steno},
        {STENO "StreamingRecognize", &streaming_method, &wire_steno},
        {RIVA "Recognize", &unary_method, &wire_riva},
        {RIVA "StreamingRecognize", &streaming_method, &wire_riva},
        {VOSK "SttService/StreamingRecognize", &streaming_method, &wire_vosk},
    };
    const struct {
        const char *path;
        steno_status (*answer)(
            recognition *, call *, const uint8_t *, size_t, wire_output *, steno_error *);
    } answering[ANSWERING] = {
        {GOOGLE "LongRunningRecognize", answer_google_long},
        {STENO "LongRunningRecognize", answer_steno_long},
        {STENO "GetModel", answer_model},
        {OPERATIONS "GetOperation", answer_get},
        {OPERATIONS "ListOperations", answer_list},
        {OPERATIONS "CancelOperation", answer_cancel},
        {OPERATIONS "DeleteOperation", answer_delete},
        {RIVA "GetRivaSpeechRecognitionConfig", answer_riva_config},
        {VOSK "StatsService/GetStats", answer_vosk_stats},
    };
    size_t index = 0;
    for (size_t i = 0; i < RECOGNISING; i++) {
        s->services[i] = (recognition_service){self, recognising[i].protocol};
        add_method(s, index++, recognising[i].path, recognising[i].kind, &s->services[i]);
    }
    for (size_t i = 0; i < ANSWERING; i++) {
        s->answers[i] = (recognition_answer){self, answering[i].answer};
        add_method(s, index++, answering[i].path, &answer_method, &s->answers[i]);
    }
    add_method(s, index, OPERATIONS "WaitOperation", &operations_wait_method, self->operations);
}

size_t recognition_methods(recognition *self, const call_method *const **out_methods)
{
    *out_methods = self->methods->list;
    return METHODS;
}

/* ---- What the services share ---- */

call_status recognition_call_status(steno_status status)
{
    switch (status) {
    case STENO_ERROR_ARGUMENT:
    case STENO_ERROR_FORMAT:
    case STENO_ERROR_UNSUPPORTED:
        return CALL_INVALID_ARGUMENT;
    case STENO_ERROR_NOT_FOUND:
        return CALL_NOT_FOUND;
    case STENO_ERROR_MEMORY:
    case STENO_ERROR_LIMIT:
        return CALL_RESOURCE_EXHAUSTED;
    default:
        return CALL_INTERNAL;
    }
}

void recognition_fail(call *rpc, const steno_error *error)
{
    call_finish(rpc, recognition_call_status(error->status), error->message);
}

_Static_assert((int)WIRE_LOG_ID >= (int)CALL_REQUEST_ID_BYTES, "a call's id is whole in the log");

void recognition_name_request(recognition *self, const call *rpc, wire_config *config)
{
    config->request_id = ++self->last_request_id;
    snprintf(config->log_id, sizeof config->log_id, "%s", call_request_id(rpc));
}

/* ---- Beginning and end ---- */

steno_status recognition_create(speech *maker, recognition **out_recognition, steno_error *error)
{
    recognition *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    self->speech = maker;
    self->last_request_id = (int64_t)now.tv_sec * 1000000;
    self->methods = memory_allocate(1, sizeof *self->methods);
    steno_status status = self->methods != NULL ? operations_create(maker, &self->operations, error)
                                                : error_memory(error);
    if (status != STENO_OK) {
        recognition_destroy(self);
        return status;
    }
    fill_methods(self, self->methods);
    *out_recognition = self;
    return STENO_OK;
}

void recognition_destroy(recognition *self)
{
    if (self == NULL)
        return;
    operations_destroy(self->operations);
    memory_free(self->methods);
    memory_free(self);
}

uint32_t recognition_operations_pending(recognition *self)
{
    return operations_pending(self->operations);
}

void recognition_watch(
    recognition *self, void (*answered)(void *context, uint64_t latency_ms), void *context)
{
    self->answered = answered;
    self->answered_context = context;
}
