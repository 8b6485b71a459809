/*
 * Real recordings through the whole library, with the operators and the precision that the
 * processor suggests.  That finals are never empty, never change and never run backwards, and that
 * a result's text is its words, recognise() checks in every one of these tests.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "material.h"
#include "support/suite.h"

static material m;

static void setup(void)
{
    m = material_open(2);
}

static void teardown(void)
{
    material_close(&m);
}

static const char *const recordings[] = {
    "demo.flac",
    "2277-149874-0007.flac",
    "5694-64025-0001.flac",
    "777-126732-0053.flac",
    "common_voice_en_37184044.flac",
};
enum { RECORDINGS = sizeof recordings / sizeof *recordings };

static steno_stream_options defaults(void)
{
    steno_stream_options options;
    steno_stream_options_init(&options);
    return options;
}

static size_t one_by_one(size_t fed)
{
    return 1;
}

static size_t odd_pieces(size_t fed)
{
    return 1 + fed * 7919 % 5003;
}

static size_t live(size_t fed)
{
    return MATERIAL_RATE / 50;
}

START_TEST(test_any_cutting_gives_the_same_transcript)
{
    static const recognise_cut cuts[] = {one_by_one, odd_pieces, live};
    size_t frames;
    float *samples = material_speech(recordings[_i], &frames);
    recognition whole = recognise(m.engine, m.model, NULL, samples, frames, NULL);
    ck_assert_uint_gt(whole.word_count, 0);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        recognition cut = recognise(m.engine, m.model, NULL, samples, frames, cuts[i]);
        ck_assert_str_eq(cut.report, whole.report);
        recognition_free(&cut);
    }
    recognition_free(&whole);
    free(samples);
}
END_TEST

/* All recordings one after the other with pauses of growing length between them. */
static float *long_recording(size_t *out_frames)
{
    float *all = NULL;
    size_t count = 0;
    for (size_t i = 0; i < RECORDINGS; i++) {
        size_t frames, pause = (1 + 2 * i) * MATERIAL_RATE / 2;
        float *samples = material_speech(recordings[i], &frames);
        all = realloc(all, (count + frames + pause) * sizeof *all);
        ck_assert_ptr_nonnull(all);
        memcpy(all + count, samples, frames * sizeof *all);
        memset(all + count + frames, 0, pause * sizeof *all);
        count += frames + pause;
        free(samples);
    }
    *out_frames = count;
    return all;
}

START_TEST(test_endpointing_loses_nothing)
{
    size_t frames;
    float *samples = long_recording(&frames);
    steno_stream_options options = defaults();
    options.endpointing = false;
    recognition off = recognise(m.engine, m.model, &options, samples, frames, NULL);
    ck_assert_uint_gt(off.word_count, 10);
    options.endpointing = true;
    static const uint32_t endpoints_ms[] = {400, 800, 1500, 10000};
    size_t finals = SIZE_MAX;
    for (size_t i = 0; i < 4; i++) {
        options.endpoint_ms = endpoints_ms[i];
        options.max_utterance_ms = i == 3 ? 5000 : 60000;
        recognition on = recognise(m.engine, m.model, &options, samples, frames, odd_pieces);
        ck_assert_str_eq(on.words, off.words);
        if (i < 3) {
            ck_assert_uint_le(on.finals, finals); /* longer pauses are fewer */
            finals = on.finals;
        }
        recognition_free(&on);
    }
    recognition_free(&off);
    free(samples);
}
END_TEST

START_TEST(test_every_length_is_recognised_to_its_end)
{
    size_t frames;
    float *samples = material_speech(recordings[1], &frames);
    for (size_t length = 1; length < frames; length = length * 5 / 4 + 337) {
        recognition r = recognise(m.engine, m.model, NULL, samples, length, NULL);
        ck_assert_uint_eq(r.done_ms, length * 1000 / MATERIAL_RATE);
        ck_assert_uint_eq(r.fed_ms, r.done_ms);
        recognition_free(&r);
    }
    free(samples);
}
END_TEST

/* Where the last word ends. */
static uint64_t last_end_ms(const recognition *r)
{
    const char *line = r->report;
    unsigned long long start_ms, end_ms = 0;
    while (sscanf(line, "%llu-%llu", &start_ms, &end_ms) == 2 && strchr(line, '\n'))
        line = strchr(line, '\n') + 1;
    return end_ms;
}

/* Whether a word is heard where the last one was when `skip` samples are left out at the start.
 * Within four encodings, as another grid may hear a word's end a little sooner or later. */
static bool hears_last_word(const float *samples, size_t frames, size_t skip, uint64_t right_ms)
{
    enum { NEAR_MS = 320 };
    recognition r = recognise(m.engine, m.model, NULL, samples + skip, frames - skip, NULL);
    uint64_t end_ms = last_end_ms(&r) + skip * 1000 / MATERIAL_RATE;
    recognition_free(&r);
    return end_ms + NEAR_MS >= right_ms && end_ms <= right_ms + NEAR_MS;
}

START_TEST(test_the_last_word_is_there_for_every_residue)
{
    /* Recordings begin a little later, so that all of them end at the same place of a chunk (of
     * 640 ms), for sixteen places.  A recogniser that loses its tail there loses it in all of
     * them; one word misheard in another context is the model's mistake. */
    enum { CHUNK = 10240, PLACES = 16 };
    if (!material_has_shipped("the last word"))
        return;
    size_t frames[RECORDINGS], heard[PLACES] = {0};
    for (size_t i = 0; i < RECORDINGS; i++) {
        float *samples = material_speech(recordings[i], &frames[i]);
        recognition whole = recognise(m.engine, m.model, NULL, samples, frames[i], NULL);
        for (size_t place = 0; place < PLACES; place++) {
            size_t skip = (frames[i] + CHUNK - place * CHUNK / PLACES) % CHUNK;
            heard[place] += hears_last_word(samples, frames[i], skip, last_end_ms(&whole));
        }
        recognition_free(&whole);
        free(samples);
    }
    for (size_t place = 0; place < PLACES; place++)
        ck_assert_msg(heard[place] + 1 >= RECORDINGS,
            "ending at %zu/%d of a chunk, %zu of %d recordings have their last word", place, PLACES,
            heard[place], RECORDINGS);
}
END_TEST

START_TEST(test_batched_equals_alone)
{
    enum { STREAMS = 20 };
    size_t frames[RECORDINGS];
    float *samples[RECORDINGS];
    recognition alone[RECORDINGS];
    for (size_t i = 0; i < RECORDINGS; i++) {
        samples[i] = material_speech(recordings[i], &frames[i]);
        alone[i] = recognise(m.engine, m.model, NULL, samples[i], frames[i], NULL);
    }
    steno_stream *streams[STREAMS];
    size_t fed[STREAMS] = {0}, sizes[STREAMS], open = STREAMS;
    char *words[STREAMS];
    FILE *out[STREAMS];
    for (size_t i = 0; i < STREAMS; i++) {
        ck_assert_int_eq(steno_stream_create(m.engine, m.model, NULL, &streams[i], NULL), STENO_OK);
        out[i] = open_memstream(&words[i], &sizes[i]);
    }
    while (open > 0) {
        for (size_t i = 0; i < STREAMS; i++) {
            size_t r = i % RECORDINGS, taken, piece = 4000 + 100 * i;
            if (!streams[i])
                continue;
            if (fed[i] < frames[r]) {
                if (piece > frames[r] - fed[i])
                    piece = frames[r] - fed[i];
                ck_assert_int_ge(
                    steno_stream_feed(streams[i], samples[r] + fed[i], piece, &taken), 0);
                fed[i] += taken;
                if (fed[i] == frames[r])
                    steno_stream_finish(streams[i]);
            } else {
                steno_stream_wait(streams[i], 1);
            }
            const steno_result *result;
            steno_status status;
            while ((status = steno_stream_next(streams[i], &result, NULL)) == STENO_OK)
                fprintf(out[i], "%s%s", ftell(out[i]) ? " " : "", result->alternatives[0].text);
            if (status == STENO_END) {
                steno_stream_destroy(streams[i]);
                streams[i] = NULL;
                open--;
            }
        }
    }
    for (size_t i = 0; i < STREAMS; i++) {
        fclose(out[i]);
        ck_assert_str_eq(words[i], alone[i % RECORDINGS].words);
        free(words[i]);
    }
    for (size_t i = 0; i < RECORDINGS; i++) {
        recognition_free(&alone[i]);
        free(samples[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("invariants");
    TCase *tests = tcase_create("invariants");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 900);
    tcase_add_loop_test(tests, test_any_cutting_gives_the_same_transcript, 0, RECORDINGS);
    tcase_add_test(tests, test_endpointing_loses_nothing);
    tcase_add_test(tests, test_every_length_is_recognised_to_its_end);
    tcase_add_test(tests, test_the_last_word_is_there_for_every_residue);
    tcase_add_test(tests, test_batched_equals_alone);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
