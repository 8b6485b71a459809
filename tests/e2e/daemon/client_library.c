/*
 * The client library with a real server, from C: what only a program that uses it can see.
 *
 *     client_library ADDRESS SAMPLES        SAMPLES: a file of 16-bit samples, 16 kHz, one channel
 */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "steno/client.h"
#include "support/suite.h"

static const char *addresses[3];
static float *samples;
static int16_t *raw;
static size_t sample_count;
static steno_error error;

static void read_samples(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        abort();
    sample_count = (size_t)ftell(file) / 2;
    rewind(file);
    raw = calloc(sample_count, sizeof *raw);
    samples = calloc(sample_count, sizeof *samples);
    if (fread(raw, 2, sample_count, file) != sample_count)
        abort();
    fclose(file);
    for (size_t i = 0; i < sample_count; i++)
        samples[i] = (float)raw[i] / 32768.0f;
}

static steno_client *create_client(size_t count)
{
    steno_client_options options;
    steno_client_options_init(&options);
    options.addresses = addresses;
    options.address_count = count;
    steno_client *client;
    ck_assert_int_eq(steno_client_create(&options, &client, &error), STENO_OK);
    return client;
}

/* What was heard: the finals' texts. */
typedef struct heard {
    char text[20000];
    size_t size, finals, interims, begins, ends;
    uint64_t last_ms;
} heard;

static void add(heard *self, const steno_result *result)
{
    if (result->event != STENO_EVENT_NONE) {
        self->begins += result->event == STENO_EVENT_SPEECH_BEGIN;
        self->ends += result->event == STENO_EVENT_SPEECH_END;
        return;
    }
    ck_assert_uint_ge(result->alternative_count, 1);
    if (!result->is_final) {
        self->interims++;
        return;
    }
    ck_assert_uint_ge(result->start_ms, self->last_ms);
    ck_assert_uint_ge(result->end_ms, result->start_ms);
    self->last_ms = result->end_ms;
    self->finals++;
    self->size += (size_t)snprintf(self->text + self->size, sizeof self->text - self->size, "%s\n",
        result->alternatives[0].text);
    ck_assert_uint_lt(self->size, sizeof self->text);
}

static steno_status take(steno_client_stream *stream, heard *self)
{
    const steno_result *result;
    unsigned channel;
    steno_status status;
    while ((status = steno_client_stream_next(stream, &result, &channel, &error)) == STENO_OK)
        add(self, result);
    return status;
}

static void take_all(steno_client_stream *stream, heard *self)
{
    steno_status status;
    ck_assert_int_eq(steno_client_stream_finish(stream), STENO_OK);
    while ((status = take(stream, self)) == STENO_AGAIN)
        steno_client_stream_wait(stream, -1);
    ck_assert_msg(status == STENO_END, "%s", error.message);
    const steno_result *result;
    ck_assert_int_eq(steno_client_stream_next(stream, &result, NULL, &error), STENO_END);
    ck_assert_int_eq(steno_client_stream_wait(stream, -1), STENO_OK);
}

static void feed(steno_client_stream *stream, size_t begin, size_t end, size_t piece, heard *self)
{
    while (begin < end) {
        size_t count = end - begin < piece ? end - begin : piece, taken;
        steno_status status =
            steno_client_stream_feed(stream, samples + begin, count, &taken, &error);
        ck_assert_msg(status >= 0, "%s", error.message);
        begin += taken;
        if (status == STENO_FULL)
            steno_client_stream_wait(stream, -1);
        ck_assert_int_ge(take(stream, self), 0);
    }
}

static steno_client_stream *open_stream(
    steno_client *client, const steno_client_stream_options *options)
{
    steno_client_stream *stream;
    ck_assert_int_eq(steno_client_stream_open(client, options, &stream, &error), STENO_OK);
    return stream;
}

static heard reference;

static void hear_reference(void)
{
    steno_client *client = create_client(1);
    steno_client_stream *stream = open_stream(client, NULL);
    reference = (heard){.size = 0};
    feed(stream, 0, sample_count, 1600, &reference);
    take_all(stream, &reference);
    ck_assert_uint_eq(steno_client_stream_fed_ms(stream), sample_count / 16);
    ck_assert_uint_eq(steno_client_stream_done_ms(stream), sample_count / 16);
    steno_client_stream_destroy(stream);
    steno_client_destroy(client);
    ck_assert_uint_gt(reference.finals, 1);
    ck_assert_uint_gt(reference.size, 20);
}

/* However it is cut, as floats or 16 bits, fed or written: the same words. */
START_TEST(any_pieces_say_the_same)
{
    hear_reference();
    steno_client *client = create_client(1);
    static const size_t pieces[] = {7, 333, 16001, 1000000};
    for (size_t i = 0; i < 8; i++) {
        steno_client_stream_options options;
        steno_client_stream_options_init(&options);
        options.encoding = i % 2 == 0 ? STENO_ENCODING_F32 : STENO_ENCODING_S16;
        steno_client_stream *stream = open_stream(client, &options);
        heard now = {.size = 0};
        feed(stream, 0, sample_count, pieces[i / 2], &now);
        take_all(stream, &now);
        ck_assert_str_eq(now.text, reference.text);
        steno_client_stream_destroy(stream);
    }
    steno_client_destroy(client);
}
END_TEST

START_TEST(bytes_written)
{
    hear_reference();
    steno_client *client = create_client(1);
    steno_client_stream_options options;
    steno_client_stream_options_init(&options);
    options.encoding = STENO_ENCODING_S16;
    steno_client_stream *stream = open_stream(client, &options);
    heard now = {.size = 0};
    const char *bytes = (const char *)raw;
    for (size_t left = sample_count * 2; left > 0;) {
        size_t taken, count = left < 999 ? left : 999; /* in the middle of samples, too */
        steno_status status = steno_client_stream_write(stream, bytes, count, &taken, &error);
        ck_assert_int_ge(status, 0);
        if (status == STENO_FULL)
            steno_client_stream_wait(stream, -1);
        ck_assert_int_ge(take(stream, &now), 0);
        bytes += taken;
        left -= taken;
    }
    take_all(stream, &now);
    ck_assert_str_eq(now.text, reference.text);
    steno_client_stream_destroy(stream);
    steno_client_destroy(client);
}
END_TEST

/* A flush makes final what was said, though there is no pause; more finals, and events that take
 * turns. */
START_TEST(flushes_and_events)
{
    steno_client *client = create_client(1);
    steno_client_stream_options options;
    steno_client_stream_options_init(&options);
    options.endpointing = false;
    options.activity = true;
    options.interim = true;
    steno_client_stream *stream = open_stream(client, &options);
    heard now = {.size = 0};
    for (size_t i = 0; i < 4; i++) {
        size_t before = now.finals;
        feed(stream, i * 48000, (i + 1) * 48000, 1600, &now);
        while (now.interims == 0) { /* of what comes at once the newest alone is kept */
            steno_client_stream_wait(stream, 10000);
            ck_assert_int_ge(take(stream, &now), 0);
        }
        ck_assert_int_eq(steno_client_stream_flush(stream), STENO_OK);
        while (now.finals == before) {
            steno_client_stream_wait(stream, 10000);
            ck_assert_int_ge(take(stream, &now), 0);
        }
    }
    take_all(stream, &now);
    ck_assert_uint_ge(now.finals, 4);
    ck_assert_uint_gt(now.interims, 0);
    ck_assert_uint_gt(now.begins, 0);
    ck_assert_uint_eq(now.begins, now.ends);
    steno_client_stream_destroy(stream);
    steno_client_destroy(client);
}
END_TEST

/* At any moment a stream may be let go. */
START_TEST(destroyed_at_any_time)
{
    steno_client *client = create_client(2);
    for (size_t end = 0; end < sample_count; end += sample_count / 20) {
        heard now = {.size = 0};
        steno_client_stream *stream = open_stream(client, NULL);
        feed(stream, 0, end, 8000, &now);
        steno_client_stream_destroy(stream);
    }
    steno_client_destroy(client);
    ck_assert_uint_eq(memory_alive(), 0);
}
END_TEST

typedef struct worker {
    steno_client *client;
    pthread_t thread;
    heard now;
} worker;

static void *work(void *argument)
{
    worker *self = argument;
    steno_client_stream *stream = open_stream(self->client, NULL);
    feed(stream, 0, sample_count, 4000, &self->now);
    take_all(stream, &self->now);
    steno_client_stream_destroy(stream);
    return NULL;
}

START_TEST(streams_on_threads_of_one_client)
{
    hear_reference();
    steno_client *client = create_client(2);
    static worker workers[4];
    for (size_t i = 0; i < 4; i++) {
        workers[i] = (worker){.client = client};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_str_eq(workers[i].now.text, reference.text);
    }
    steno_client_destroy(client);
    ck_assert_uint_eq(memory_alive(), 0);
}
END_TEST

static void count_ready(void *context)
{
    atomic_fetch_add((atomic_uint *)context, 1);
}

START_TEST(ready_is_called)
{
    static atomic_uint calls;
    steno_client *client = create_client(1);
    steno_client_stream_options options;
    steno_client_stream_options_init(&options);
    options.ready = count_ready;
    options.ready_context = &calls;
    steno_client_stream *stream = open_stream(client, &options);
    heard now = {.size = 0};
    feed(stream, 0, sample_count, 16000, &now);
    take_all(stream, &now);
    ck_assert_uint_gt(atomic_load(&calls), now.finals);
    steno_client_stream_destroy(stream);
    steno_client_destroy(client);
}
END_TEST

/* What the server refuses is told once, and in its words. */
START_TEST(what_the_server_refuses)
{
    steno_client *client = create_client(1);
    steno_client_stream_options options;
    steno_client_stream_options_init(&options);
    options.language = "tlh";
    steno_client_stream *stream = open_stream(client, &options);
    const steno_result *result;
    steno_status status;
    while ((status = steno_client_stream_next(stream, &result, NULL, &error)) == STENO_AGAIN)
        steno_client_stream_wait(stream, -1);
    ck_assert_int_eq(status, STENO_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, addresses[0]));
    ck_assert_ptr_nonnull(strstr(error.message, "tlh"));
    steno_client_stream_destroy(stream);
    steno_client_destroy(client);
}
END_TEST

/* One whole use, in which some allocation may fail: the first error. */
static steno_status use_all(void)
{
    steno_client_options options;
    steno_client_options_init(&options);
    options.addresses = addresses;
    options.address_count = 2;
    steno_client *client = NULL;
    steno_client_model *model = NULL;
    steno_client_stream *stream = NULL;
    const steno_result *result;
    size_t taken;
    steno_status status = steno_client_create(&options, &client, &error);
    if (status == STENO_OK)
        status = steno_client_get_model(client, &model, &error);
    if (status == STENO_OK)
        status = steno_client_stream_open(client, NULL, &stream, &error);
    for (size_t begin = 0; status >= 0 && begin < 80000; begin += taken) {
        status = steno_client_stream_feed(stream, samples + begin, 80000 - begin, &taken, &error);
        if (status == STENO_FULL)
            steno_client_stream_wait(stream, -1);
    }
    if (status >= 0)
        steno_client_stream_finish(stream);
    while (status >= 0 && status != STENO_END) {
        status = steno_client_stream_next(stream, &result, NULL, &error);
        if (status == STENO_AGAIN)
            steno_client_stream_wait(stream, -1);
    }
    steno_client_stream_destroy(stream);
    steno_client_model_destroy(model);
    steno_client_destroy(client);
    return status;
}

START_TEST(each_allocation_fails_once)
{
    ck_assert_int_eq(use_all(), STENO_END);
    ck_assert_uint_eq(memory_alive(), 0);
    uint64_t failures = 0;
    steno_status status = STENO_ERROR_MEMORY;
    for (; status != STENO_END; failures++) {
        uint64_t at = memory_attempts() + failures + 1;
        memory_fail_at(at);
        status = use_all();
        /* Where replies come in other portions, the attempt may not have been reached. */
        bool reached = memory_attempts() >= at;
        memory_fail_at(0);
        ck_assert_uint_eq(memory_alive(), 0);
        if (reached)
            ck_assert_int_eq(status, STENO_ERROR_MEMORY);
    }
    ck_assert_uint_gt(failures, 18);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: client_library ADDRESS SAMPLES\n");
        return 2;
    }
    for (size_t i = 0; i < 3; i++)
        addresses[i] = argv[1];
    read_samples(argv[2]);
    Suite *suite = suite_create("client library");
    TCase *tests = tcase_create("with a server");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, any_pieces_say_the_same);
    tcase_add_test(tests, bytes_written);
    tcase_add_test(tests, flushes_and_events);
    tcase_add_test(tests, destroyed_at_any_time);
    tcase_add_test(tests, streams_on_threads_of_one_client);
    tcase_add_test(tests, ready_is_called);
    tcase_add_test(tests, what_the_server_refuses);
    tcase_add_test(tests, each_allocation_fails_once);
    suite_add_tcase(suite, tests);
    int result = suite_run(suite);
    free(samples);
    free(raw);
    return result;
}
