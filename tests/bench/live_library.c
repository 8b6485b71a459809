/*
 * As a program does that has the library in it: the thread that feeds sleeps until the next piece
 * is due or a worker says, through a stream's `ready`, that there is something to take.  Streams
 * that are ready stand in a ring, each at most once, so that nobody looks at all of them.
 */
#include "live_library.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"

typedef struct embedded_stream {
    struct embedded *all;
    steno_stream *stream;
    double begin_s; /* when its first sample was spoken */
    uint32_t due, sent;
    size_t taken; /* samples of the piece after those sent */
    bool has_result, is_closed, is_over;
    double closed_s;
    bool is_ready; /* under the lock: stands in the ring */
} embedded_stream;

typedef struct embedded {
    const live_plan *plan;
    live_report *report;
    steno_model *model;
    steno_engine *engine;
    embedded_stream *streams; /* [plan->streams] */
    float *piece;             /* [live_piece_samples] */
    uint32_t over;

    pthread_mutex_t lock;
    pthread_cond_t woken;
    embedded_stream **ring; /* [plan->streams] */
    uint32_t ring_first, ring_count;
} embedded;

/* ---- Who is ready ---- */

static void on_ready(void *context)
{
    embedded_stream *stream = context;
    embedded *self = stream->all;
    pthread_mutex_lock(&self->lock);
    if (!stream->is_ready) {
        stream->is_ready = true;
        self->ring[(self->ring_first + self->ring_count++) % self->plan->streams] = stream;
        pthread_cond_signal(&self->woken);
    }
    pthread_mutex_unlock(&self->lock);
}

/* NULL if none is until then. */
static embedded_stream *next_ready(embedded *self, double until_s)
{
    const struct timespec until = {
        .tv_sec = (time_t)until_s, .tv_nsec = (long)((until_s - floor(until_s)) * 1e9)};
    embedded_stream *found = NULL;
    pthread_mutex_lock(&self->lock);
    while (self->ring_count == 0 && live_now_s() < until_s)
        pthread_cond_timedwait(&self->woken, &self->lock, &until);
    if (self->ring_count > 0) {
        found = self->ring[self->ring_first];
        found->is_ready = false;
        self->ring_first = (self->ring_first + 1) % self->plan->streams;
        self->ring_count--;
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

/* ---- One stream ---- */

static void end_stream(embedded_stream *stream, steno_status status, const steno_error *error)
{
    live_report *report = stream->all->report;
    stream->is_over = true;
    stream->all->over++;
    if (status == STENO_END && stream->is_closed) {
        live_note_time(report, &report->end, live_now_s() - stream->closed_s);
        return;
    }
    report->failed++;
    snprintf(report->reason, sizeof report->reason, "%s",
        status < 0 ? error->message : "the stream ended early");
}

/* True if the piece is out now. */
static bool send_piece(embedded_stream *stream)
{
    embedded *self = stream->all;
    const int16_t *samples =
        live_piece(self->plan, (uint32_t)(stream - self->streams), stream->sent);
    size_t count = live_piece_samples(self->plan) - stream->taken, taken = 0;
    for (size_t i = 0; i < count; i++)
        self->piece[i] = (float)samples[stream->taken + i] / 32768;
    steno_stream_feed(stream->stream, self->piece, count, &taken);
    stream->taken += taken;
    if (taken < count)
        return false;
    stream->taken = 0;
    stream->sent++;
    return true;
}

static void go_on(embedded_stream *stream)
{
    if (stream->is_over || stream->is_closed)
        return;
    while (stream->sent < stream->due)
        if (!send_piece(stream))
            return;
    if (stream->sent == live_pieces(stream->all->plan)) {
        stream->is_closed = true;
        stream->closed_s = live_now_s();
        steno_stream_finish(stream->stream);
    }
}

static void take_results(embedded_stream *stream)
{
    embedded *self = stream->all;
    const steno_result *result;
    steno_error error;
    steno_status status = STENO_OK;
    while (!stream->is_over &&
           (status = steno_stream_next(stream->stream, &result, &error)) == STENO_OK) {
        if (stream->is_closed)
            continue;
        live_note_result(self->report, self->plan, stream->begin_s,
            (double)steno_stream_done_ms(stream->stream) / 1000, result->is_final,
            !stream->has_result);
        stream->has_result = true;
    }
    if (!stream->is_over && status != STENO_AGAIN)
        end_stream(stream, status, &error);
}

/* ---- The run ---- */

static void on_begin(void *context, uint32_t index, double begin_s)
{
    ((embedded *)context)->streams[index].begin_s = begin_s;
}

static void on_due(void *context, uint32_t index)
{
    embedded_stream *stream = &((embedded *)context)->streams[index];
    stream->due++;
    go_on(stream);
}

static bool on_take(void *context, double until_s)
{
    embedded_stream *stream = next_ready(context, until_s);
    if (stream == NULL)
        return false;
    take_results(stream);
    go_on(stream);
    return true;
}

static void speak(embedded *self)
{
    const live_driver driver = {
        .self = self, .begin = on_begin, .due = on_due, .take = on_take, .over = &self->over};
    live_speak(self->plan, &driver, self->report);
    for (uint32_t i = 0; i < self->plan->streams; i++)
        if (!self->streams[i].is_over) {
            steno_error error = {.message = "the stream did not end"};
            end_stream(&self->streams[i], STENO_ERROR_INTERNAL, &error);
        }
}

static steno_status open_streams(embedded *self, const live_library *library, steno_error *error)
{
    steno_stream_options options;
    steno_stream_options_init(&options);
    options.rate_hz = LIVE_RATE_HZ;
    options.chunk_ms = library->chunk_ms;
    options.interim = true;
    options.ready = on_ready;
    for (uint32_t i = 0; i < self->plan->streams; i++) {
        embedded_stream *stream = &self->streams[i];
        stream->all = self;
        options.ready_context = stream;
        steno_status status =
            steno_stream_create(self->engine, self->model, &options, &stream->stream, error);
        if (status < 0)
            return status;
    }
    return STENO_OK;
}

static steno_status open_all(embedded *self, const live_library *library, steno_error *error)
{
    const steno_model_options model_options = {.precision = library->precision};
    const steno_engine_options engine_options = {.threads = library->threads};
    self->streams = memory_allocate(self->plan->streams, sizeof *self->streams);
    self->ring = memory_allocate(self->plan->streams, sizeof(embedded_stream *));
    self->piece = memory_allocate(live_piece_samples(self->plan), sizeof *self->piece);
    if (self->streams == NULL || self->ring == NULL || self->piece == NULL)
        return error_memory(error);
    steno_status status = steno_model_open(library->model, &model_options, &self->model, error);
    if (status >= 0)
        status = steno_engine_create(&engine_options, &self->engine, error);
    return status >= 0 ? open_streams(self, library, error) : status;
}

static void close_all(embedded *self)
{
    for (uint32_t i = 0; self->streams != NULL && i < self->plan->streams; i++)
        steno_stream_destroy(self->streams[i].stream);
    steno_engine_destroy(self->engine);
    steno_model_unref(self->model);
    memory_free(self->piece);
    memory_free(self->ring);
    memory_free(self->streams);
}

steno_status live_library_run(
    const live_plan *plan, const live_library *library, live_report *out_report, steno_error *error)
{
    embedded self = {.plan = plan, .report = out_report};
    pthread_condattr_t clock;
    *out_report = (live_report){0};
    pthread_mutex_init(&self.lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&self.woken, &clock);
    pthread_condattr_destroy(&clock);
    steno_status status = open_all(&self, library, error);
    if (status >= 0)
        speak(&self);
    close_all(&self);
    pthread_cond_destroy(&self.woken);
    pthread_mutex_destroy(&self.lock);
    live_report_sort(out_report);
    return status >= 0 && out_report->is_short_of_memory ? error_memory(error) : status;
}
