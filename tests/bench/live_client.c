/* One completion queue and one thread, as in the daemon. */
#include "live_client.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "nvidia/riva/riva_asr.pb-c.h"

typedef Nvidia__Riva__Asr__StreamingRecognizeRequest request;
typedef Nvidia__Riva__Asr__StreamingRecognizeResponse response;

typedef enum tag_kind {
    TAG_BEGUN, /* the configuration is out */
    TAG_WRITTEN,
    TAG_CLOSED,
    TAG_HEADERS,
    TAG_READ,
    TAG_STATUS,
    TAG_KINDS,
} tag_kind;

typedef struct tag {
    tag_kind kind;
    struct live_stream *stream;
} tag;

typedef struct live_stream {
    struct live_client *client;
    grpc_channel *channel;
    grpc_call *call;
    tag tags[TAG_KINDS];
    double begin_s; /* when its first sample was spoken */
    uint32_t due, sent;
    bool is_writing, has_result, is_closed, is_over;
    double closed_s;
    unsigned out; /* operations */
    grpc_byte_buffer *received;
    grpc_metadata_array headers, trailers;
    grpc_status_code status;
    grpc_slice details;
} live_stream;

typedef struct live_client {
    const live_plan *plan;
    const char *target;
    live_report *report;
    grpc_completion_queue *queue;
    live_stream *streams; /* [plan->streams] */
    uint32_t begun, over;
} live_client;

/* ---- Operations ---- */

static void start(live_stream *self, const grpc_op *ops, size_t count, tag_kind kind)
{
    self->out++;
    if (grpc_call_start_batch(self->call, ops, count, &self->tags[kind], NULL) != GRPC_CALL_OK)
        abort(); /* a mistake of this file */
}

static grpc_byte_buffer *pack(const request *message)
{
    size_t size = protobuf_c_message_get_packed_size(&message->base);
    grpc_slice slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(&message->base, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static void ask_for_message(live_stream *self)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &self->received;
    start(self, &op, 1, TAG_READ);
}

static void begin(live_stream *self)
{
    Nvidia__Riva__Asr__RecognitionConfig config = NVIDIA__RIVA__ASR__RECOGNITION_CONFIG__INIT;
    Nvidia__Riva__Asr__StreamingRecognitionConfig streaming =
        NVIDIA__RIVA__ASR__STREAMING_RECOGNITION_CONFIG__INIT;
    request first = NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__INIT;
    config.encoding = NVIDIA__RIVA__AUDIO_ENCODING__LINEAR_PCM;
    config.sample_rate_hertz = LIVE_RATE_HZ;
    streaming.config = &config;
    streaming.interim_results = true;
    first.streaming_request_case =
        NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_STREAMING_CONFIG;
    first.streaming_config = &streaming;
    grpc_byte_buffer *message = pack(&first);
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_MESSAGE}};
    ops[1].data.send_message.send_message = message;
    start(self, ops, 2, TAG_BEGUN);
    grpc_byte_buffer_destroy(message);

    grpc_op headers = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    headers.data.recv_initial_metadata.recv_initial_metadata = &self->headers;
    start(self, &headers, 1, TAG_HEADERS);
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    status.data.recv_status_on_client.trailing_metadata = &self->trailers;
    status.data.recv_status_on_client.status = &self->status;
    status.data.recv_status_on_client.status_details = &self->details;
    start(self, &status, 1, TAG_STATUS);
    ask_for_message(self);
}

static void send_piece(live_stream *self)
{
    const live_plan *plan = self->client->plan;
    uint32_t index = (uint32_t)(self - self->client->streams);
    request piece = NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__INIT;
    piece.streaming_request_case =
        NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_AUDIO_CONTENT;
    piece.audio_content.data = (uint8_t *)live_piece(plan, index, self->sent);
    piece.audio_content.len = live_piece_samples(plan) * sizeof *plan->audio;
    grpc_byte_buffer *message = pack(&piece);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    self->sent++;
    self->is_writing = true;
    start(self, &op, 1, TAG_WRITTEN);
    grpc_byte_buffer_destroy(message);
}

/* Whatever may be sent now. */
static void go_on(live_stream *self)
{
    if (self->is_writing || self->is_over || self->is_closed)
        return;
    if (self->sent < self->due) {
        send_piece(self);
    } else if (self->sent == live_pieces(self->client->plan)) {
        grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
        self->is_closed = true;
        self->closed_s = live_now_s();
        start(self, &op, 1, TAG_CLOSED);
    }
}

/* ---- What comes ---- */

static void take_message(live_stream *self, grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return;
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    response *message = nvidia__riva__asr__streaming_recognize_response__unpack(
        NULL, GRPC_SLICE_LENGTH(all), GRPC_SLICE_START_PTR(all));
    for (size_t i = 0; message != NULL && i < message->n_results; i++) {
        const Nvidia__Riva__Asr__StreamingRecognitionResult *result = message->results[i];
        /* What the half close leads to is of its own kind. */
        if (self->is_closed)
            continue;
        live_note_result(self->client->report, self->client->plan, self->begin_s,
            result->audio_processed, result->is_final, !self->has_result);
        self->has_result = true;
    }
    if (message != NULL)
        nvidia__riva__asr__streaming_recognize_response__free_unpacked(message, NULL);
    grpc_slice_unref(all);
}

static void take_status(live_stream *self)
{
    live_report *report = self->client->report;
    self->is_over = true;
    self->client->over++;
    if (self->status == GRPC_STATUS_OK && self->is_closed) {
        live_note_time(report, &report->end, live_now_s() - self->closed_s);
        return;
    }
    report->failed++;
    snprintf(report->reason, sizeof report->reason, "%.*s", (int)GRPC_SLICE_LENGTH(self->details),
        (const char *)GRPC_SLICE_START_PTR(self->details));
}

static void handle(const tag *what, bool success)
{
    live_stream *self = what->stream;
    self->out--;
    switch (what->kind) {
    case TAG_BEGUN:
        self->client->begun++;
        break;
    case TAG_WRITTEN:
        self->is_writing = false;
        if (success)
            go_on(self);
        break;
    case TAG_READ:
        if (self->received != NULL) {
            take_message(self, self->received);
            grpc_byte_buffer_destroy(self->received);
            self->received = NULL;
            ask_for_message(self);
        }
        break;
    case TAG_STATUS:
        take_status(self);
        break;
    case TAG_CLOSED:
    case TAG_HEADERS:
    case TAG_KINDS:
        break;
    }
}

/* Takes one event, if any comes in time. */
static bool take_event(live_client *self, double until_s)
{
    gpr_timespec until = {.tv_sec = (int64_t)until_s,
        .tv_nsec = (int32_t)((until_s - floor(until_s)) * 1e9),
        .clock_type = GPR_CLOCK_MONOTONIC};
    grpc_event event = grpc_completion_queue_next(self->queue, until, NULL);
    if (event.type == GRPC_OP_COMPLETE)
        handle(event.tag, event.success != 0);
    return event.type != GRPC_QUEUE_SHUTDOWN && event.type != GRPC_QUEUE_TIMEOUT;
}

/* ---- The run ---- */

static steno_status begin_all(live_client *self, steno_error *error)
{
    for (uint32_t i = 0; i < self->plan->streams; i++)
        begin(&self->streams[i]);
    double until_s = live_now_s() + 30;
    while (self->begun < self->plan->streams && self->over == 0 && take_event(self, until_s))
        ;
    if (self->begun == self->plan->streams && self->over == 0)
        return STENO_OK;
    return error_set(error, STENO_ERROR_IO, "%s: %s", self->target,
        self->over > 0 ? self->report->reason : "no connection");
}

static void on_begin(void *context, uint32_t index, double begin_s)
{
    ((live_client *)context)->streams[index].begin_s = begin_s;
}

static void on_due(void *context, uint32_t index)
{
    live_stream *stream = &((live_client *)context)->streams[index];
    stream->due++;
    go_on(stream);
}

static bool on_take(void *context, double until_s)
{
    return take_event(context, until_s);
}

static void speak(live_client *self)
{
    const live_driver driver = {
        .self = self, .begin = on_begin, .due = on_due, .take = on_take, .over = &self->over};
    live_speak(self->plan, &driver, self->report);
}

static void open_stream(live_client *self, live_stream *stream)
{
    /* A connection of its own. */
    grpc_arg own = {.type = GRPC_ARG_INTEGER,
        .key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
        .value.integer = 1};
    grpc_channel_args args = {.num_args = 1, .args = &own};
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    stream->client = self;
    stream->channel = grpc_channel_create(self->target, plain, &args);
    grpc_channel_credentials_release(plain);
    stream->call = grpc_channel_create_call(stream->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
        self->queue,
        grpc_slice_from_static_string("/nvidia.riva.asr.RivaSpeechRecognition/StreamingRecognize"),
        NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    for (int kind = 0; kind < TAG_KINDS; kind++)
        stream->tags[kind] = (tag){(tag_kind)kind, stream};
    stream->details = grpc_empty_slice();
    grpc_metadata_array_init(&stream->headers);
    grpc_metadata_array_init(&stream->trailers);
}

static void close_stream(live_stream *stream)
{
    if (!stream->is_over)
        grpc_call_cancel(stream->call, NULL);
    while (stream->out > 0)
        take_event(stream->client, live_now_s() + 1);
    grpc_call_unref(stream->call);
    grpc_channel_destroy(stream->channel);
    grpc_metadata_array_destroy(&stream->headers);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_slice_unref(stream->details);
}

steno_status live_client_run(
    const live_plan *plan, const char *target, live_report *out_report, steno_error *error)
{
    live_client self = {.plan = plan, .target = target, .report = out_report};
    *out_report = (live_report){0};
    self.streams = memory_allocate(plan->streams, sizeof *self.streams);
    if (self.streams == NULL)
        return error_memory(error);
    grpc_init();
    self.queue = grpc_completion_queue_create_for_next(NULL);
    for (uint32_t i = 0; i < plan->streams; i++)
        open_stream(&self, &self.streams[i]);
    steno_status status = begin_all(&self, error);
    if (status == STENO_OK)
        speak(&self);
    for (uint32_t i = 0; i < plan->streams; i++)
        close_stream(&self.streams[i]);
    grpc_completion_queue_shutdown(self.queue);
    while (take_event(&self, live_now_s() + 1))
        ;
    grpc_completion_queue_destroy(self.queue);
    grpc_shutdown();
    memory_free(self.streams);
    live_report_sort(out_report);
    return status == STENO_OK && out_report->is_short_of_memory ? error_memory(error) : status;
}
