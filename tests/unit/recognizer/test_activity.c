/* Events when speech begins and ends: the states by themselves, and among a stream's results; and
 * phrases as an option of a stream. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "recognizer/activity.h"
#include "support/recognise.h"
#include "support/suite.h"

enum { RATE = 16000, FRAMES = 14 * RATE + 77, TEXT = 16384 };

/* --- The states --- */

START_TEST(begin_and_end)
{
    activity a = activity_begin(80, 800);
    activity_event out[ACTIVITY_MAX_EVENTS];
    ck_assert_uint_eq(activity_silence(&a, 100, out), 0);
    ck_assert_uint_eq(activity_running(&a, 20, out), 1);
    ck_assert_int_eq(out[0].event, STENO_EVENT_SPEECH_BEGIN);
    ck_assert_uint_eq(out[0].event_ms, 20 * 80 - 240);
    ck_assert_uint_eq(activity_running(&a, 20, out), 0);
    ck_assert_uint_eq(activity_segment(&a, 20, 30, out), 0);
    ck_assert_uint_eq(activity_silence(&a, 9, out), 0);
    ck_assert_uint_eq(activity_silence(&a, 10, out), 1);
    ck_assert_int_eq(out[0].event, STENO_EVENT_SPEECH_END);
    ck_assert_uint_eq(out[0].event_ms, 31 * 80);
    ck_assert_uint_eq(activity_silence(&a, 11, out), 0);
    ck_assert_uint_eq(activity_finish(&a, out), 0);
    /* Soon after: the margin does not reach back before the end. */
    ck_assert_uint_eq(activity_running(&a, 32, out), 1);
    ck_assert_uint_eq(out[0].event_ms, 31 * 80);
    ck_assert_uint_eq(activity_finish(&a, out), 1);
    ck_assert_int_eq(out[0].event, STENO_EVENT_SPEECH_END);
    ck_assert_uint_eq(out[0].event_ms, 33 * 80);
}
END_TEST

START_TEST(pauses_between_segments)
{
    activity a = activity_begin(80, 799); /* rounded up to 10 frames */
    activity_event out[ACTIVITY_MAX_EVENTS];
    ck_assert_uint_eq(activity_segment(&a, 1, 5, out), 1);
    ck_assert_uint_eq(out[0].event_ms, 0); /* not before the start */
    ck_assert_uint_eq(activity_segment(&a, 15, 20, out), 0);
    ck_assert_uint_eq(activity_segment(&a, 31, 40, out), 2);
    ck_assert_int_eq(out[0].event, STENO_EVENT_SPEECH_END);
    ck_assert_uint_eq(out[0].event_ms, 21 * 80);
    ck_assert_int_eq(out[1].event, STENO_EVENT_SPEECH_BEGIN);
    ck_assert_uint_eq(out[1].event_ms, 31 * 80 - 240);
    ck_assert_uint_eq(activity_finish(&a, out), 1);
    ck_assert_uint_eq(out[0].event_ms, 41 * 80);
}
END_TEST

/* --- Among the results --- */

static fixture f;

static void setup(void)
{
    fixture_open(&f, FRAMES);
}

static void teardown(void)
{
    fixture_close(&f);
}

/* What a stream has said, and what of it holds for any. */
typedef struct said {
    char all[TEXT];    /* a line per event and final */
    char finals[TEXT]; /* of finals alone */
    size_t events, interims;
    bool speaking;
    uint64_t event_ms, audio_ms;
} said;

static void add_line(char *text, const char *format, const char *words, uint64_t a, uint64_t b)
{
    size_t used = strlen(text);
    snprintf(text + used, TEXT - used, format, words, (unsigned long long)a, (unsigned long long)b);
    ck_assert_uint_lt(strlen(text), TEXT - 200);
}

static void hear_event(said *s, const steno_result *r)
{
    bool begin = r->event == STENO_EVENT_SPEECH_BEGIN;
    ck_assert(!r->is_final);
    ck_assert_uint_eq(r->alternative_count, 0);
    ck_assert_ptr_null(r->alternatives);
    ck_assert(begin != s->speaking);
    ck_assert_uint_ge(r->event_ms, s->event_ms);
    ck_assert_uint_ge(r->audio_ms, s->audio_ms);
    ck_assert_uint_le(r->event_ms, r->audio_ms);
    s->speaking = begin;
    s->event_ms = r->event_ms;
    s->audio_ms = r->audio_ms;
    s->events++;
    add_line(s->all, "%s %llu at %llu\n", begin ? "begin" : "end", r->event_ms, r->audio_ms);
}

static void hear(said *s, const steno_result *r, bool endpointing)
{
    if (r->event != STENO_EVENT_NONE) {
        hear_event(s, r);
    } else if (!r->is_final) {
        ck_assert_uint_gt(r->alternative_count, 0);
        s->interims++;
    } else {
        /* With endpointing what is final is said between a begin and its end. */
        ck_assert(s->speaking || !endpointing || s->events == 0);
        if (s->events > 0 && endpointing)
            ck_assert_uint_ge(r->start_ms, s->event_ms);
        add_line(s->all, "%s %llu-%llu\n", r->alternatives[0].text, r->start_ms, r->end_ms);
        add_line(s->finals, "%s %llu-%llu\n", r->alternatives[0].text, r->start_ms, r->end_ms);
    }
}

/* flush_every: frames between flushes; 0: none */
static said run_flushing(const steno_stream_options *options, size_t piece, size_t flush_every)
{
    said s = {.events = 0};
    steno_stream *stream = fixture_stream(&f, options);
    const steno_result *result;
    steno_status status = STENO_OK;
    for (size_t fed = 0; fed < FRAMES;) {
        size_t taken, count = FRAMES - fed < piece ? FRAMES - fed : piece;
        if (steno_stream_feed(stream, f.audio + fed, count, &taken) == STENO_FULL && taken == 0)
            ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
        bool flush = flush_every > 0 && fed / flush_every != (fed + taken) / flush_every;
        fed += taken;
        if (flush)
            ck_assert_int_eq(steno_stream_flush(stream), STENO_OK);
        while ((status = steno_stream_next(stream, &result, NULL)) == STENO_OK)
            hear(&s, result, options->endpointing);
        ck_assert_int_eq(status, STENO_AGAIN);
    }
    ck_assert_int_eq(steno_stream_finish(stream), STENO_OK);
    while ((status = steno_stream_next(stream, &result, NULL)) != STENO_END) {
        ck_assert_int_ge(status, 0);
        if (status == STENO_OK)
            hear(&s, result, options->endpointing);
        else
            ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
    }
    ck_assert(!s.speaking);
    steno_stream_destroy(stream);
    return s;
}

static said run(const steno_stream_options *options, size_t piece)
{
    return run_flushing(options, piece, 0);
}

static steno_stream_options choose(uint32_t chunk_ms, uint32_t endpoint_ms, bool endpointing)
{
    steno_stream_options options = fixture_options();
    options.chunk_ms = chunk_ms;
    options.endpoint_ms = endpoint_ms;
    options.endpointing = endpointing;
    options.activity = true;
    return options;
}

START_TEST(events_in_any_pieces)
{
    static const uint32_t chunks_ms[] = {160, 320, 640}, endpoints_ms[] = {400, 800};
    bool several = false;
    for (int i = 0; i < 12; i++) {
        steno_stream_options options = choose(chunks_ms[i / 4], endpoints_ms[i / 2 % 2], i % 2);
        said whole = run(&options, FRAMES);
        ck_assert_uint_gt(whole.events, 0);
        ck_assert_uint_eq(whole.events % 2, 0);
        ck_assert_int_eq(strncmp(whole.all, "begin", 5), 0);
        several |= whole.events > 2;
        for (size_t piece = 401; piece < 20000; piece += 9000) {
            said pieces = run(&options, piece);
            ck_assert_str_eq(pieces.all, whole.all);
        }
        /* Nothing but the events is new. */
        options.activity = false;
        said without = run(&options, FRAMES);
        ck_assert_uint_eq(without.events, 0);
        ck_assert_str_eq(without.finals, whole.finals);
        ck_assert_str_eq(without.all, whole.finals);
        /* Interim results come in between and change neither. */
        options.activity = true;
        options.interim = true;
        said interim = run(&options, 2000);
        ck_assert_str_eq(interim.all, whole.all);
    }
    ck_assert(several);
}
END_TEST

/* A flush ends no speech: what hear checks holds, and the last end is that of the audio. */
START_TEST(events_around_flushes)
{
    for (int i = 0; i < 4; i++) {
        steno_stream_options options = choose(i % 2 ? 160 : 640, 400, true);
        said s = run_flushing(&options, 1000, i < 2 ? RATE : 3 * RATE + 500);
        ck_assert_uint_gt(s.events, 0);
        ck_assert_uint_eq(s.events % 2, 0);
    }
}
END_TEST

/* --- Phrases --- */

static void refuse(const steno_phrase *list, size_t count, steno_status status, const char *reason)
{
    steno_stream_options options = fixture_options();
    options.phrases = list;
    options.phrase_count = count;
    steno_stream *stream = NULL;
    steno_error error = {0};
    size_t alive = memory_alive();
    ck_assert_int_eq(steno_stream_create(f.engine, f.model, &options, &stream, &error), status);
    ck_assert_msg(strstr(error.message, reason), "%s: %s", reason, error.message);
    ck_assert_uint_eq(memory_alive(), alive);
}

START_TEST(phrases_of_a_stream)
{
    refuse(NULL, 1, STENO_ERROR_ARGUMENT, "phrases");
    refuse(&(steno_phrase){"a", 21}, 1, STENO_ERROR_ARGUMENT, "phrase 1");
    refuse((steno_phrase[]){{"a", 1}, {"\xff", 1}}, 2, STENO_ERROR_ARGUMENT, "phrase 2");

    steno_stream_options options = fixture_options();
    recognition plain = recognise(f.engine, f.model, &options, f.audio, FRAMES, NULL);
    /* The tiny model's words are of the letters b to l; this one it does not say by itself. */
    ck_assert_ptr_null(strstr(plain.words, "bc"));
    steno_phrase list[] = {{"bc", 0}, {"b c", 0}};
    options.phrases = list;
    options.phrase_count = 2;
    recognition idle = recognise(f.engine, f.model, &options, f.audio, FRAMES, NULL);
    ck_assert_str_eq(idle.report, plain.report);
    list[0].boost = 20;
    steno_stream *stream = fixture_stream(&f, &options);
    ck_assert_uint_gt(steno_stream_bytes(stream), 0);
    steno_stream_destroy(stream);
    recognition boosted = recognise(f.engine, f.model, &options, f.audio, FRAMES, NULL);
    ck_assert_msg(strstr(boosted.words, "bc"), "%s | %s", plain.words, boosted.words);
    recognition_free(&plain);
    recognition_free(&idle);
    recognition_free(&boosted);
}
END_TEST

START_TEST(the_list_is_copied)
{
    steno_stream_options options = fixture_options();
    steno_phrase list[] = {{"bc", 20}};
    char text[] = "bc";
    list[0].text = text;
    options.phrases = list;
    options.phrase_count = 1;
    recognition expected = recognise(f.engine, f.model, &options, f.audio, FRAMES, NULL);
    steno_stream *stream = fixture_stream(&f, &options);
    memset(text, 'x', 2);
    list[0] = (steno_phrase){NULL, -1};
    size_t words = 0, taken;
    const steno_result *result;
    steno_status status;
    for (size_t fed = 0; fed < FRAMES; fed += taken)
        if (steno_stream_feed(stream, f.audio + fed, FRAMES - fed, &taken) == STENO_FULL)
            steno_stream_wait(stream, 20000);
    steno_stream_finish(stream);
    while ((status = steno_stream_next(stream, &result, NULL)) != STENO_END) {
        ck_assert_int_ge(status, 0);
        if (status == STENO_AGAIN)
            steno_stream_wait(stream, 20000);
        else
            words += result->alternatives[0].word_count;
    }
    ck_assert_uint_eq(words, expected.word_count);
    steno_stream_destroy(stream);
    recognition_free(&expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("activity");
    TCase *states = tcase_create("states");
    tcase_add_test(states, begin_and_end);
    tcase_add_test(states, pauses_between_segments);
    suite_add_tcase(suite, states);
    TCase *streams = tcase_create("streams");
    tcase_set_timeout(streams, 300);
    tcase_add_checked_fixture(streams, setup, teardown);
    tcase_add_test(streams, events_in_any_pieces);
    tcase_add_test(streams, events_around_flushes);
    tcase_add_test(streams, phrases_of_a_stream);
    tcase_add_test(streams, the_list_is_copied);
    suite_add_tcase(suite, streams);
    return suite_run(suite);
}
