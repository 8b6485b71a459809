#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/recognise.h"
#include "support/suite.h"

enum { RATE = 16000, FRAMES = 4 * RATE };

static steno_model *model;
static float *audio;

static void setup(void)
{
    model = fixture_model();
    audio = fixture_audio(FRAMES);
}

static void teardown(void)
{
    free(audio);
    steno_model_unref(model);
    ck_assert_uint_eq(memory_alive(), 0);
}

static steno_stream *create(steno_engine *engine, const steno_stream_options *options)
{
    steno_stream *stream;
    ck_assert_int_eq(steno_stream_create(engine, model, options, &stream, NULL), STENO_OK);
    return stream;
}

START_TEST(test_create)
{
    steno_engine *engine = NULL;
    steno_error error;
    const steno_engine_options many = {.threads = 100000};
    ck_assert_int_eq(steno_engine_create(&many, &engine, &error), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "threads"));
    ck_assert_int_eq(steno_engine_create(NULL, NULL, &error), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_null(engine);
    ck_assert_int_eq(steno_engine_create(NULL, &engine, &error), STENO_OK);
    ck_assert_uint_eq(steno_engine_threads(engine), steno_engine_cores());
    steno_engine_destroy(engine);
    engine = fixture_engine(7);
    ck_assert_uint_eq(steno_engine_threads(engine), 7);
    steno_engine_destroy(engine);
    steno_engine_destroy(NULL);
}
END_TEST

START_TEST(test_each_allocation_failing)
{
    size_t alive = memory_alive();
    for (uint64_t i = 1;; i++) {
        steno_engine *engine = NULL;
        memory_fail_at(memory_attempts() + i);
        steno_status status = steno_engine_create(NULL, &engine, NULL);
        memory_fail_at(0);
        if (status == STENO_OK) {
            steno_engine_destroy(engine);
            ck_assert_uint_gt(i, 2);
            break;
        }
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(engine);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    /* The workers' memory is made with the first stream of a model. */
    for (uint64_t i = 1, failures = 0;; i++) {
        steno_engine *engine = fixture_engine(3);
        steno_stream *stream = NULL;
        memory_fail_at(memory_attempts() + i);
        steno_status status = steno_stream_create(engine, model, NULL, &stream, NULL);
        memory_fail_at(0);
        if (status == STENO_OK) {
            steno_stream_destroy(stream);
            steno_engine_destroy(engine);
            ck_assert_uint_gt(failures, 20);
            break;
        }
        failures++;
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        recognition r = recognise(engine, model, NULL, audio, 8000, NULL); /* the engine is well */
        recognition_free(&r);
        steno_engine_destroy(engine);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

START_TEST(test_destroying_in_the_middle)
{
    steno_engine *engine = fixture_engine(3);
    for (int round = 0; round < 20; round++) {
        steno_stream *streams[8];
        for (size_t i = 0; i < 8; i++) {
            size_t taken;
            streams[i] = create(engine, NULL);
            ck_assert_int_ge(steno_stream_feed(
                                 streams[i], audio, 11000 + 4000 * (i + (size_t)round % 5), &taken),
                0);
            if (i % 3 == 0)
                steno_stream_finish(streams[i]);
        }
        if (round % 2)
            steno_stream_wait(streams[7], round % 10);
        for (size_t i = 0; i < 8; i++)
            steno_stream_destroy(streams[(i * 5 + (size_t)round) % 8]);
    }
    steno_engine_destroy(engine);
}
END_TEST

/* Many streams, each owned by one of a few threads, on few workers. */

typedef struct owner {
    pthread_t thread;
    steno_engine *engine;
    const char *right;
} owner;

static size_t small_pieces(size_t fed)
{
    return 700 + fed % 900;
}

static void *own(void *argument)
{
    owner *o = argument;
    steno_stream_options options = fixture_options();
    options.interim = true;
    for (int i = 0; i < 4; i++) {
        recognition r =
            recognise(o->engine, model, &options, audio, FRAMES, i % 2 ? small_pieces : NULL);
        if (strcmp(r.words, o->right) != 0)
            o->right = NULL;
        recognition_free(&r);
        if (!o->right)
            break;
    }
    return NULL;
}

START_TEST(test_many_owners)
{
    steno_engine *engine = fixture_engine((unsigned)_i);
    recognition right = recognise(engine, model, NULL, audio, FRAMES, NULL);
    owner owners[12];
    for (size_t i = 0; i < 12; i++) {
        owners[i] = (owner){.engine = engine, .right = right.words};
        ck_assert_int_eq(pthread_create(&owners[i].thread, NULL, own, &owners[i]), 0);
    }
    for (size_t i = 0; i < 12; i++) {
        pthread_join(owners[i].thread, NULL);
        ck_assert_msg(owners[i].right != NULL, "another transcript in company");
    }
    steno_engine_times times;
    steno_engine_get_times(engine, &times);
    ck_assert_uint_eq(times.audio_ms, 49 * FRAMES * 1000u / RATE);
    ck_assert_uint_ge(times.items, times.batches);
    ck_assert_uint_gt(times.encoder_ns, 0);
    ck_assert_uint_gt(times.decoder_ns, 0);
    ck_assert_uint_gt(times.feature_ns, 0);
    recognition_free(&right);
    steno_engine_destroy(engine);
}
END_TEST

START_TEST(test_streams_share_batches)
{
    /* One worker, kept busy by the first stream: the others gather behind it. */
    steno_engine *engine = fixture_engine(1);
    steno_stream *streams[16];
    size_t taken;
    for (size_t i = 0; i < 16; i++) {
        streams[i] = create(engine, NULL);
        steno_stream_feed(streams[i], audio, FRAMES, &taken);
        steno_stream_finish(streams[i]);
    }
    steno_engine_load before;
    steno_engine_get_load(engine, &before);
    ck_assert_uint_eq(before.streams, 16);
    ck_assert_uint_le(before.queued, 16);
    for (size_t i = 0; i < 16; i++) {
        const steno_result *result;
        steno_status status;
        while ((status = steno_stream_next(streams[i], &result, NULL)) != STENO_END) {
            if (status == STENO_AGAIN)
                steno_stream_wait(streams[i], -1);
        }
        steno_stream_destroy(streams[i]);
    }
    steno_engine_times times;
    steno_engine_get_times(engine, &times);
    ck_assert_uint_gt(times.items, 2 * times.batches);
    /* All have been in some batch, most of them in large ones. */
    steno_engine_load load;
    steno_engine_get_load(engine, &load);
    ck_assert_uint_eq(load.streams, 0);
    ck_assert_uint_eq(load.queued, 0);
    uint64_t batches = 0, large = 0, turns = 0;
    for (size_t i = 0; i < STENO_ENGINE_BATCH_BUCKETS; i++) {
        batches += load.batch_sizes[i];
        large += i > 1 ? load.batch_sizes[i] : 0;
    }
    for (size_t i = 0; i < STENO_ENGINE_LATENCY_BUCKETS; i++)
        turns += load.turn_latencies[i];
    ck_assert_uint_ge(batches, times.batches);
    ck_assert_uint_ge(turns, times.items);
    ck_assert_uint_gt(large, 0);
    ck_assert_uint_eq(load.batch_sizes[STENO_ENGINE_BATCH_BUCKETS - 1], 0);
    ck_assert_uint_gt(load.turn_latency_ns, 0);
    steno_engine_destroy(engine);
}
END_TEST

START_TEST(test_two_models_in_one_engine)
{
    /* The second is larger, so the workers' memory grows while the first is in use. */
    tiny_model_config config = tiny_model_default();
    const char *metadata[] = {"search", FIXTURE_SEARCH, NULL};
    config.metadata = metadata;
    config.seed = 5;
    config.dimension = 48;
    config.feed_forward = 96;
    size_t size;
    void *bytes = tiny_model_write(&config, &size);
    const char *path = fixture_file("other.safetensors", bytes, size);
    free(bytes);
    steno_model *other;
    const steno_model_options reference = {.operators = STENO_OPERATORS_REFERENCE};
    ck_assert_int_eq(steno_model_open(path, &reference, &other, NULL), STENO_OK);

    steno_engine *engine = fixture_engine(2);
    steno_stream *first[6], *second[6];
    size_t taken;
    for (size_t i = 0; i < 6; i++) {
        first[i] = create(engine, NULL);
        steno_stream_feed(first[i], audio, FRAMES, &taken);
        ck_assert_int_eq(steno_stream_create(engine, other, NULL, &second[i], NULL), STENO_OK);
        steno_stream_feed(second[i], audio, FRAMES, &taken);
    }
    recognition a = recognise(engine, model, NULL, audio, FRAMES, NULL);
    recognition b = recognise(engine, other, NULL, audio, FRAMES, NULL);
    ck_assert_str_ne(a.words, b.words);
    for (size_t i = 0; i < 6; i++) {
        steno_stream *pair[] = {first[i], second[i]};
        const char *right[] = {a.words, b.words};
        for (size_t j = 0; j < 2; j++) {
            char words[4096] = "";
            const steno_result *result;
            steno_status status;
            steno_stream_finish(pair[j]);
            while ((status = steno_stream_next(pair[j], &result, NULL)) != STENO_END) {
                if (status == STENO_AGAIN) {
                    steno_stream_wait(pair[j], -1);
                    continue;
                }
                if (*words)
                    strcat(words, " ");
                strcat(words, result->alternatives[0].text);
            }
            ck_assert_str_eq(words, right[j]);
        }
        steno_model_ref(model);
        steno_model_unref(model); /* streams hold references of their own */
        steno_stream_destroy(first[i]);
        steno_stream_destroy(second[i]);
    }
    recognition_free(&a);
    recognition_free(&b);
    steno_engine_destroy(engine);
    steno_model_unref(other);
}
END_TEST

START_TEST(test_a_stream_keeps_its_model)
{
    steno_engine *engine = fixture_engine(1);
    steno_model *own_model = fixture_model();
    steno_stream *stream;
    ck_assert_int_eq(steno_stream_create(engine, own_model, NULL, &stream, NULL), STENO_OK);
    steno_model_unref(own_model);
    size_t taken;
    steno_stream_feed(stream, audio, FRAMES, &taken);
    steno_stream_finish(stream);
    const steno_result *result;
    steno_status status;
    while ((status = steno_stream_next(stream, &result, NULL)) != STENO_END) {
        if (status == STENO_AGAIN)
            steno_stream_wait(stream, -1);
    }
    steno_stream_destroy(stream);
    steno_engine_destroy(engine);
}
END_TEST

/* An owner that only acts when told that there is something: no call is ever missing. */

typedef struct bell {
    pthread_mutex_t mutex;
    pthread_cond_t rung;
    unsigned rings;
} bell;

static void ring(void *context)
{
    bell *b = context;
    pthread_mutex_lock(&b->mutex);
    b->rings++;
    pthread_cond_signal(&b->rung);
    pthread_mutex_unlock(&b->mutex);
}

START_TEST(test_ready_tells_of_results_and_room)
{
    steno_engine *engine = fixture_engine(2);
    bell b = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rung = PTHREAD_COND_INITIALIZER};
    steno_stream_options options = fixture_options();
    options.backlog_ms = 1280;
    options.interim = true;
    options.ready = ring;
    options.ready_context = &b;
    steno_stream *stream = create(engine, &options);
    size_t fed = 0, taken, seen = 0, results = 0;
    bool finished = false, over = false;
    while (!over) {
        steno_status status = STENO_OK;
        while (fed < FRAMES && status == STENO_OK) {
            status = steno_stream_feed(stream, audio + fed, FRAMES - fed, &taken);
            fed += taken;
        }
        if (fed == FRAMES && !finished) {
            steno_stream_finish(stream);
            finished = true;
        }
        const steno_result *result;
        while ((status = steno_stream_next(stream, &result, NULL)) == STENO_OK)
            results++;
        over = status == STENO_END;
        pthread_mutex_lock(&b.mutex);
        while (!over && b.rings == seen)
            pthread_cond_wait(&b.rung, &b.mutex);
        seen = b.rings;
        pthread_mutex_unlock(&b.mutex);
    }
    ck_assert_uint_gt(results, 0);
    steno_stream_destroy(stream);
    steno_engine_destroy(engine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tests = tcase_create("engine");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 400);
    tcase_add_test(tests, test_create);
    tcase_add_test(tests, test_each_allocation_failing);
    tcase_add_test(tests, test_destroying_in_the_middle);
    tcase_add_loop_test(tests, test_many_owners, 1, 4);
    tcase_add_test(tests, test_streams_share_batches);
    tcase_add_test(tests, test_two_models_in_one_engine);
    tcase_add_test(tests, test_a_stream_keeps_its_model);
    tcase_add_test(tests, test_ready_tells_of_results_and_room);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
