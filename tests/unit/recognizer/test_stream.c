/* Streams: their options and states, their memory, and what the weights of the search do. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/recognise.h"
#include "support/suite.h"

enum { RATE = 16000, SECONDS = 12 };

static const size_t frames = SECONDS * RATE + 137;
static fixture f;

static void setup(void)
{
    fixture_open(&f, frames);
}

static void teardown(void)
{
    fixture_close(&f);
}

/* Options. */

static void refuse(steno_stream_options options, steno_status right, const char *name)
{
    steno_stream *stream = NULL;
    steno_error error;
    steno_status status = steno_stream_create(f.engine, f.model, &options, &stream, &error);
    ck_assert_msg(status == right, "%s: %s", name, steno_status_name(status));
    ck_assert_ptr_null(stream);
    ck_assert_msg(strncmp(error.message, name, strlen(name)) == 0, "%s: %s", name, error.message);
}

#define REFUSE(field, value)                                                                       \
    do {                                                                                           \
        steno_stream_options changed = fixture_options();                                          \
        changed.field = value;                                                                     \
        refuse(changed, STENO_ERROR_ARGUMENT, #field);                                             \
    } while (0)

#define ACCEPT(field, value)                                                                       \
    do {                                                                                           \
        steno_stream_options changed = fixture_options();                                          \
        changed.field = value;                                                                     \
        steno_stream_destroy(fixture_stream(&f, &changed));                                        \
    } while (0)

START_TEST(test_options_out_of_range)
{
    REFUSE(rate_hz, 7999);
    REFUSE(rate_hz, 192001);
    REFUSE(channels, 0);
    REFUSE(channels, 9);
    REFUSE(channel, 2);
    REFUSE(chunk_ms, 0);
    REFUSE(chunk_ms, 500);
    REFUSE(chunk_ms, 2560);
    REFUSE(endpoint_ms, 399);
    REFUSE(endpoint_ms, 10001);
    REFUSE(max_utterance_ms, 4999);
    REFUSE(max_utterance_ms, 60001);
    REFUSE(max_alternatives, 0);
    REFUSE(max_alternatives, 11);
    REFUSE(search, (steno_search)2);
    REFUSE(beam, 129);
    REFUSE(lm_weight, -0.1f);
    REFUSE(lm_weight, INFINITY);
    REFUSE(attention_weight, -0.1f);
    REFUSE(attention_weight, 100.5f);
    REFUSE(token_bonus, -100.5f);
    REFUSE(token_bonus, INFINITY);
    REFUSE(backlog_ms, 1279);
    REFUSE(backlog_ms, 60001);
    ck_assert_int_eq(steno_stream_create(NULL, f.model, NULL, &(steno_stream *){NULL}, NULL),
        STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_create(f.engine, NULL, NULL, &(steno_stream *){NULL}, NULL),
        STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_stream_create(f.engine, f.model, NULL, NULL, NULL), STENO_ERROR_ARGUMENT);
}
END_TEST

START_TEST(test_options_at_their_bounds)
{
    ACCEPT(rate_hz, 8000);
    ACCEPT(rate_hz, 192000);
    ACCEPT(channels, 8);
    ACCEPT(channel, 1);
    ACCEPT(chunk_ms, 160);
    ACCEPT(chunk_ms, 320);
    ACCEPT(chunk_ms, 1280);
    ACCEPT(endpoint_ms, 400);
    ACCEPT(endpoint_ms, 10000);
    ACCEPT(max_utterance_ms, 5000);
    ACCEPT(max_utterance_ms, 60000);
    ACCEPT(max_alternatives, 10);
    ACCEPT(lm_weight, 0);
    ACCEPT(attention_weight, 0);
    ACCEPT(attention_weight, 100);
    ACCEPT(token_bonus, -100);
    ACCEPT(token_bonus, 100);
    ACCEPT(beam, 1);
    ACCEPT(beam, 128);
    ACCEPT(backlog_ms, 1280);
    ACCEPT(search, STENO_SEARCH_CTC);
    steno_stream_destroy(fixture_stream(&f, NULL));
    steno_stream_destroy(NULL);
}
END_TEST

START_TEST(test_a_chunk_the_model_lacks)
{
    tiny_model_config config = tiny_model_default();
    const char *metadata[] = {"search", FIXTURE_SEARCH, NULL};
    config.metadata = metadata;
    config.max_chunk = 4;
    size_t size;
    void *bytes = tiny_model_write(&config, &size);
    const char *path = fixture_file("small.safetensors", bytes, size);
    free(bytes);
    steno_model *all = f.model;
    ck_assert_int_eq(steno_model_open(path, NULL, &f.model, NULL), STENO_OK);
    steno_stream_options options = fixture_options();
    refuse(options, STENO_ERROR_UNSUPPORTED, "chunk_ms");
    options.chunk_ms = 320;
    steno_stream_destroy(fixture_stream(&f, &options));
    steno_model_unref(f.model);
    f.model = all;
}
END_TEST

/* States. */

START_TEST(test_nothing_fed)
{
    steno_stream *stream = fixture_stream(&f, NULL);
    const steno_result *result;
    ck_assert_int_eq(steno_stream_next(stream, &result, NULL), STENO_AGAIN);
    ck_assert_int_eq(steno_stream_wait(stream, 0), STENO_AGAIN);
    ck_assert_int_eq(steno_stream_wait(stream, 20), STENO_AGAIN);
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    ck_assert_uint_eq(fixture_drain(stream), 0);
    ck_assert_int_eq(steno_stream_next(stream, &result, NULL), STENO_END);
    ck_assert_int_eq(steno_stream_wait(stream, -1), STENO_OK); /* END is an answer */
    ck_assert_uint_eq(steno_stream_fed_ms(stream), 0);
    ck_assert_uint_eq(steno_stream_done_ms(stream), 0);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_after_finish)
{
    steno_stream *stream = fixture_stream(&f, NULL);
    size_t taken = 99;
    ck_assert_int_eq(steno_stream_feed(stream, f.audio, 20000, &taken), STENO_OK);
    ck_assert_uint_eq(taken, 20000);
    ck_assert_uint_eq(steno_stream_fed_ms(stream), 1250);
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    ck_assert_int_eq(steno_stream_feed(stream, f.audio, 1, &taken), STENO_ERROR_STATE);
    ck_assert_uint_eq(taken, 0);
    ck_assert_int_eq(steno_stream_feed(stream, NULL, 0, &taken), STENO_ERROR_STATE);
    ck_assert_int_eq(steno_stream_finish(stream), STENO_ERROR_STATE);
    ck_assert_uint_ge(fixture_drain(stream), 1);
    ck_assert_uint_eq(steno_stream_done_ms(stream), 1250);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_bad_arguments)
{
    steno_stream *stream = fixture_stream(&f, NULL);
    size_t taken;
    ck_assert_int_eq(steno_stream_feed(NULL, f.audio, 1, &taken), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_feed(stream, NULL, 1, &taken), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_feed(stream, f.audio, 1, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_feed(stream, NULL, 0, &taken), STENO_OK);
    ck_assert_int_eq(steno_stream_next(stream, NULL, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_stream_next(NULL, &(const steno_result *){NULL}, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_finish(NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_wait(NULL, 0), STENO_ERROR_ARGUMENT);
    steno_stream_destroy(stream);
}
END_TEST

/* Memory, and what options do. */

START_TEST(test_nothing_is_allocated_after_creation)
{
    steno_stream_options options = fixture_options();
    options.interim = true;
    options.rate_hz = 44100;
    steno_stream *stream = fixture_stream(&f, &options);
    uint64_t attempts = memory_attempts();
    size_t bytes = steno_stream_bytes(stream);
    ck_assert_uint_gt(bytes, 100000);
    for (int round = 0; round < 3; round++) {
        for (size_t fed = 0; fed < frames;) {
            size_t taken;
            ck_assert_int_ge(steno_stream_feed(stream, f.audio + fed, frames - fed, &taken), 0);
            fed += taken;
            const steno_result *result;
            while (steno_stream_next(stream, &result, NULL) == STENO_OK)
                ;
            steno_stream_wait(stream, 5);
        }
    }
    steno_stream_finish(stream);
    fixture_drain(stream);
    ck_assert_uint_eq(memory_attempts(), attempts);
    ck_assert_uint_eq(steno_stream_bytes(stream), bytes);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_each_allocation_failing)
{
    steno_stream_options options = fixture_options();
    options.interim = true;
    options.rate_hz = 48000;
    steno_stream_destroy(
        fixture_stream(&f, &options)); /* the engine's working memory is there then */
    size_t alive = memory_alive();
    for (uint64_t i = 1;; i++) {
        steno_stream *stream = NULL;
        memory_fail_at(memory_attempts() + i);
        steno_status status = steno_stream_create(f.engine, f.model, &options, &stream, NULL);
        memory_fail_at(0);
        if (status == STENO_OK) {
            ck_assert_uint_gt(i, 20);
            steno_stream_destroy(stream);
            break;
        }
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(stream);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

START_TEST(test_the_search_options_count)
{
    steno_stream_options options = fixture_options();
    options.search = STENO_SEARCH_CTC;
    recognition ctc = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    options.search = STENO_SEARCH_JOINT;
    recognition joint = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    options.beam = 1;
    recognition narrow = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    ck_assert_str_ne(ctc.report, joint.report);
    ck_assert_str_ne(narrow.report, joint.report);
    recognition_free(&ctc);
    recognition_free(&joint);
    recognition_free(&narrow);
}
END_TEST

/* What is said with a language model (or the fixture's model without one) and these options. */
static recognition say(steno_model *with, steno_search search, float lm_weight)
{
    steno_stream_options options = fixture_options();
    options.search = search;
    options.lm_weight = lm_weight;
    return recognise(f.engine, with, &options, f.audio, frames, NULL);
}

/* Both kinds of search use the language model, by its weight in the file or in the options, and
 * with weight 0 it is as if there were none. */
START_TEST(test_the_language_model_counts)
{
    steno_model *with = fixture_model_lm();
    steno_search search = (steno_search)_i;
    recognition none = say(f.model, search, NAN), off = say(with, search, 0);
    recognition own = say(with, search, NAN), same = say(with, search, FIXTURE_LM_WEIGHT);
    recognition more = say(with, search, 4);
    ck_assert_str_eq(off.report, none.report);
    ck_assert_str_ne(own.report, none.report);
    ck_assert_str_eq(same.report, own.report);
    ck_assert_str_ne(more.report, own.report);
    recognition_free(&none);
    recognition_free(&off);
    recognition_free(&own);
    recognition_free(&same);
    recognition_free(&more);
    steno_model_unref(with);
}
END_TEST

START_TEST(test_weights_of_a_stream)
{
    steno_stream_options options = fixture_options();
    options.lm_weight = 0.5f;
    refuse(options, STENO_ERROR_UNSUPPORTED, "lm_weight");

    options = fixture_options();
    recognition joint = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    options.attention_weight = 0.2f;
    recognition weighed = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    options.attention_weight = NAN;
    options.token_bonus = 2;
    recognition longer = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    ck_assert_str_ne(weighed.report, joint.report);
    ck_assert_str_ne(longer.report, joint.report);
    recognition_free(&joint);
    recognition_free(&weighed);
    recognition_free(&longer);

    options = fixture_options();
    options.search = STENO_SEARCH_CTC;
    options.attention_weight = 0;
    steno_stream_destroy(fixture_stream(&f, &options));
    options.attention_weight = 0.1f;
    refuse(options, STENO_ERROR_ARGUMENT, "attention_weight");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *tests = tcase_create("stream");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 400);
    tcase_add_test(tests, test_options_out_of_range);
    tcase_add_test(tests, test_options_at_their_bounds);
    tcase_add_test(tests, test_a_chunk_the_model_lacks);
    tcase_add_test(tests, test_nothing_fed);
    tcase_add_test(tests, test_after_finish);
    tcase_add_test(tests, test_bad_arguments);
    tcase_add_test(tests, test_nothing_is_allocated_after_creation);
    tcase_add_test(tests, test_each_allocation_failing);
    tcase_add_test(tests, test_the_search_options_count);
    tcase_add_loop_test(tests, test_the_language_model_counts, 0, 2);
    tcase_add_test(tests, test_weights_of_a_stream);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
