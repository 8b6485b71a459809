/* Streams: audio in, results out, in any cutting, company and pace. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    steno_stream_options options = fixture_options();
    options.rate_hz = rates_hz[_i % 3];
    options.chunk_ms = chunks_ms[_i / 3];
    options.max_alternatives = 3;
    options.channels = _i % 2 ? 2 : 1;
    size_t count = (_i < 3 ? 5 * RATE : frames) / options.channels;
    recognition whole = recognise(f.engine, f.model, &options, f.audio, count, NULL);
    recognition odd = recognise(f.engine, f.model, &options, f.audio, count, odd_pieces);
    ck_assert_str_eq(odd.report, whole.report);
    ck_assert_uint_gt(whole.word_count, 3);
    ck_assert_uint_eq(whole.done_ms, whole.fed_ms);
    recognition_free(&odd);
    if (_i == 4) { /* 48 ms a time is enough for this slowest of ways */
        recognition single = recognise(f.engine, f.model, &options, f.audio, count, one_by_one);
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
        options[i] = fixture_options();
        options[i].chunk_ms = chunks_ms[i % 4];
        lengths[i] = (2 + i % 5) * RATE + 611 * i;
        streams[i] = fixture_stream(&f, &options[i]);
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
                    steno_stream_feed(streams[i], f.audio + 40 * i + fed[i], piece, &taken), 0);
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
        recognition alone =
            recognise(f.engine, f.model, &options[i], f.audio + 40 * i, lengths[i], NULL);
        ck_assert_str_eq(texts[i], alone.words);
        ck_assert_uint_eq(finals[i], alone.finals);
        recognition_free(&alone);
        free(texts[i]);
    }
}
END_TEST

START_TEST(test_results_settings_never_change_words)
{
    steno_stream_options options = fixture_options();
    recognition usual = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    options.endpointing = false;
    options.max_utterance_ms = 60000;
    recognition one = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    ck_assert_str_eq(one.words, usual.words);
    ck_assert_uint_eq(one.finals, 1);
    ck_assert_uint_gt(usual.finals, 1);
    options = fixture_options();
    options.endpoint_ms = 400;
    options.interim = true;
    options.max_alternatives = 10;
    recognition rich = recognise(f.engine, f.model, &options, f.audio, frames, odd_pieces);
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
    steno_stream_options options = fixture_options();
    options.chunk_ms = 320;
    for (size_t length = 1; length < 13000; length += length % 1280 < 6 ? 1 : 211) {
        recognition r = recognise(f.engine, f.model, &options, f.audio, length, NULL);
        ck_assert_uint_eq(r.done_ms, length * 1000 / RATE);
        recognition_free(&r);
    }
}
END_TEST

START_TEST(test_full)
{
    steno_stream_options options = fixture_options();
    options.backlog_ms = 1280;
    steno_stream *stream = fixture_stream(&f, &options);
    size_t fed = 0, fulls = 0;
    while (fed < frames) {
        size_t taken;
        steno_status status = steno_stream_feed(stream, f.audio + fed, frames - fed, &taken);
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
    fixture_drain(stream);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_finishing_when_full_does_not_spin)
{
    steno_stream_options options = fixture_options();
    options.backlog_ms = 40000; /* several turns, so room comes long before the end */
    steno_stream *stream = fixture_stream(&f, &options);
    size_t taken;
    while (steno_stream_feed(stream, f.audio, frames, &taken) != STENO_FULL)
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
    steno_stream_options options = fixture_options();
    options.backlog_ms = 2000;
    options.endpoint_ms = 400;
    recognition right = recognise(f.engine, f.model, &options, f.audio, frames, NULL);
    /* Repeats the audio until the results are full as well as the backlog. */
    steno_stream *stream = fixture_stream(&f, &options);
    size_t fed = 0, taken, stuck = 0;
    /* (A worker that needs long for a turn has the backlog full earlier.) */
    while ((stuck < 20 || (fed < 2 * frames && stuck < 3000)) && fed < 400 * frames) {
        size_t at = fed % frames;
        steno_status status = steno_stream_feed(stream, f.audio + at, frames - at, &taken);
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
    size_t finals = fixture_drain(stream);
    ck_assert_uint_gt(finals, right.finals);
    ck_assert_uint_eq(steno_stream_done_ms(stream), steno_stream_fed_ms(stream));
    steno_stream_destroy(stream);
    recognition_free(&right);
}
END_TEST

START_TEST(test_a_result_stays_until_the_next_call)
{
    steno_stream_options options = fixture_options();
    options.endpoint_ms = 400;
    steno_stream *stream = fixture_stream(&f, &options);
    size_t taken;
    steno_stream_feed(stream, f.audio, 4 * RATE, &taken);
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
    memcpy(bad, f.audio, frames * sizeof *bad);
    memcpy(good, f.audio, frames * sizeof *good);
    const float values[] = {NAN, INFINITY, -INFINITY, 1e30f, -40000.0f, 1.5f};
    const float heard[] = {0, 0, 0, 1, -1, 1};
    for (size_t i = 0; i < 6 * 50; i++) {
        bad[1000 + 37 * i] = values[i % 6];
        good[1000 + 37 * i] = heard[i % 6];
    }
    recognition a = recognise(f.engine, f.model, NULL, bad, frames, NULL);
    recognition b = recognise(f.engine, f.model, NULL, good, frames, NULL);
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
        three[3 * i + 1] = f.audio[i];
        three[3 * i + 2] = -f.audio[i];
    }
    steno_stream_options options = fixture_options();
    recognition right = recognise(f.engine, f.model, &options, f.audio, count, NULL);
    options.channels = 3;
    options.channel = 2;
    recognition chosen = recognise(f.engine, f.model, &options, three, count, odd_pieces);
    ck_assert_str_eq(chosen.report, right.report);
    recognition_free(&right);
    recognition_free(&chosen);
    free(three);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream_audio");
    TCase *tests = tcase_create("stream_audio");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 400);
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
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
