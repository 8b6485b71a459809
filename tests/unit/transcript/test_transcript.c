/* Known answers and the contract of lib/transcript/transcript.h: words, confidences, alternatives.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "subject.h"
#include "support/suite.h"

START_TEST(test_words)
{
    /* Tokens join to words, the first begins one without a space too, a lone mark belongs to the
     * text after it, spaces elsewhere and words without text vanish. */
    static const struct {
        const char *script, *text, *words;
    } cases[] = {
        {" hel@3|lo@5| world@9", "hello world", "hello[240,480] world[720,800]"},
        {"hel@0|lo@1", "hello", "hello[0,160]"},
        {" @2|a@3| @5| b@6", "a b", "a[160,320] b[480,560]"},
        {" a b @2|  c@4", "ab c", "ab[160,240] c[320,400]"},
        {" a@7|@8| b@9", "a b", "a[560,720] b[720,800]"},
        {" a@4| b@4| c@4", "a b c", "a[320,400] b[400,400] c[400,400]"},
        {" \xC3\xA9t\xC3\xA9@1|'s@2", "\xC3\xA9t\xC3\xA9's", "\xC3\xA9t\xC3\xA9's[80,240]"},
    };
    transcript *self = subject_create(subject_defaults);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spoken_segment(self, cases[i].script, 20);
        transcript_finish(self);
        const steno_result *result = subject_final(self);
        const steno_alternative *best = result->alternatives;
        ck_assert_str_eq(best->text, cases[i].text);
        ck_assert_str_eq(spoken_words(best), cases[i].words);
        ck_assert_uint_eq(result->start_ms, best->words[0].start_ms);
        ck_assert_uint_eq(result->end_ms, best->words[best->word_count - 1].end_ms);
        ck_assert_uint_eq(result->audio_ms, 1600);
        ck_assert(!result->endpoint);
        subject_no_final(self);
        transcript_reset(self);
    }
    transcript_destroy(self);
}
END_TEST

START_TEST(test_nothing_said)
{
    transcript *self = subject_create(subject_defaults);
    transcript_segment(self, NULL, 0, 5);
    spoken_segment(self, "", 10);
    spoken_segment(self, " @11| @12", 20);
    spoken_advance(self, NULL, 0, 100, 100);
    subject_no_final(self);
    subject_no_interim(self);
    spoken_advance(self, "", 0, 200, 200);
    subject_no_final(self);
    subject_no_interim(self);
    transcript_finish(self);
    subject_no_final(self);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_confidence)
{
    /* the: in all three (at a neighbouring frame in the last), sqrt(0.9 * 0.4) = 0.6.
     * cat: in the first, and in the second far away, which doesn't count: 0.5 * 0.8.
     * sat: in the first and third: (0.5 + 0.2) * 1. */
    spoken given[3];
    spoken_make(given + 0, 0.5f, " t@2*0.9|he@3*0.4| cat@6*0.8| sat@9");
    spoken_make(given + 1, 0.3f, " the@3| hat@6| sad@9| cat@12");
    spoken_make(given + 2, 0.2f, " the@4| rat@6| sat@8");
    transcript_options options = subject_defaults;
    options.max_alternatives = 2;
    transcript *self = subject_create(options);
    subject_segment(self, given, 3, 20);
    transcript_finish(self);
    const steno_result *result = subject_final(self);
    ck_assert_uint_eq(result->alternative_count, 2);
    const steno_alternative *best = result->alternatives, *second = best + 1;
    ck_assert_str_eq(best->text, "the cat sat");
    ck_assert_float_eq_tol(best->words[0].confidence, 0.6f, 1e-6f); /* float rounding, as below */
    ck_assert_float_eq_tol(best->words[1].confidence, 0.4f, 1e-6f);
    ck_assert_float_eq_tol(best->words[2].confidence, 0.7f, 1e-6f);
    ck_assert_float_eq_tol(best->confidence, (0.6f + 0.4f + 0.7f) / 3, 1e-6f);
    ck_assert_str_eq(second->text, "the hat sad cat");
    ck_assert_float_eq_tol(second->words[0].confidence, 1, 1e-6f);
    ck_assert_float_eq_tol(second->words[1].confidence, 0.3f, 1e-6f);
    transcript_destroy(self);
}
END_TEST

/* A word loses what the variations without it have, and no more, however many there are elsewhere.
 */
START_TEST(test_confidence_with_variations)
{
    static const char *const scripts[] = {" a@1| b@3| c@5| d@7", " x@1| b@3| c@5| d@7",
        " a@1| y@3| c@5| d@7", " a@1| b@3| z@5| d@7", " a@1| b@3| d@7"};
    static const float posteriors[] = {0.9f, 0.4f, 0.3f, 0.2f, 0.1f};
    spoken said[6];
    transcript_hypothesis hypotheses[6];
    for (size_t i = 0; i < 5; i++) {
        spoken_make(&said[i], posteriors[i], scripts[i]);
        hypotheses[i] = spoken_hypothesis(&said[i]);
        hypotheses[i].is_variation = i > 0;
    }
    spoken_make(&said[5], 0.1f, " a@1| b@3| c@5| w@7");
    hypotheses[5] = spoken_hypothesis(&said[5]);
    transcript *self = subject_create(subject_defaults);
    transcript_segment(self, hypotheses, 6, 9);
    transcript_finish(self);
    const steno_alternative *best = subject_final(self)->alternatives;
    static const float confidences[] = {0.6f, 0.7f, 0.7f, 0.9f};
    ck_assert_uint_eq(best->word_count, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_float_eq_tol(best->words[i].confidence, confidences[i], 1e-6f);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_confidence_of_bad_numbers)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, -1, 0, 2, 1e-40f};
    transcript *self = subject_create(subject_defaults);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            spoken given[2];
            spoken_make(given + 0, values[i], " a@1|b@2| c@3");
            spoken_make(given + 1, values[j], " ab@1| c@4");
            given[0].tokens[0].probability = values[j];
            given[0].tokens[2].probability = values[i];
            subject_segment(self, given, 2, 20);
            transcript_finish(self);
            const steno_alternative *best = subject_final(self)->alternatives;
            ck_assert_str_eq(best->text, "ab c");
            for (size_t k = 0; k < 2; k++)
                ck_assert(best->words[k].confidence >= 0 && best->words[k].confidence <= 1);
            ck_assert(best->confidence >= 0 && best->confidence <= 1);
            transcript_reset(self);
        }
    }
    transcript_destroy(self);
}
END_TEST

START_TEST(test_alternatives_of_one_segment)
{
    /* The fourth reads like the second: together they come before the third.  The last, empty, is
     * no alternative. */
    spoken given[5];
    spoken_make(given + 0, 0.4f, " a@1| b@2");
    spoken_make(given + 1, 0.2f, " a@1| c@2");
    spoken_make(given + 2, 0.25f, " d@1");
    spoken_make(given + 3, 0.1f, " @1|a@1| c@3");
    spoken_make(given + 4, 0.05f, "");
    transcript_options options = subject_defaults;
    options.max_alternatives = 10;
    transcript *self = subject_create(options);
    subject_segment(self, given, 5, 20);
    transcript_finish(self);
    const steno_result *result = subject_final(self);
    ck_assert_uint_eq(result->alternative_count, 3);
    ck_assert_str_eq(result->alternatives[0].text, "a b");
    ck_assert_str_eq(result->alternatives[1].text, "a c");
    ck_assert_str_eq(result->alternatives[2].text, "d");
    ck_assert_str_eq(spoken_words(result->alternatives + 1), "a[80,160] c[160,240]");
    transcript_destroy(self);
}
END_TEST

START_TEST(test_alternatives_across_segments)
{
    /* Products: 0.6*0.7 = 0.42 a c, 0.4*0.7 = 0.28 b c, 0.6*0.3 = 0.18 a d, 0.12 b d. */
    spoken first[2], second[2];
    spoken_make(first + 0, 0.6f, " a@1");
    spoken_make(first + 1, 0.4f, " b@1");
    spoken_make(second + 0, 0.7f, " c@9");
    spoken_make(second + 1, 0.3f, " d@9");
    static const char *const expected[] = {"a c", "b c", "a d", "b d"};
    for (uint32_t most = 1; most <= 6; most++) {
        transcript_options options = subject_defaults;
        options.max_alternatives = most;
        transcript *self = subject_create(options);
        subject_segment(self, first, 2, 5);
        subject_segment(self, second, 2, 15);
        transcript_finish(self);
        const steno_result *result = subject_final(self);
        ck_assert_uint_eq(result->alternative_count, most < 4 ? most : 4);
        for (size_t i = 0; i < result->alternative_count; i++)
            ck_assert_str_eq(result->alternatives[i].text, expected[i]);
        transcript_destroy(self);
    }
}
END_TEST

START_TEST(test_alternatives_that_meet)
{
    /* "a" + "b c" and "a b" + "c" read the same: one alternative, not two.  The search's first
     * hypothesis is first even where its posterior isn't the greatest. */
    spoken first[2], second[2];
    spoken_make(first + 0, 0.3f, " a@1");
    spoken_make(first + 1, 0.7f, " a@1| b@3");
    spoken_make(second + 0, 0.5f, " b@8| c@9");
    spoken_make(second + 1, 0.5f, " c@9");
    transcript_options options = subject_defaults;
    options.max_alternatives = 4;
    transcript *self = subject_create(options);
    subject_segment(self, first, 2, 5);
    subject_segment(self, second, 2, 15);
    transcript_finish(self);
    const steno_result *result = subject_final(self);
    ck_assert_uint_eq(result->alternative_count, 3);
    ck_assert_str_eq(result->alternatives[0].text, "a b c");
    ck_assert_str_eq(spoken_words(result->alternatives), "a[80,160] b[640,720] c[720,800]");
    ck_assert_str_eq(result->alternatives[1].text, "a c");
    ck_assert_str_eq(result->alternatives[2].text, "a b b c");
    transcript_destroy(self);
}
END_TEST

START_TEST(test_long_tokens_are_cut)
{
    /* 47 bytes and a character of three: the cut falls before it.  Ill-formed bytes are cut anyhow.
     */
    char token[200] = " ";
    memset(token + 1, 'x', 46);
    memcpy(token + 47, "\xE2\x82\xAC\xE2\x82\xAC", 7);
    transcript *self = subject_create(subject_defaults);
    transcript_token tokens[] = {{token, 1, 1}, {" b", 3, 1}};
    transcript_hypothesis hypothesis = {tokens, 2, 1, false};
    transcript_segment(self, &hypothesis, 1, 5);
    transcript_finish(self);
    const steno_alternative *best = subject_final(self)->alternatives;
    ck_assert_uint_eq(best->word_count, 2);
    ck_assert_uint_eq(strlen(best->words[0].text), 46);
    ck_assert_str_eq(best->words[1].text, "b");

    memset(token, 0x80, sizeof token - 1);
    transcript_segment(self, &hypothesis, 1, 9);
    transcript_finish(self);
    best = subject_final(self)->alternatives;
    ck_assert_uint_ge(strlen(best->words[0].text), 44);
    ck_assert_uint_le(strlen(best->words[0].text), TRANSCRIPT_TOKEN_BYTES);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_times_never_run_backwards)
{
    /* The next segment's tokens lie before the last final's end. */
    transcript *self = subject_create(subject_defaults);
    spoken_segment(self, " a@9", 10);
    transcript_finish(self);
    ck_assert_uint_eq(subject_final(self)->end_ms, 800);
    spoken_advance(self, " b@5| c@10", 0, 11, 0);
    ck_assert_str_eq(spoken_words(subject_interim(self)->alternatives), "b[800,800] c[800,880]");
    spoken_segment(self, " b@5| c@10", 12);
    transcript_finish(self);
    const steno_result *result = subject_final(self);
    ck_assert_str_eq(spoken_words(result->alternatives), "b[800,800] c[800,880]");
    ck_assert_uint_ge(result->audio_ms, 12 * 80);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_reset)
{
    transcript *used = subject_create(subject_defaults), *fresh = subject_create(subject_defaults);
    spoken_segment(used, " one@30| two@40", 45);
    spoken_advance(used, " three@50", 1, 51, 0);
    subject_interim(used);
    spoken_segment(used, " three@70", 76);
    /* a final waits, words are gathered, an interim was taken */
    transcript_reset(used);
    subject_no_final(used);
    subject_no_interim(used);
    for (int i = 0; i < 2; i++) {
        transcript *self = i ? fresh : used;
        spoken_advance(self, " three@2", 1, 3, 0);
        const steno_result *result = subject_interim(self);
        ck_assert_str_eq(spoken_words(result->alternatives), "three[160,240]");
        ck_assert_uint_eq(result->audio_ms, 240);
        spoken_segment(self, " three@2", 8);
        transcript_finish(self);
        result = subject_final(self);
        ck_assert_str_eq(spoken_words(result->alternatives), "three[160,240]");
        ck_assert_uint_eq(result->audio_ms, 640);
    }
    transcript_destroy(used);
    transcript_destroy(fresh);
}
END_TEST

START_TEST(test_arguments)
{
    static const struct {
        transcript_options options;
        size_t tokens, hypotheses;
        const char *name;
    } cases[] = {
        {{true, 800, 0, 1, 80}, 8, 8, "max_utterance_ms"},
        {{true, 800, TRANSCRIPT_MAX_UTTERANCE_MS + 1, 1, 80}, 8, 8, "max_utterance_ms"},
        {{true, 800, 20000, 0, 80}, 8, 8, "max_alternatives"},
        {{true, 800, 20000, TRANSCRIPT_MAX_ALTERNATIVES + 1, 80}, 8, 8, "max_alternatives"},
        {{true, 800, 20000, 1, 0}, 8, 8, "frame_ms"},
        {{true, 800, 20000, 1, 1001}, 8, 8, "frame_ms"},
        {{true, 800, 20000, 1, 80}, 0, 8, "max_tokens"},
        {{true, 800, 20000, 1, 80}, SIZE_MAX, 8, "max_tokens"},
        {{true, 800, 20000, 1, 80}, 8, 0, "max_hypotheses"},
        {{true, 800, 20000, 1, 80}, 8, SIZE_MAX, "max_hypotheses"},
    };
    size_t alive = memory_alive();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        transcript *made = NULL;
        steno_error error;
        ck_assert_int_eq(transcript_create(&cases[i].options, cases[i].tokens, cases[i].hypotheses,
                             &made, &error),
            STENO_ERROR_ARGUMENT);
        ck_assert_int_eq(error.status, STENO_ERROR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(error.message, cases[i].name));
        ck_assert_ptr_null(made);
    }
    transcript_destroy(NULL);
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

START_TEST(test_allocation_failures)
{
    size_t alive = memory_alive(), failures = 0;
    transcript *made = NULL;
    for (uint64_t i = 1;; i++) {
        memory_fail_at(memory_attempts() + i);
        steno_error error;
        steno_status status = transcript_create(&subject_defaults, 16, 4, &made, &error);
        memory_fail_at(0);
        if (status == STENO_OK)
            break;
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_int_eq(error.status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(made);
        ck_assert_uint_eq(memory_alive(), alive);
        failures++;
    }
    ck_assert_uint_ge(failures, 10);

    /* Nothing is allocated while it works. */
    uint64_t attempts = memory_attempts();
    spoken_segment(made, " one@3", 8);
    spoken_advance(made, " two@9", 0, 10, 0);
    subject_interim(made);
    transcript_finish(made);
    subject_final(made);
    ck_assert_uint_eq(memory_attempts(), attempts);
    transcript_destroy(made);
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transcript");
    TCase *tests = tcase_create("transcript");
    tcase_add_test(tests, test_words);
    tcase_add_test(tests, test_nothing_said);
    tcase_add_test(tests, test_confidence);
    tcase_add_test(tests, test_confidence_with_variations);
    tcase_add_test(tests, test_confidence_of_bad_numbers);
    tcase_add_test(tests, test_alternatives_of_one_segment);
    tcase_add_test(tests, test_alternatives_across_segments);
    tcase_add_test(tests, test_alternatives_that_meet);
    tcase_add_test(tests, test_long_tokens_are_cut);
    tcase_add_test(tests, test_times_never_run_backwards);
    tcase_add_test(tests, test_reset);
    tcase_add_test(tests, test_arguments);
    tcase_add_test(tests, test_allocation_failures);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
