/*
 * One completion queue and one thread, as in the daemon.  Piece k of stream i of n is due at
 *
 *     begin + (k + 1 + i / n) pieces
 *
 * so that the order is always the same and the next is found without looking.  What is due while
 * the one before is not out yet (the daemon holds the stream back) is sent later, and its time
 * counts from when it was due all the same: a server that is slow to take audio gains nothing by
 * it.
 */
#include "live.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    bool is_writing, is_closed, is_over;
    double closed_s;
    unsigned out; /* operations */
    grpc_byte_buffer *received;
    grpc_metadata_array headers, trailers;
    grpc_status_code status;
    grpc_slice details;
} live_stream;

typedef struct live_client {
    const live_plan *plan;
    live_report *report;
    grpc_completion_queue *queue;
    live_stream *streams; /* [plan->streams] */
    uint32_t pieces;      /* of each stream */
    uint32_t begun, over;
    bool is_short_of_memory;
} live_client;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Times ---- */

static bool add_time(live_times *times, double seconds)
{
    if (times->count == times->room) {
        size_t room = times->room > 0 ? 2 * times->room : 1024;
        double *grown = memory_allocate(room, sizeof *grown);
        if (grown == NULL)
            return false;
        if (times->count > 0)
            memcpy(grown, times->seconds, times->count * sizeof *grown);
        memory_free(times->seconds);
        times->seconds = grown;
        times->room = room;
    }
    times->seconds[times->count++] = seconds;
    return true;
}

static int compare_times(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void sort_times(live_times *times)
{
    if (times->count > 0)
        qsort(times->seconds, times->count, sizeof *times->seconds, compare_times);
}

double live_quantile(const live_times *times, double share)
{
    return times->count > 0 ? times->seconds[(size_t)(share * (double)(times->count - 1) + 0.5)]
                            : 0;
}

void live_report_finish(live_report *report)
{
    memory_free(report->interim.seconds);
    memory_free(report->final.seconds);
    memory_free(report->end.seconds);
    *report = (live_report){0};
}

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
    size_t size = (size_t)plan->piece_ms * LIVE_RATE_HZ / 1000;
    size_t index = (size_t)(self - self->client->streams);
    size_t from = (index * 7919 * size + self->sent * size) % (plan->samples - size);
    request piece = NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__INIT;
    piece.streaming_request_case =
        NVIDIA__RIVA__ASR__STREAMING_RECOGNIZE_REQUEST__STREAMING_REQUEST_AUDIO_CONTENT;
    piece.audio_content.data = (uint8_t *)(plan->audio + from);
    piece.audio_content.len = size * sizeof *plan->audio;
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
    } else if (self->sent == self->client->pieces) {
        grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
        self->is_closed = true;
        self->closed_s = now_s();
        start(self, &op, 1, TAG_CLOSED);
    }
}

/* ---- What comes ---- */

static void take_message(live_stream *self, grpc_byte_buffer *buffer)
{
    double now = now_s();
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return;
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    response *message = nvidia__riva__asr__streaming_recognize_response__unpack(
        NULL, GRPC_SLICE_LENGTH(all), GRPC_SLICE_START_PTR(all));
    live_report *report = self->client->report;
    double piece_s = (double)self->client->plan->piece_ms / 1000;
    for (size_t i = 0; message != NULL && i < message->n_results; i++) {
        const Nvidia__Riva__Asr__StreamingRecognitionResult *result = message->results[i];
        double covered_s = ceil(result->audio_processed / piece_s - 1e-3) * piece_s;
        double late_s = now - (self->begin_s + covered_s);
        /* What the half close leads to is of its own kind. */
        if (!self->is_closed &&
            !add_time(result->is_final ? &report->final : &report->interim, late_s))
            self->client->is_short_of_memory = true;
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
        if (!add_time(&report->end, now_s() - self->closed_s))
            self->client->is_short_of_memory = true;
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
    double until_s = now_s() + 30;
    while (self->begun < self->plan->streams && self->over == 0 && take_event(self, until_s))
        ;
    if (self->begun == self->plan->streams && self->over == 0)
        return STENO_OK;
    return error_set(error, STENO_ERROR_IO, "%s: %s", self->plan->target,
        self->over > 0 ? self->report->reason : "no connection");
}

static void speak(live_client *self)
{
    const live_plan *plan = self->plan;
    double piece_s = (double)plan->piece_ms / 1000, begin_s = now_s();
    for (uint32_t i = 0; i < plan->streams; i++)
        self->streams[i].begin_s = begin_s + piece_s * i / plan->streams;
    plan->begun(plan->context);
    for (uint32_t k = 0; k < self->pieces; k++)
        for (uint32_t i = 0; i < plan->streams; i++) {
            live_stream *stream = &self->streams[i];
            double due_s = stream->begin_s + piece_s * (k + 1), now;
            while ((now = now_s()) < due_s)
                take_event(self, due_s);
            self->report->latest_s = fmax(self->report->latest_s, now - due_s);
            if (k + 1 == self->pieces && i == 0)
                plan->ending(plan->context);
            stream->due++;
            go_on(stream);
            /* Even when behind, answers are taken as they come. */
            while (take_event(self, 0))
                ;
        }
    double until_s = now_s() + 120;
    while (self->over < plan->streams && take_event(self, until_s))
        ;
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
    stream->channel = grpc_channel_create(self->plan->target, plain, &args);
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
        take_event(stream->client, now_s() + 1);
    grpc_call_unref(stream->call);
    grpc_channel_destroy(stream->channel);
    grpc_metadata_array_destroy(&stream->headers);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_slice_unref(stream->details);
}

steno_status live_run(const live_plan *plan, live_report *out_report, steno_error *error)
{
    live_client self = {
        .plan = plan, .report = out_report, .pieces = plan->seconds * 1000 / plan->piece_ms};
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
    while (take_event(&self, now_s() + 1))
        ;
    grpc_completion_queue_destroy(self.queue);
    grpc_shutdown();
    memory_free(self.streams);
    sort_times(&out_report->interim);
    sort_times(&out_report->final);
    sort_times(&out_report->end);
    return status == STENO_OK && self.is_short_of_memory ? error_memory(error) : status;
}
