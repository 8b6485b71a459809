#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/recognise.h"

enum { RATE = 16000, SECONDS = 12 };

static steno_model *model;
static steno_engine *engine;
static float *audio;
static const size_t frames = SECONDS * RATE + 137;

static void setup(void)
{
    model = fixture_model();
    engine = fixture_engine(2);
    audio = fixture_audio(frames);
}

static void teardown(void)
{
    free(audio);
    steno_engine_destroy(engine);
    steno_model_unref(model);
    ck_assert_uint_eq(memory_alive(), 0);
}

static steno_stream_options defaults(void)
{
    steno_stream_options options;
    steno_stream_options_init(&options);
    return options;
}

static steno_stream *create(const steno_stream_options *options)
{
    steno_stream *stream;
    steno_error error;
    ck_assert_msg(steno_stream_create(engine, model, options, &stream, &error) == STENO_OK, "%s",
        error.message);
    return stream;
}

/* Reads to the end; how many finals came. */
static size_t drain(steno_stream *stream)
{
    const steno_result *result;
    size_t finals = 0;
    for (;;) {
        steno_status status = steno_stream_next(stream, &result, NULL);
        ck_assert_int_ge(status, 0);
        if (status == STENO_END)
            return finals;
        if (status == STENO_OK)
            finals += result->is_final;
        else
            ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
    }
}

/* Options. */

static void refuse(steno_stream_options options, steno_status right, const char *name)
{
    steno_stream *stream = NULL;
    steno_error error;
    steno_status status = steno_stream_create(engine, model, &options, &stream, &error);
    ck_assert_msg(status == right, "%s: %s", name, steno_status_name(status));
    ck_assert_ptr_null(stream);
    ck_assert_msg(strncmp(error.message, name, strlen(name)) == 0, "%s: %s", name, error.message);
}

#define REFUSE(field, value)                                                                       \
    do {                                                                                           \
        steno_stream_options changed = defaults();                                                 \
        changed.field = value;                                                                     \
        refuse(changed, STENO_ERROR_ARGUMENT, #field);                                             \
    } while (0)

#define ACCEPT(field, value)                                                                       \
    do {                                                                                           \
        steno_stream_options changed = defaults();                                                 \
        changed.field = value;                                                                     \
        steno_stream_destroy(create(&changed));                                                    \
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
    REFUSE(beam, 33);
    REFUSE(lm_weight, -0.1f);
    REFUSE(lm_weight, INFINITY);
    REFUSE(attention_weight, -0.1f);
    REFUSE(attention_weight, 100.5f);
    REFUSE(token_bonus, -100.5f);
    REFUSE(token_bonus, INFINITY);
    REFUSE(backlog_ms, 1279);
    REFUSE(backlog_ms, 60001);
    ck_assert_int_eq(steno_stream_create(NULL, model, NULL, &(steno_stream *){NULL}, NULL),
        STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_create(engine, NULL, NULL, &(steno_stream *){NULL}, NULL),
        STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_create(engine, model, NULL, NULL, NULL), STENO_ERROR_ARGUMENT);
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
    ACCEPT(beam, 32);
    ACCEPT(backlog_ms, 1280);
    ACCEPT(search, STENO_SEARCH_CTC);
    steno_stream_destroy(create(NULL));
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
    steno_model *all = model;
    ck_assert_int_eq(steno_model_open(path, NULL, &model, NULL), STENO_OK);
    steno_stream_options options = defaults();
    refuse(options, STENO_ERROR_UNSUPPORTED, "chunk_ms");
    options.chunk_ms = 320;
    steno_stream_destroy(create(&options));
    steno_model_unref(model);
    model = all;
}
END_TEST

/* States. */

START_TEST(test_nothing_fed)
{
    steno_stream *stream = create(NULL);
    const steno_result *result;
    ck_assert_int_eq(steno_stream_next(stream, &result, NULL), STENO_AGAIN);
    ck_assert_int_eq(steno_stream_wait(stream, 0), STENO_AGAIN);
    ck_assert_int_eq(steno_stream_wait(stream, 20), STENO_AGAIN);
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    ck_assert_uint_eq(drain(stream), 0);
    ck_assert_int_eq(steno_stream_next(stream, &result, NULL), STENO_END);
    ck_assert_int_eq(steno_stream_wait(stream, -1), STENO_OK); /* END is an answer */
    ck_assert_uint_eq(steno_stream_fed_ms(stream), 0);
    ck_assert_uint_eq(steno_stream_done_ms(stream), 0);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_after_finish)
{
    steno_stream *stream = create(NULL);
    size_t taken = 99;
    ck_assert_int_eq(steno_stream_feed(stream, audio, 20000, &taken), STENO_OK);
    ck_assert_uint_eq(taken, 20000);
    ck_assert_uint_eq(steno_stream_fed_ms(stream), 1250);
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    ck_assert_int_eq(steno_stream_feed(stream, audio, 1, &taken), STENO_ERROR_STATE);
    ck_assert_uint_eq(taken, 0);
    ck_assert_int_eq(steno_stream_feed(stream, NULL, 0, &taken), STENO_ERROR_STATE);
    ck_assert_int_eq(steno_stream_finish(stream), STENO_ERROR_STATE);
    ck_assert_uint_ge(drain(stream), 1);
    ck_assert_uint_eq(steno_stream_done_ms(stream), 1250);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_bad_arguments)
{
    steno_stream *stream = create(NULL);
    size_t taken;
    ck_assert_int_eq(steno_stream_feed(NULL, audio, 1, &taken), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_feed(stream, NULL, 1, &taken), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_feed(stream, audio, 1, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_feed(stream, NULL, 0, &taken), STENO_OK);
    ck_assert_int_eq(steno_stream_next(stream, NULL, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(
        steno_stream_next(NULL, &(const steno_result *){NULL}, NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_finish(NULL), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_stream_wait(NULL, 0), STENO_ERROR_ARGUMENT);
    steno_stream_destroy(stream);
}
END_TEST

/* Audio in, results out. */

static size_t one_by_one(size_t fed)
{
    return 1;
}

static size_t odd_pieces(size_t fed)
{
    return 1 + fed * 7919 % 5003;
}

START_TEST(test_any_cutting_gives_the_same_bytes)
{
    static const uint32_t rates_hz[] = {16000, 8000, 44100};
    static const uint32_t chunks_ms[] = {160, 640, 1280};
    steno_stream_options options = defaults();
    options.rate_hz = rates_hz[_i % 3];
    options.chunk_ms = chunks_ms[_i / 3];
    options.max_alternatives = 3;
    options.channels = _i % 2 ? 2 : 1;
    size_t count = (_i < 3 ? 5 * RATE : frames) / options.channels;
    recognition whole = recognise(engine, model, &options, audio, count, NULL);
    recognition odd = recognise(engine, model, &options, audio, count, odd_pieces);
    ck_assert_str_eq(odd.report, whole.report);
    ck_assert_uint_gt(whole.word_count, 3);
    ck_assert_uint_eq(whole.done_ms, whole.fed_ms);
    recognition_free(&odd);
    if (_i == 4) { /* 48 ms a time is enough for this slowest of ways */
        recognition single = recognise(engine, model, &options, audio, count, one_by_one);
        ck_assert_str_eq(single.report, whole.report);
        recognition_free(&single);
    }
    recognition_free(&whole);
}
END_TEST

START_TEST(test_batched_equals_alone)
{
    /* With the reference operators to the last bit; streams of all lengths and chunks at once. */
    enum { STREAMS = 24 };
    static const uint32_t chunks_ms[] = {160, 320, 640, 1280};
    steno_stream *streams[STREAMS];
    steno_stream_options options[STREAMS];
    size_t lengths[STREAMS], fed[STREAMS] = {0}, finals[STREAMS] = {0}, ended = 0;
    for (size_t i = 0; i < STREAMS; i++) {
        options[i] = defaults();
        options[i].chunk_ms = chunks_ms[i % 4];
        lengths[i] = (2 + i % 5) * RATE + 611 * i;
        streams[i] = create(&options[i]);
    }
    char *texts[STREAMS];
    size_t sizes[STREAMS];
    FILE *out[STREAMS];
    for (size_t i = 0; i < STREAMS; i++)
        out[i] = open_memstream(&texts[i], &sizes[i]);
    bool over[STREAMS] = {false};
    while (ended < STREAMS) {
        ended = 0;
        for (size_t i = 0; i < STREAMS; i++) {
            if (fed[i] < lengths[i]) {
                size_t piece = 3000 + 97 * i, taken;
                if (piece > lengths[i] - fed[i])
                    piece = lengths[i] - fed[i];
                ck_assert_int_ge(
                    steno_stream_feed(streams[i], audio + 40 * i + fed[i], piece, &taken), 0);
                fed[i] += taken;
                if (fed[i] == lengths[i])
                    ck_assert_int_eq(steno_stream_finish(streams[i]), STENO_OK);
            }
            const steno_result *result;
            steno_status status;
            while ((status = steno_stream_next(streams[i], &result, NULL)) == STENO_OK)
                fprintf(out[i], "%s%s", finals[i]++ ? " " : "", result->alternatives[0].text);
            over[i] = status == STENO_END;
            ended += over[i];
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        steno_stream_destroy(streams[i]);
        fclose(out[i]);
        recognition alone = recognise(engine, model, &options[i], audio + 40 * i, lengths[i], NULL);
        ck_assert_str_eq(texts[i], alone.words);
        ck_assert_uint_eq(finals[i], alone.finals);
        recognition_free(&alone);
        free(texts[i]);
    }
}
END_TEST

START_TEST(test_results_settings_never_change_words)
{
    steno_stream_options options = defaults();
    recognition usual = recognise(engine, model, &options, audio, frames, NULL);
    options.endpointing = false;
    options.max_utterance_ms = 60000;
    recognition one = recognise(engine, model, &options, audio, frames, NULL);
    ck_assert_str_eq(one.words, usual.words);
    ck_assert_uint_eq(one.finals, 1);
    ck_assert_uint_gt(usual.finals, 1);
    options = defaults();
    options.endpoint_ms = 400;
    options.interim = true;
    options.max_alternatives = 10;
    recognition rich = recognise(engine, model, &options, audio, frames, odd_pieces);
    ck_assert_str_eq(rich.words, usual.words);
    ck_assert_uint_gt(rich.interims, 0);
    recognition_free(&usual);
    recognition_free(&one);
    recognition_free(&rich);
}
END_TEST

START_TEST(test_every_length_ends)
{
    /* Around each boundary of frames, encodings and chunks; what is recognised is all that was
     * fed. */
    steno_stream_options options = defaults();
    options.chunk_ms = 320;
    for (size_t length = 1; length < 13000; length += length % 1280 < 6 ? 1 : 211) {
        recognition r = recognise(engine, model, &options, audio, length, NULL);
        ck_assert_uint_eq(r.done_ms, length * 1000 / RATE);
        recognition_free(&r);
    }
}
END_TEST

START_TEST(test_full)
{
    steno_stream_options options = defaults();
    options.backlog_ms = 1280;
    steno_stream *stream = create(&options);
    size_t fed = 0, fulls = 0;
    while (fed < frames) {
        size_t taken;
        steno_status status = steno_stream_feed(stream, audio + fed, frames - fed, &taken);
        fed += taken;
        if (status == STENO_FULL) {
            fulls++;
            ck_assert_uint_lt(fed, frames);
            ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
            const steno_result *result;
            while (steno_stream_next(stream, &result, NULL) == STENO_OK)
                ;
        } else {
            ck_assert_int_eq(status, STENO_OK);
        }
    }
    ck_assert_uint_gt(fulls, 0);
    ck_assert_uint_eq(steno_stream_fed_ms(stream), frames * 1000 / RATE);
    steno_stream_finish(stream);
    drain(stream);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_finishing_when_full_does_not_spin)
{
    steno_stream_options options = defaults();
    options.backlog_ms = 40000; /* several turns, so room comes long before the end */
    steno_stream *stream = create(&options);
    size_t taken;
    while (steno_stream_feed(stream, audio, frames, &taken) != STENO_FULL)
        ;
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    const steno_result *result;
    steno_status status;
    while ((status = steno_stream_next(stream, &result, NULL)) != STENO_END) {
        if (status == STENO_AGAIN) {
            ck_assert_int_eq(steno_stream_wait(stream, -1), STENO_OK);
            ck_assert_int_ne(steno_stream_next(stream, &result, NULL), STENO_AGAIN);
        }
    }
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_a_reader_who_does_not_read_stops_the_stream_and_loses_nothing)
{
    steno_stream_options options = defaults();
    options.backlog_ms = 2000;
    options.endpoint_ms = 400;
    recognition right = recognise(engine, model, &options, audio, frames, NULL);
    /* Repeats the audio until the results are full as well as the backlog. */
    steno_stream *stream = create(&options);
    size_t fed = 0, taken, stuck = 0;
    while (stuck < 20 && fed < 400 * frames) {
        size_t at = fed % frames;
        steno_status status = steno_stream_feed(stream, audio + at, frames - at, &taken);
        ck_assert_int_ge(status, 0);
        fed += taken;
        /* The wait releases nothing and says at once that there is something to read. */
        stuck = taken ? 0 : stuck + 1;
        if (status == STENO_FULL && stuck > 0) {
            struct timespec pause = {.tv_nsec = 20000000};
            nanosleep(&pause, NULL);
        }
    }
    ck_assert_uint_ge(stuck, 20);
    ck_assert_int_eq(steno_stream_wait(stream, 0), STENO_OK);
    steno_stream_finish(stream);
    size_t finals = drain(stream);
    ck_assert_uint_gt(finals, right.finals);
    ck_assert_uint_eq(steno_stream_done_ms(stream), steno_stream_fed_ms(stream));
    steno_stream_destroy(stream);
    recognition_free(&right);
}
END_TEST

START_TEST(test_a_result_stays_until_the_next_call)
{
    steno_stream_options options = defaults();
    options.endpoint_ms = 400;
    steno_stream *stream = create(&options);
    size_t taken;
    steno_stream_feed(stream, audio, 4 * RATE, &taken);
    const steno_result *result;
    while (steno_stream_next(stream, &result, NULL) != STENO_OK)
        ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
    char text[512];
    snprintf(text, sizeof text, "%s", result->alternatives[0].text);
    struct timespec pause = {.tv_nsec = 100000000}; /* the worker goes on meanwhile */
    nanosleep(&pause, NULL);
    ck_assert_str_eq(result->alternatives[0].text, text);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_samples_that_are_none)
{
    /* They are heard as silence or as the loudest sound, and what follows is heard as ever. */
    float *bad = malloc(frames * sizeof *bad), *good = malloc(frames * sizeof *good);
    ck_assert(bad && good);
    memcpy(bad, audio, frames * sizeof *bad);
    memcpy(good, audio, frames * sizeof *good);
    const float values[] = {NAN, INFINITY, -INFINITY, 1e30f, -40000.0f, 1.5f};
    const float heard[] = {0, 0, 0, 1, -1, 1};
    for (size_t i = 0; i < 6 * 50; i++) {
        bad[1000 + 37 * i] = values[i % 6];
        good[1000 + 37 * i] = heard[i % 6];
    }
    recognition a = recognise(engine, model, NULL, bad, frames, NULL);
    recognition b = recognise(engine, model, NULL, good, frames, NULL);
    ck_assert_str_eq(a.report, b.report);
    recognition_free(&a);
    recognition_free(&b);
    free(bad);
    free(good);
}
END_TEST

START_TEST(test_channels)
{
    /* Three channels: noise, the audio, its negative.  Channel 2 alone is the audio. */
    size_t count = 5 * RATE;
    float *three = malloc(3 * count * sizeof *three);
    ck_assert_ptr_nonnull(three);
    for (size_t i = 0; i < count; i++) {
        three[3 * i] = (float)(i % 17) / 17;
        three[3 * i + 1] = audio[i];
        three[3 * i + 2] = -audio[i];
    }
    steno_stream_options options = defaults();
    recognition right = recognise(engine, model, &options, audio, count, NULL);
    options.channels = 3;
    options.channel = 2;
    recognition chosen = recognise(engine, model, &options, three, count, odd_pieces);
    ck_assert_str_eq(chosen.report, right.report);
    recognition_free(&right);
    recognition_free(&chosen);
    free(three);
}
END_TEST

START_TEST(test_nothing_is_allocated_after_creation)
{
    steno_stream_options options = defaults();
    options.interim = true;
    options.rate_hz = 44100;
    steno_stream *stream = create(&options);
    uint64_t attempts = memory_attempts();
    size_t bytes = steno_stream_bytes(stream);
    ck_assert_uint_gt(bytes, 100000);
    for (int round = 0; round < 3; round++) {
        for (size_t fed = 0; fed < frames;) {
            size_t taken;
            ck_assert_int_ge(steno_stream_feed(stream, audio + fed, frames - fed, &taken), 0);
            fed += taken;
            const steno_result *result;
            while (steno_stream_next(stream, &result, NULL) == STENO_OK)
                ;
            steno_stream_wait(stream, 5);
        }
    }
    steno_stream_finish(stream);
    drain(stream);
    ck_assert_uint_eq(memory_attempts(), attempts);
    ck_assert_uint_eq(steno_stream_bytes(stream), bytes);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_each_allocation_failing)
{
    steno_stream_options options = defaults();
    options.interim = true;
    options.rate_hz = 48000;
    steno_stream_destroy(create(&options)); /* the engine's working memory is there then */
    size_t alive = memory_alive();
    for (uint64_t i = 1;; i++) {
        steno_stream *stream = NULL;
        memory_fail_at(memory_attempts() + i);
        steno_status status = steno_stream_create(engine, model, &options, &stream, NULL);
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
    steno_stream_options options = defaults();
    options.search = STENO_SEARCH_CTC;
    recognition ctc = recognise(engine, model, &options, audio, frames, NULL);
    options.search = STENO_SEARCH_JOINT;
    recognition joint = recognise(engine, model, &options, audio, frames, NULL);
    options.beam = 1;
    recognition narrow = recognise(engine, model, &options, audio, frames, NULL);
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
    steno_stream_options options = defaults();
    options.search = search;
    options.lm_weight = lm_weight;
    return recognise(engine, with, &options, audio, frames, NULL);
}

/* Both kinds of search use the language model, by its weight in the file or in the options, and
 * with weight 0 it is as if there were none. */
START_TEST(test_the_language_model_counts)
{
    steno_model *with = fixture_model_lm();
    steno_search search = (steno_search)_i;
    recognition none = say(model, search, NAN), off = say(with, search, 0);
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
    steno_stream_options options = defaults();
    options.lm_weight = 0.5f;
    refuse(options, STENO_ERROR_UNSUPPORTED, "lm_weight");

    options = defaults();
    recognition joint = recognise(engine, model, &options, audio, frames, NULL);
    options.attention_weight = 0.2f;
    recognition weighed = recognise(engine, model, &options, audio, frames, NULL);
    options.attention_weight = NAN;
    options.token_bonus = 2;
    recognition longer = recognise(engine, model, &options, audio, frames, NULL);
    ck_assert_str_ne(weighed.report, joint.report);
    ck_assert_str_ne(longer.report, joint.report);
    recognition_free(&joint);
    recognition_free(&weighed);
    recognition_free(&longer);

    options = defaults();
    options.search = STENO_SEARCH_CTC;
    options.attention_weight = 0;
    steno_stream_destroy(create(&options));
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
    tcase_add_loop_test(tests, test_any_cutting_gives_the_same_bytes, 0, 9);
    tcase_add_test(tests, test_batched_equals_alone);
    tcase_add_test(tests, test_results_settings_never_change_words);
    tcase_add_test(tests, test_every_length_ends);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_finishing_when_full_does_not_spin);
    tcase_add_test(tests, test_a_reader_who_does_not_read_stops_the_stream_and_loses_nothing);
    tcase_add_test(tests, test_a_result_stays_until_the_next_call);
    tcase_add_test(tests, test_samples_that_are_none);
    tcase_add_test(tests, test_channels);
    tcase_add_test(tests, test_nothing_is_allocated_after_creation);
    tcase_add_test(tests, test_each_allocation_failing);
    tcase_add_test(tests, test_the_search_options_count);
    tcase_add_loop_test(tests, test_the_language_model_counts, 0, 2);
    tcase_add_test(tests, test_weights_of_a_stream);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
