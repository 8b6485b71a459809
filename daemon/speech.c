/* The engine, the model and the table of methods. */
#include "daemon/speech.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/speech_private.h"

#define GOOGLE "/google.cloud.speech.v1.Speech/"
#define STENO "/steno.v1.Speech/"
#define RIVA "/nvidia.riva.asr.RivaSpeechRecognition/"
#define OPERATIONS "/google.longrunning.Operations/"
#define VOSK "/vosk.stt.v1."

/* ---- Answers ---- */

static steno_status start_operation(speech *self, call *rpc, wire_output *output,
    steno_status (*read)(wire_request *, const uint8_t *, size_t, steno_error *),
    const uint8_t *bytes, size_t size, steno_error *error)
{
    wire_request *request = memory_allocate(1, sizeof *request);
    if (request == NULL)
        return error_memory(error);
    wire_request_init(request);
    steno_status status = read(request, bytes, size, error);
    speech_name_request(self, rpc, &request->config);
    if (status == STENO_OK)
        status = operations_start(self->operations, request, call_client(rpc), output, error);
    if (status != STENO_OK) {
        wire_request_finish(request);
        memory_free(request);
    }
    return status;
}

static steno_status answer_google_long(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return start_operation(self, rpc, output, wire_google_read_long, bytes, size, error);
}

static steno_status answer_steno_long(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return start_operation(self, rpc, output, wire_steno_read_long, bytes, size, error);
}

static steno_status answer_get(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_get(self->operations, bytes, size, output, error);
}

static steno_status answer_list(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_list(self->operations, call_client(rpc), bytes, size, output, error);
}

static steno_status answer_cancel(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_cancel(self->operations, bytes, size, output, error);
}

static steno_status answer_delete(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    return operations_delete(self->operations, bytes, size, output, error);
}

static steno_status answer_model(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    steno_model *model = speech_model(self);
    steno_model_info info;
    steno_model_get_info(model, &info);
    steno_status status = wire_steno_get_model(&info, bytes, size, output, error);
    steno_model_unref(model);
    return status;
}

static steno_status answer_riva_config(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    steno_model *model = speech_model(self);
    steno_model_info info;
    steno_model_get_info(model, &info);
    steno_status status = wire_riva_get_config(&info, bytes, size, output, error);
    steno_model_unref(model);
    return status;
}

/* The request is empty, whatever it holds. */
static steno_status answer_vosk_stats(speech *self, call *rpc, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    steno_engine_times times;
    steno_engine_get_times(self->engine, &times);
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

typedef struct speech_services {
    speech_service services[RECOGNISING];
    speech_answer answers[ANSWERING];
    call_method methods[METHODS];
    const call_method *list[METHODS];
} speech_services;

static void add_method(
    speech_services *s, size_t index, const char *path, const call_method *kind, void *service)
{
    s->methods[index] = *kind;
    s->methods[index].path = path;
    s->methods[index].service = service;
    s->list[index] = &s->methods[index];
}

static void fill_services(speech *self, speech_services *s)
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
            speech *, call *, const uint8_t *, size_t, wire_output *, steno_error *);
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
        s->services[i] = (speech_service){self, recognising[i].protocol};
        add_method(s, index++, recognising[i].path, recognising[i].kind, &s->services[i]);
    }
    for (size_t i = 0; i < ANSWERING; i++) {
        s->answers[i] = (speech_answer){self, answering[i].answer};
        add_method(s, index++, answering[i].path, &answer_method, &s->answers[i]);
    }
    add_method(s, index, OPERATIONS "WaitOperation", &operations_wait_method, self->operations);
}

size_t speech_methods(speech *self, const call_method *const **out_methods)
{
    *out_methods = self->services->list;
    return METHODS;
}

/* ---- What the services share ---- */

call_status speech_call_status(steno_status status)
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

void speech_fail(call *rpc, const steno_error *error)
{
    call_finish(rpc, speech_call_status(error->status), error->message);
}

_Static_assert((int)WIRE_LOG_ID >= (int)CALL_REQUEST_ID_BYTES, "a call's id is whole in the log");

void speech_name_request(speech *self, const call *rpc, wire_config *config)
{
    config->request_id = ++self->last_request_id;
    snprintf(config->log_id, sizeof config->log_id, "%s", call_request_id(rpc));
}

/* ---- The model, and others in its place ---- */

struct speech_change {
    session_setting setting;
    struct stat model_file;
    steno_precision precision;
    char model_id[FINGERPRINT_BYTES];
};

/* The largest chunk there is, where none was chosen. */
static uint32_t choose_chunk(const steno_model *model, uint32_t wanted_ms)
{
    if (wanted_ms != 0)
        return wanted_ms;
    steno_model_info info;
    steno_model_get_info(model, &info);
    uint32_t chunk_ms = 1280;
    while (chunk_ms > 160 && chunk_ms > info.max_chunk_ms)
        chunk_ms /= 2;
    return chunk_ms;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The model of the options: the one in use if it is the same, with a reference for the caller. */
static steno_status open_model(
    speech *self, const speech_options *options, speech_change *change, steno_error *error)
{
    const char *path =
        options->model_path != NULL ? options->model_path : steno_model_default_path();
    if (path == NULL)
        return error_set(
            error, STENO_ERROR_NOT_FOUND, "no model found: name one, or set STENO_MODEL");
    change->precision = options->precision;
    /* Before opening: should it change between the two, the next reload opens it again. */
    bool is_there = stat(path, &change->model_file) == 0;
    if (self->setting.model != NULL && is_there && change->precision == self->precision &&
        is_same_file(&change->model_file, &self->model_file)) {
        change->setting.model = speech_identify(self, change->model_id);
        return STENO_OK;
    }
    fingerprint_file(path, change->model_id);
    steno_model_options model_options = {.precision = options->precision};
    return steno_model_open(path, &model_options, &change->setting.model, error);
}

/* Options that no stream could be made with are better refused before the first one. */
static steno_status try_stream(const session_setting *setting, steno_error *error)
{
    steno_stream_options options;
    steno_stream *stream;
    steno_stream_options_init(&options);
    options.chunk_ms = setting->chunk_ms;
    if (setting->backlog_ms > 2 * options.chunk_ms)
        options.backlog_ms = setting->backlog_ms;
    steno_status status =
        steno_stream_create(setting->engine, setting->model, &options, &stream, error);
    if (status == STENO_OK)
        steno_stream_destroy(stream);
    return status;
}

steno_status speech_prepare(
    speech *self, const speech_options *options, speech_change **out_change, steno_error *error)
{
    speech_change *change = memory_allocate(1, sizeof *change);
    if (change == NULL)
        return error_memory(error);
    steno_status status = open_model(self, options, change, error);
    if (status == STENO_OK) {
        change->setting.engine = self->engine;
        change->setting.chunk_ms = choose_chunk(change->setting.model, options->chunk_ms);
        change->setting.backlog_ms = options->backlog_ms;
        change->setting.log = options->log;
        status = try_stream(&change->setting, error);
    }
    if (status == STENO_OK)
        *out_change = change;
    else
        speech_abandon(change);
    return status;
}

void speech_commit(speech *self, speech_change *change)
{
    pthread_mutex_lock(&self->mutex);
    steno_model *before = self->setting.model;
    self->setting = change->setting;
    memcpy(self->model_id, change->model_id, sizeof self->model_id);
    pthread_mutex_unlock(&self->mutex);
    self->model_file = change->model_file;
    self->precision = change->precision;
    steno_model_unref(before);
    memory_free(change);
}

void speech_abandon(speech_change *change)
{
    if (change != NULL)
        steno_model_unref(change->setting.model);
    memory_free(change);
}

/* The settings of this moment, with a reference to the model. */
static session_setting take_setting(speech *self)
{
    pthread_mutex_lock(&self->mutex);
    session_setting setting = self->setting;
    steno_model_ref(setting.model);
    pthread_mutex_unlock(&self->mutex);
    return setting;
}

steno_model *speech_model(speech *self)
{
    return take_setting(self).model;
}

steno_model *speech_identify(speech *self, char out_id[FINGERPRINT_BYTES])
{
    pthread_mutex_lock(&self->mutex);
    steno_model *model = steno_model_ref(self->setting.model);
    memcpy(out_id, self->model_id, FINGERPRINT_BYTES);
    pthread_mutex_unlock(&self->mutex);
    return model;
}

uint32_t speech_operations_pending(speech *self)
{
    return operations_pending(self->operations);
}

void speech_watch(speech *self, void (*answered)(void *context, uint64_t latency_ms), void *context)
{
    self->answered = answered;
    self->answered_context = context;
}

steno_status speech_begin_session(speech *self, const wire_config *config,
    void (*ready)(void *context), void *context, session **out_session, steno_error *error)
{
    session_setting setting = take_setting(self);
    setting.ready = ready;
    setting.context = context;
    steno_status status = session_create(&setting, config, out_session, error);
    steno_model_unref(setting.model);
    return status;
}

steno_status speech_begin_stream(speech *self, steno_stream_options *options,
    steno_stream **out_stream, const steno_model **out_model, steno_error *error)
{
    session_setting setting = take_setting(self);
    if (options->chunk_ms == 0)
        options->chunk_ms = setting.chunk_ms;
    steno_status status =
        steno_stream_create(self->engine, setting.model, options, out_stream, error);
    if (status == STENO_OK)
        *out_model = setting.model;
    steno_model_unref(setting.model);
    return status;
}

bool speech_has_other_model(speech *self, const steno_model *model)
{
    pthread_mutex_lock(&self->mutex);
    bool has_other = self->setting.model != model;
    pthread_mutex_unlock(&self->mutex);
    return has_other;
}

const steno_engine *speech_engine(const speech *self)
{
    return self->engine;
}

/* ---- Beginning and end ---- */

static steno_status start_engine(speech *self, const speech_options *options, steno_error *error)
{
    steno_engine_options engine_options = {.threads = options->threads};
    steno_status status = steno_engine_create(&engine_options, &self->engine, error);
    if (status != STENO_OK)
        return status;
    speech_change *change;
    status = speech_prepare(self, options, &change, error);
    if (status == STENO_OK)
        speech_commit(self, change);
    return status;
}

steno_status speech_create(const speech_options *options, speech **out_speech, steno_error *error)
{
    speech *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    pthread_mutex_init(&self->mutex, NULL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    self->last_request_id = (int64_t)now.tv_sec * 1000000;
    self->services = memory_allocate(1, sizeof *self->services);
    steno_status status =
        self->services != NULL ? start_engine(self, options, error) : error_memory(error);
    if (status == STENO_OK)
        status = operations_create(self, &self->operations, error);
    if (status != STENO_OK) {
        speech_destroy(self);
        return status;
    }
    fill_services(self, self->services);
    *out_speech = self;
    return STENO_OK;
}

void speech_destroy(speech *self)
{
    if (self == NULL)
        return;
    operations_destroy(self->operations);
    steno_engine_destroy(self->engine);
    steno_model_unref(self->setting.model);
    pthread_mutex_destroy(&self->mutex);
    memory_free(self->services);
    memory_free(self);
}
