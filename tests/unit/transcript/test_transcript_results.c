/* When results are made: finals at endpoints and limits, interim results between them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "subject.h"
#include "support/suite.h"

START_TEST(test_endpoint)
{
    transcript *self = subject_create(subject_defaults);
    spoken_segment(self, " one@3", 8);
    subject_no_final(self);
    spoken_advance(self, NULL, 0, 13, 9); /* 720 ms */
    subject_no_final(self);
    spoken_advance(self, " t@12", 0, 14, 10); /* 800 ms, but somebody is speaking again */
    subject_no_final(self);
    spoken_advance(self, "", 0, 14, 10);
    const steno_result *result = subject_final(self);
    ck_assert(result->endpoint);
    ck_assert_str_eq(result->alternatives[0].text, "one");
    ck_assert_uint_eq(result->audio_ms, 14 * 80);
    subject_no_final(self);
    spoken_advance(self, NULL, 0, 100, 96); /* never an empty final */
    subject_no_final(self);
    transcript_finish(self);
    subject_no_final(self);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_endpoint_waits_for_the_segment)
{
    transcript_options options = subject_defaults;
    options.endpoint_ms = 160;
    transcript *self = subject_create(options);
    spoken_advance(self, " one@3", 1, 8, 4);
    subject_no_final(self);
    spoken_segment(self, " one@3", 10);
    subject_no_final(self);
    spoken_advance(self, NULL, 0, 10, 6);
    ck_assert(subject_final(self)->endpoint);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_endpoint_between_segments)
{
    /* Two segments in one step of the search: a pause of 10 frames parts them, one of 9 does
     * not. */
    transcript *self = subject_create(subject_defaults);
    spoken_segment(self, " one@3", 8);
    subject_no_final(self);
    spoken_segment(self, " two@14", 19);
    const steno_result *result = subject_final(self);
    ck_assert(result->endpoint);
    ck_assert_str_eq(result->alternatives[0].text, "one");
    ck_assert_uint_eq(result->audio_ms, 8 * 80);
    spoken_segment(self, " three@24", 30);
    subject_no_final(self);
    transcript_finish(self);
    result = subject_final(self);
    ck_assert_str_eq(spoken_words(result->alternatives), "two[1120,1200] three[1920,2000]");
    ck_assert(!result->endpoint);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_endpointing_off)
{
    transcript_options options = subject_defaults;
    options.endpointing = false;
    options.endpoint_ms = 0;
    transcript *self = subject_create(options);
    spoken_segment(self, " one@3", 8);
    spoken_advance(self, NULL, 0, 100, 96);
    subject_no_final(self);
    spoken_segment(self, " two@120", 130);
    subject_no_final(self);
    spoken_advance(self, NULL, 0, 140, 19);
    transcript_finish(self);
    ck_assert_str_eq(subject_final(self)->alternatives[0].text, "one two");
    transcript_destroy(self);
}
END_TEST

START_TEST(test_max_utterance)
{
    /* From the first word's start, 80 ms, to the last word's end: 1920 ms isn't enough, 2000 is. */
    transcript_options options = subject_defaults;
    options.max_utterance_ms = 2000;
    transcript *self = subject_create(options);
    spoken_segment(self, " a@1| b@8", 13);
    subject_no_final(self);
    spoken_segment(self, " c@15| d@24", 30);
    subject_no_final(self);
    spoken_segment(self, " e@25", 31);
    const steno_result *result = subject_final(self);
    ck_assert(!result->endpoint);
    ck_assert_str_eq(result->alternatives[0].text, "a b c d e");
    spoken_advance(self, NULL, 0, 50, 24);
    subject_no_final(self);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_two_finals_due_at_once)
{
    /* The second segment both shows the endpoint before it and fills its own utterance: its final
     * follows in the next call, whichever that is. */
    transcript_options options = subject_defaults;
    options.max_utterance_ms = 800;
    for (int next = 0; next < 3; next++) {
        transcript *self = subject_create(options);
        spoken_segment(self, " a@1", 6);
        spoken_segment(self, " b@20| c@30", 36);
        ck_assert_str_eq(subject_final(self)->alternatives[0].text, "a");
        subject_no_final(self);
        if (next == 0)
            spoken_advance(self, NULL, 0, 36, 5);
        else if (next == 1)
            spoken_segment(self, " d@37", 42);
        else
            transcript_finish(self);
        const steno_result *result = subject_final(self);
        ck_assert_str_eq(result->alternatives[0].text, "b c");
        ck_assert(!result->endpoint);
        transcript_finish(self);
        if (next == 1)
            ck_assert_str_eq(subject_final(self)->alternatives[0].text, "d");
        subject_no_final(self);
        transcript_destroy(self);
    }
}
END_TEST

/* Words of the final that waits, if one does. */
static size_t final_words(transcript *self)
{
    const steno_result *result;
    return transcript_take_final(self, &result) == STENO_OK ? result->alternatives[0].word_count
                                                            : 0;
}

START_TEST(test_memory_is_full)
{
    /* Far more segments, words and bytes than an utterance of 800 ms can hold, all at one frame:
     * some segments of a few words, then one of as many as can be.  Finals come early and no word
     * is lost. */
    transcript_options options = subject_defaults;
    options.max_utterance_ms = 800;
    options.max_alternatives = _i == 0 ? 1 : 3; /* alone, the first hypothesis has no spare room */
    transcript *self = subject_create(options);
    char long_word[TRANSCRIPT_TOKEN_BYTES + 1] = " ";
    memset(long_word + 1, 'x', sizeof long_word - 2);
    size_t given = 0, taken = 0;
    for (size_t pattern = 0; pattern < 4 * 12 * 2; pattern++) {
        size_t few = 1 + pattern % 4, rounds = pattern / 4 % 12;
        transcript_token tokens[SPOKEN_TOKENS];
        for (size_t i = 0; i < SPOKEN_TOKENS; i++)
            tokens[i] = (transcript_token){pattern < 4 * 12 ? long_word : " y", 5, 1};
        for (size_t round = 0; round <= rounds; round++) {
            size_t count = round < rounds ? few : SPOKEN_TOKENS;
            transcript_hypothesis hypotheses[3] = {{tokens, count, 0.5f, false},
                {tokens, count - 1, 0.3f, false}, {tokens, count / 2, 0.2f, false}};
            transcript_segment(self, hypotheses, 3, 6);
            given += count;
            taken += final_words(self);
        }
        /* The running segment needs its room too. */
        transcript_hypothesis running = {tokens, SPOKEN_TOKENS, 1, false};
        transcript_advance(self, &running, 1, 0, 6, 0);
        taken += final_words(self);
    }
    transcript_finish(self);
    taken += final_words(self);
    ck_assert_uint_eq(taken, given);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_interim)
{
    transcript *self = subject_create(subject_defaults);
    subject_no_interim(self);
    spoken_advance(self, " hel@3", 1, 5, 1);
    const steno_result *result = subject_interim(self);
    ck_assert_str_eq(spoken_words(result->alternatives), "hel[240,320]");
    ck_assert_uint_eq(result->stable_words, 0); /* the word might go on */
    ck_assert_float_eq(result->stability, 0);
    ck_assert_uint_eq(result->audio_ms, 400);
    ck_assert_uint_eq(result->start_ms, 240);
    ck_assert_uint_eq(result->end_ms, 320);
    subject_no_interim(self);

    spoken_advance(self, " hel@3", 1, 6, 2); /* nothing changed */
    subject_no_interim(self);
    spoken_advance(self, " hel@3|lo@4| wor@7", 2, 8, 0);
    result = subject_interim(self);
    ck_assert_str_eq(result->alternatives[0].text, "hello wor");
    ck_assert_uint_eq(result->stable_words, 0); /* what follows "lo" isn't settled */
    spoken_advance(self, " hel@3|lo@4| wor@7", 3, 9, 0);
    result = subject_interim(self); /* only what is settled changed */
    ck_assert_uint_eq(result->stable_words, 1);
    ck_assert_float_eq(result->stability, 0.5f);
    spoken_advance(self, " hel@3|lo@4| wor@8", 3, 10, 0);
    result = subject_interim(self); /* only a time changed */
    ck_assert_uint_eq(result->alternatives[0].words[1].start_ms, 640);

    spoken_segment(self, " hel@3|lo@4| world@8", 15);
    subject_no_final(self);
    spoken_advance(self, " a@16| b@17| c@18", 2, 19, 0);
    result = subject_interim(self);
    ck_assert_str_eq(result->alternatives[0].text, "hello world a b c");
    ck_assert_uint_eq(result->stable_words, 3);
    ck_assert_float_eq(result->stability, 0.6f);
    spoken_advance(self, " a@16| b@17| c@18", 100, 19, 0);
    ck_assert_uint_eq(subject_interim(self)->stable_words, 4);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_interim_confidence)
{
    spoken given[2];
    spoken_make(given + 0, 0.6f, " a@1*0.5| b@2");
    spoken_make(given + 1, 0.3f, " a@1| c@2");
    transcript_hypothesis hypotheses[] = {spoken_hypothesis(given), spoken_hypothesis(given + 1)};
    transcript *self = subject_create(subject_defaults);
    transcript_advance(self, hypotheses, 2, 1, 4, 0);
    const steno_alternative *best = subject_interim(self)->alternatives;
    ck_assert_float_eq_tol(best->words[0].confidence, 0.45f, 1e-6f); /* float rounding */
    ck_assert_float_eq_tol(best->words[1].confidence, 0.6f, 1e-6f);
    ck_assert_float_eq_tol(best->confidence, 0.525f, 1e-6f);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_final_ends_interim)
{
    transcript_options options = subject_defaults;
    options.max_utterance_ms = 400;
    transcript *self = subject_create(options);
    spoken_advance(self, " a@1| b@9", 0, 10, 0);
    spoken_segment(self, " a@1| b@9", 12);
    subject_final(self);
    subject_no_interim(self); /* its words are final */
    spoken_advance(self, " c@13", 0, 14, 0);
    ck_assert_str_eq(subject_interim(self)->alternatives[0].text, "c");
    spoken_segment(self, " c@13", 18);
    spoken_advance(self, NULL, 0, 24, 10);
    ck_assert(subject_final(self)->endpoint);
    subject_no_interim(self);
    spoken_advance(self, " c@13", 0, 26, 0); /* reads like the last one taken, but is new */
    ck_assert_str_eq(subject_interim(self)->alternatives[0].text, "c");
    spoken_advance(self, " d@26", 0, 27, 0);
    transcript_finish(self);
    subject_no_final(self);
    subject_no_interim(self);
    transcript_destroy(self);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transcript_results");
    TCase *tests = tcase_create("transcript_results");
    tcase_add_test(tests, test_endpoint);
    tcase_add_test(tests, test_endpoint_waits_for_the_segment);
    tcase_add_test(tests, test_endpoint_between_segments);
    tcase_add_test(tests, test_endpointing_off);
    tcase_add_test(tests, test_max_utterance);
    tcase_add_test(tests, test_two_finals_due_at_once);
    tcase_add_loop_test(tests, test_memory_is_full, 0, 2);
    tcase_add_test(tests, test_interim);
    tcase_add_test(tests, test_interim_confidence);
    tcase_add_test(tests, test_final_ends_interim);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
