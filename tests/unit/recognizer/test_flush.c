/* steno_stream_flush: what was said becomes final at once, and the stream goes on. */
#include <check.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "support/suite.h"

enum { RATE = 16000, FRAMES = 10 * RATE + 77, TEXT = 16384 };

static fixture f;

static void setup(void)
{
    fixture_open(&f, FRAMES);
}

static void teardown(void)
{
    fixture_close(&f);
}

static steno_stream *create(bool endpointing)
{
    steno_stream_options options = fixture_options();
    options.chunk_ms = 320;
    options.endpointing = endpointing;
    return fixture_stream(&f, &options);
}

/* Feeds samples [from, to) in pieces, waiting where there is no room. */
static void feed(steno_stream *stream, size_t from, size_t to, size_t piece)
{
    while (from < to) {
        size_t taken, count = to - from < piece ? to - from : piece;
        if (steno_stream_feed(stream, f.audio + from, count, &taken) == STENO_FULL && taken == 0)
            ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
        from += taken;
    }
}

/* What a stream has said: its finals' words with times, a line each. */
typedef struct said {
    char text[TEXT];
    size_t finals;
    uint64_t last_ms;
} said;

static steno_status take(steno_stream *stream, said *s)
{
    const steno_result *result;
    steno_status status = steno_stream_next(stream, &result, NULL);
    if (status != STENO_OK)
        return status;
    ck_assert(result->is_final);
    ck_assert_uint_ge(result->start_ms, s->last_ms);
    s->last_ms = result->end_ms;
    s->finals++;
    size_t used = strlen(s->text);
    for (size_t i = 0; i < result->alternatives[0].word_count; i++) {
        const steno_word *word = &result->alternatives[0].words[i];
        used += (size_t)snprintf(s->text + used, TEXT - used, "%s@%u-%u:%.6f ", word->text,
            (unsigned)word->start_ms, (unsigned)word->end_ms, word->confidence);
        ck_assert_uint_lt(used, TEXT);
    }
    snprintf(s->text + used, TEXT - used, "\n");
    return status;
}

/* Waits for the next final, which must come without the audio's end. */
static void take_one(steno_stream *stream, said *s)
{
    steno_status status;
    while ((status = take(stream, s)) == STENO_AGAIN)
        ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
    ck_assert_int_eq(status, STENO_OK);
}

static void take_all(steno_stream *stream, said *s)
{
    steno_status status;
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    while ((status = take(stream, s)) != STENO_END)
        if (status == STENO_AGAIN)
            ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
}

/* One run with a flush after `at` samples (0: none). */
static void run(size_t at, size_t piece, said *s)
{
    *s = (said){.finals = 0};
    steno_stream *stream = create(false);
    feed(stream, 0, at, piece);
    if (at > 0)
        ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
    /* At the very end, so that it is not the stream's end that finds the flush undone. */
    if (at == FRAMES)
        take_one(stream, s);
    feed(stream, at, FRAMES, piece);
    take_all(stream, s);
    ck_assert_uint_eq(steno_stream_done_ms(stream), steno_stream_fed_ms(stream));
    steno_stream_destroy(stream);
}

START_TEST(test_a_final_comes_at_once)
{
    steno_stream *stream = create(false);
    said s = {.finals = 0};
    feed(stream, 0, 3 * RATE, RATE);
    ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
    take_one(stream, &s);
    ck_assert_uint_le(s.last_ms, 3000);
    /* Within one encoding and one window all that was fed was recognised. */
    ck_assert_uint_ge(steno_stream_done_ms(stream), 3000 - 80 - 25);
    feed(stream, 3 * RATE, FRAMES, RATE);
    take_all(stream, &s);
    ck_assert_uint_gt(s.finals, 1);
    ck_assert_uint_gt(s.last_ms, 3000);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_any_cutting_gives_the_same_bytes)
{
    static const size_t places[] = {1, 400, 7000, 2 * RATE, 2 * RATE + 1, 5 * RATE + 333, FRAMES};
    static said whole, cut;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        run(places[i], FRAMES, &whole);
        run(places[i], 1777, &cut);
        ck_assert_str_eq(whole.text, cut.text);
        ck_assert_uint_gt(strlen(whole.text), 100);
    }
}
END_TEST

START_TEST(test_with_nothing_fed_nothing_changes)
{
    static said plain, flushed;
    run(0, FRAMES, &plain);
    steno_stream *stream = create(false);
    flushed = (said){.finals = 0};
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
    feed(stream, 0, FRAMES, FRAMES);
    take_all(stream, &flushed);
    ck_assert_str_eq(plain.text, flushed.text);
    steno_stream_destroy(stream);
}
END_TEST

START_TEST(test_again_and_again)
{
    /* A second flush of the same audio finds nothing; many in a row lose nothing of the stream. */
    steno_stream *stream = create(true);
    static said s;
    s = (said){.finals = 0};
    for (size_t at = 0; at + 3500 < FRAMES; at += 3500) {
        feed(stream, at, at + 3500, 3500);
        ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
        ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
        while (take(stream, &s) == STENO_OK)
            ;
    }
    take_all(stream, &s);
    ck_assert_uint_gt(s.finals, 3);
    ck_assert_uint_eq(steno_stream_done_ms(stream), steno_stream_fed_ms(stream));
    steno_stream_destroy(stream);
}
END_TEST

/* Holds the worker in a stream's first turn until it is let go. */
typedef struct gate {
    sem_t entered, open;
    bool passed; /* of the worker alone */
} gate;

static void hold(void *context, const steno_trace_samples *told)
{
    gate *g = context;
    if (g->passed)
        return;
    g->passed = true;
    sem_post(&g->entered);
    while (sem_wait(&g->open) != 0)
        ;
}

START_TEST(test_flushed_while_a_flush_is_at_work)
{
    enum { PART = 3000 };
    gate g = {.passed = false};
    sem_init(&g.entered, 0, 0);
    sem_init(&g.open, 0, 0);
    steno_trace trace = {.samples = hold, .context = &g};
    steno_stream_options options = fixture_options();
    options.chunk_ms = 320;
    options.trace = &trace;
    steno_stream *stream = fixture_stream(&f, &options);
    feed(stream, 0, PART, PART);
    ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
    while (sem_wait(&g.entered) != 0)
        ;
    feed(stream, PART, 2 * PART, PART);
    ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
    sem_post(&g.open);
    /* The second is heeded too, though its audio makes no whole chunk. */
    for (int polls = 0; steno_stream_done_ms(stream) < 2 * PART * 1000 / RATE - 80 - 25; polls++) {
        ck_assert_int_lt(polls, 6000);
        usleep(10000);
    }
    steno_stream_destroy(stream);
    sem_destroy(&g.entered);
    sem_destroy(&g.open);
}
END_TEST

START_TEST(test_bad_calls)
{
    ck_assert_int_eq(steno_stream_flush(NULL), STENO_ERROR_ARGUMENT);
    steno_stream *stream = create(true);
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    ck_assert_int_eq(steno_stream_flush(stream), STENO_ERROR_STATE);
    steno_stream_destroy(stream);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flush");
    TCase *tests = tcase_create("flush");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_a_final_comes_at_once);
    tcase_add_test(tests, test_any_cutting_gives_the_same_bytes);
    tcase_add_test(tests, test_with_nothing_fed_nothing_changes);
    tcase_add_test(tests, test_again_and_again);
    tcase_add_test(tests, test_flushed_while_a_flush_is_at_work);
    tcase_add_test(tests, test_bad_calls);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
