/* Known answers and the contract of lib/transcript/transcript.h. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "spoken.h"

static const transcript_options defaults = {
    .endpointing = true,
    .endpoint_ms = 800,
    .max_utterance_ms = 20000,
    .max_alternatives = 1,
    .frame_ms = 80,
};

static transcript *create(transcript_options options)
{
    transcript *made = NULL;
    steno_error error;
    ck_assert_int_eq(transcript_create(&options, SPOKEN_TOKENS, 8, &made, &error), STENO_OK);
    return made;
}

static const steno_result *take_final(transcript *self)
{
    const steno_result *result = NULL;
    ck_assert_int_eq(transcript_take_final(self, &result), STENO_OK);
    ck_assert(result->is_final);
    ck_assert_uint_ge(result->alternative_count, 1);
    ck_assert_uint_eq(result->stable_words, result->alternatives[0].word_count);
    ck_assert_float_eq(result->stability, 1);
    return result;
}

static const steno_result *take_interim(transcript *self)
{
    const steno_result *result = NULL;
    ck_assert_int_eq(transcript_take_interim(self, &result), STENO_OK);
    ck_assert(!result->is_final && !result->endpoint);
    ck_assert_uint_eq(result->alternative_count, 1);
    return result;
}

static void ck_no_final(transcript *self)
{
    const steno_result *result;
    ck_assert_int_eq(transcript_take_final(self, &result), STENO_AGAIN);
}

static void ck_no_interim(transcript *self)
{
    const steno_result *result;
    ck_assert_int_eq(transcript_take_interim(self, &result), STENO_AGAIN);
}

static void segment_of(transcript *self, const spoken *hypotheses, size_t count, uint64_t end_frame)
{
    transcript_hypothesis given[8];
    for (size_t i = 0; i < count; i++)
        given[i] = spoken_hypothesis(hypotheses + i);
    transcript_segment(self, given, count, end_frame);
}

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
    transcript *self = create(defaults);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spoken_segment(self, cases[i].script, 20);
        transcript_finish(self);
        const steno_result *result = take_final(self);
        const steno_alternative *best = result->alternatives;
        ck_assert_str_eq(best->text, cases[i].text);
        ck_assert_str_eq(spoken_words(best), cases[i].words);
        ck_assert_uint_eq(result->start_ms, best->words[0].start_ms);
        ck_assert_uint_eq(result->end_ms, best->words[best->word_count - 1].end_ms);
        ck_assert_uint_eq(result->audio_ms, 1600);
        ck_assert(!result->endpoint);
        ck_no_final(self);
        transcript_reset(self);
    }
    transcript_destroy(self);
}
END_TEST

START_TEST(test_nothing_said)
{
    transcript *self = create(defaults);
    transcript_segment(self, NULL, 0, 5);
    spoken_segment(self, "", 10);
    spoken_segment(self, " @11| @12", 20);
    spoken_advance(self, NULL, 0, 100, 100);
    ck_no_final(self);
    ck_no_interim(self);
    spoken_advance(self, "", 0, 200, 200);
    ck_no_final(self);
    ck_no_interim(self);
    transcript_finish(self);
    ck_no_final(self);
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
    transcript_options options = defaults;
    options.max_alternatives = 2;
    transcript *self = create(options);
    segment_of(self, given, 3, 20);
    transcript_finish(self);
    const steno_result *result = take_final(self);
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

START_TEST(test_confidence_of_bad_numbers)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, -1, 0, 2, 1e-40f};
    transcript *self = create(defaults);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            spoken given[2];
            spoken_make(given + 0, values[i], " a@1|b@2| c@3");
            spoken_make(given + 1, values[j], " ab@1| c@4");
            given[0].tokens[0].probability = values[j];
            given[0].tokens[2].probability = values[i];
            segment_of(self, given, 2, 20);
            transcript_finish(self);
            const steno_alternative *best = take_final(self)->alternatives;
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
    transcript_options options = defaults;
    options.max_alternatives = 10;
    transcript *self = create(options);
    segment_of(self, given, 5, 20);
    transcript_finish(self);
    const steno_result *result = take_final(self);
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
        transcript_options options = defaults;
        options.max_alternatives = most;
        transcript *self = create(options);
        segment_of(self, first, 2, 5);
        segment_of(self, second, 2, 15);
        transcript_finish(self);
        const steno_result *result = take_final(self);
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
    transcript_options options = defaults;
    options.max_alternatives = 4;
    transcript *self = create(options);
    segment_of(self, first, 2, 5);
    segment_of(self, second, 2, 15);
    transcript_finish(self);
    const steno_result *result = take_final(self);
    ck_assert_uint_eq(result->alternative_count, 3);
    ck_assert_str_eq(result->alternatives[0].text, "a b c");
    ck_assert_str_eq(spoken_words(result->alternatives), "a[80,160] b[640,720] c[720,800]");
    ck_assert_str_eq(result->alternatives[1].text, "a c");
    ck_assert_str_eq(result->alternatives[2].text, "a b b c");
    transcript_destroy(self);
}
END_TEST

START_TEST(test_endpoint)
{
    transcript *self = create(defaults);
    spoken_segment(self, " one@3", 8);
    ck_no_final(self);
    spoken_advance(self, NULL, 0, 13, 9); /* 720 ms */
    ck_no_final(self);
    spoken_advance(self, " t@12", 0, 14, 10); /* 800 ms, but somebody is speaking again */
    ck_no_final(self);
    spoken_advance(self, "", 0, 14, 10);
    const steno_result *result = take_final(self);
    ck_assert(result->endpoint);
    ck_assert_str_eq(result->alternatives[0].text, "one");
    ck_assert_uint_eq(result->audio_ms, 14 * 80);
    ck_no_final(self);
    spoken_advance(self, NULL, 0, 100, 96); /* never an empty final */
    ck_no_final(self);
    transcript_finish(self);
    ck_no_final(self);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_endpoint_waits_for_the_segment)
{
    transcript_options options = defaults;
    options.endpoint_ms = 160;
    transcript *self = create(options);
    spoken_advance(self, " one@3", 1, 8, 4);
    ck_no_final(self);
    spoken_segment(self, " one@3", 10);
    ck_no_final(self);
    spoken_advance(self, NULL, 0, 10, 6);
    ck_assert(take_final(self)->endpoint);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_endpoint_between_segments)
{
    /* Two segments in one step of the search: a pause of 10 frames parts them, one of 9 does
     * not. */
    transcript *self = create(defaults);
    spoken_segment(self, " one@3", 8);
    ck_no_final(self);
    spoken_segment(self, " two@14", 19);
    const steno_result *result = take_final(self);
    ck_assert(result->endpoint);
    ck_assert_str_eq(result->alternatives[0].text, "one");
    ck_assert_uint_eq(result->audio_ms, 8 * 80);
    spoken_segment(self, " three@24", 30);
    ck_no_final(self);
    transcript_finish(self);
    result = take_final(self);
    ck_assert_str_eq(spoken_words(result->alternatives), "two[1120,1200] three[1920,2000]");
    ck_assert(!result->endpoint);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_endpointing_off)
{
    transcript_options options = defaults;
    options.endpointing = false;
    options.endpoint_ms = 0;
    transcript *self = create(options);
    spoken_segment(self, " one@3", 8);
    spoken_advance(self, NULL, 0, 100, 96);
    ck_no_final(self);
    spoken_segment(self, " two@120", 130);
    ck_no_final(self);
    spoken_advance(self, NULL, 0, 140, 19);
    transcript_finish(self);
    ck_assert_str_eq(take_final(self)->alternatives[0].text, "one two");
    transcript_destroy(self);
}
END_TEST

START_TEST(test_max_utterance)
{
    /* From the first word's start, 80 ms, to the last word's end: 1920 ms isn't enough, 2000 is. */
    transcript_options options = defaults;
    options.max_utterance_ms = 2000;
    transcript *self = create(options);
    spoken_segment(self, " a@1| b@8", 13);
    ck_no_final(self);
    spoken_segment(self, " c@15| d@24", 30);
    ck_no_final(self);
    spoken_segment(self, " e@25", 31);
    const steno_result *result = take_final(self);
    ck_assert(!result->endpoint);
    ck_assert_str_eq(result->alternatives[0].text, "a b c d e");
    spoken_advance(self, NULL, 0, 50, 24);
    ck_no_final(self);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_two_finals_due_at_once)
{
    /* The second segment both shows the endpoint before it and fills its own utterance: its final
     * follows in the next call, whichever that is. */
    transcript_options options = defaults;
    options.max_utterance_ms = 800;
    for (int next = 0; next < 3; next++) {
        transcript *self = create(options);
        spoken_segment(self, " a@1", 6);
        spoken_segment(self, " b@20| c@30", 36);
        ck_assert_str_eq(take_final(self)->alternatives[0].text, "a");
        ck_no_final(self);
        if (next == 0)
            spoken_advance(self, NULL, 0, 36, 5);
        else if (next == 1)
            spoken_segment(self, " d@37", 42);
        else
            transcript_finish(self);
        const steno_result *result = take_final(self);
        ck_assert_str_eq(result->alternatives[0].text, "b c");
        ck_assert(!result->endpoint);
        transcript_finish(self);
        if (next == 1)
            ck_assert_str_eq(take_final(self)->alternatives[0].text, "d");
        ck_no_final(self);
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
    transcript_options options = defaults;
    options.max_utterance_ms = 800;
    options.max_alternatives = _i == 0 ? 1 : 3; /* alone, the first hypothesis has no spare room */
    transcript *self = create(options);
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
            transcript_hypothesis hypotheses[3] = {
                {tokens, count, 0.5f}, {tokens, count - 1, 0.3f}, {tokens, count / 2, 0.2f}};
            transcript_segment(self, hypotheses, 3, 6);
            given += count;
            taken += final_words(self);
        }
        /* The running segment needs its room too. */
        transcript_hypothesis running = {tokens, SPOKEN_TOKENS, 1};
        transcript_advance(self, &running, 1, 0, 6, 0);
        taken += final_words(self);
    }
    transcript_finish(self);
    taken += final_words(self);
    ck_assert_uint_eq(taken, given);
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
    transcript *self = create(defaults);
    transcript_token tokens[] = {{token, 1, 1}, {" b", 3, 1}};
    transcript_hypothesis hypothesis = {tokens, 2, 1};
    transcript_segment(self, &hypothesis, 1, 5);
    transcript_finish(self);
    const steno_alternative *best = take_final(self)->alternatives;
    ck_assert_uint_eq(best->word_count, 2);
    ck_assert_uint_eq(strlen(best->words[0].text), 46);
    ck_assert_str_eq(best->words[1].text, "b");

    memset(token, 0x80, sizeof token - 1);
    transcript_segment(self, &hypothesis, 1, 9);
    transcript_finish(self);
    best = take_final(self)->alternatives;
    ck_assert_uint_ge(strlen(best->words[0].text), 44);
    ck_assert_uint_le(strlen(best->words[0].text), TRANSCRIPT_TOKEN_BYTES);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_times_never_run_backwards)
{
    /* The next segment's tokens lie before the last final's end. */
    transcript *self = create(defaults);
    spoken_segment(self, " a@9", 10);
    transcript_finish(self);
    ck_assert_uint_eq(take_final(self)->end_ms, 800);
    spoken_advance(self, " b@5| c@10", 0, 11, 0);
    ck_assert_str_eq(spoken_words(take_interim(self)->alternatives), "b[800,800] c[800,880]");
    spoken_segment(self, " b@5| c@10", 12);
    transcript_finish(self);
    const steno_result *result = take_final(self);
    ck_assert_str_eq(spoken_words(result->alternatives), "b[800,800] c[800,880]");
    ck_assert_uint_ge(result->audio_ms, 12 * 80);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_interim)
{
    transcript *self = create(defaults);
    ck_no_interim(self);
    spoken_advance(self, " hel@3", 1, 5, 1);
    const steno_result *result = take_interim(self);
    ck_assert_str_eq(spoken_words(result->alternatives), "hel[240,320]");
    ck_assert_uint_eq(result->stable_words, 0); /* the word might go on */
    ck_assert_float_eq(result->stability, 0);
    ck_assert_uint_eq(result->audio_ms, 400);
    ck_assert_uint_eq(result->start_ms, 240);
    ck_assert_uint_eq(result->end_ms, 320);
    ck_no_interim(self);

    spoken_advance(self, " hel@3", 1, 6, 2); /* nothing changed */
    ck_no_interim(self);
    spoken_advance(self, " hel@3|lo@4| wor@7", 2, 8, 0);
    result = take_interim(self);
    ck_assert_str_eq(result->alternatives[0].text, "hello wor");
    ck_assert_uint_eq(result->stable_words, 0); /* what follows "lo" isn't settled */
    spoken_advance(self, " hel@3|lo@4| wor@7", 3, 9, 0);
    result = take_interim(self); /* only what is settled changed */
    ck_assert_uint_eq(result->stable_words, 1);
    ck_assert_float_eq(result->stability, 0.5f);
    spoken_advance(self, " hel@3|lo@4| wor@8", 3, 10, 0);
    result = take_interim(self); /* only a time changed */
    ck_assert_uint_eq(result->alternatives[0].words[1].start_ms, 640);

    spoken_segment(self, " hel@3|lo@4| world@8", 15);
    ck_no_final(self);
    spoken_advance(self, " a@16| b@17| c@18", 2, 19, 0);
    result = take_interim(self);
    ck_assert_str_eq(result->alternatives[0].text, "hello world a b c");
    ck_assert_uint_eq(result->stable_words, 3);
    ck_assert_float_eq(result->stability, 0.6f);
    spoken_advance(self, " a@16| b@17| c@18", 100, 19, 0);
    ck_assert_uint_eq(take_interim(self)->stable_words, 4);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_interim_confidence)
{
    spoken given[2];
    spoken_make(given + 0, 0.6f, " a@1*0.5| b@2");
    spoken_make(given + 1, 0.3f, " a@1| c@2");
    transcript_hypothesis hypotheses[] = {spoken_hypothesis(given), spoken_hypothesis(given + 1)};
    transcript *self = create(defaults);
    transcript_advance(self, hypotheses, 2, 1, 4, 0);
    const steno_alternative *best = take_interim(self)->alternatives;
    ck_assert_float_eq_tol(best->words[0].confidence, 0.45f, 1e-6f); /* float rounding */
    ck_assert_float_eq_tol(best->words[1].confidence, 0.6f, 1e-6f);
    ck_assert_float_eq_tol(best->confidence, 0.525f, 1e-6f);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_final_ends_interim)
{
    transcript_options options = defaults;
    options.max_utterance_ms = 400;
    transcript *self = create(options);
    spoken_advance(self, " a@1| b@9", 0, 10, 0);
    spoken_segment(self, " a@1| b@9", 12);
    take_final(self);
    ck_no_interim(self); /* its words are final */
    spoken_advance(self, " c@13", 0, 14, 0);
    ck_assert_str_eq(take_interim(self)->alternatives[0].text, "c");
    spoken_segment(self, " c@13", 18);
    spoken_advance(self, NULL, 0, 24, 10);
    ck_assert(take_final(self)->endpoint);
    ck_no_interim(self);
    spoken_advance(self, " c@13", 0, 26, 0); /* reads like the last one taken, but is new */
    ck_assert_str_eq(take_interim(self)->alternatives[0].text, "c");
    spoken_advance(self, " d@26", 0, 27, 0);
    transcript_finish(self);
    ck_no_final(self);
    ck_no_interim(self);
    transcript_destroy(self);
}
END_TEST

START_TEST(test_reset)
{
    transcript *used = create(defaults), *fresh = create(defaults);
    spoken_segment(used, " one@30| two@40", 45);
    spoken_advance(used, " three@50", 1, 51, 0);
    take_interim(used);
    spoken_segment(used, " three@70", 76);
    /* a final waits, words are gathered, an interim was taken */
    transcript_reset(used);
    ck_no_final(used);
    ck_no_interim(used);
    for (int i = 0; i < 2; i++) {
        transcript *self = i ? fresh : used;
        spoken_advance(self, " three@2", 1, 3, 0);
        const steno_result *result = take_interim(self);
        ck_assert_str_eq(spoken_words(result->alternatives), "three[160,240]");
        ck_assert_uint_eq(result->audio_ms, 240);
        spoken_segment(self, " three@2", 8);
        transcript_finish(self);
        result = take_final(self);
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
        steno_status status = transcript_create(&defaults, 16, 4, &made, &error);
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
    take_interim(made);
    transcript_finish(made);
    take_final(made);
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
    tcase_add_test(tests, test_confidence_of_bad_numbers);
    tcase_add_test(tests, test_alternatives_of_one_segment);
    tcase_add_test(tests, test_alternatives_across_segments);
    tcase_add_test(tests, test_alternatives_that_meet);
    tcase_add_test(tests, test_endpoint);
    tcase_add_test(tests, test_endpoint_waits_for_the_segment);
    tcase_add_test(tests, test_endpoint_between_segments);
    tcase_add_test(tests, test_endpointing_off);
    tcase_add_test(tests, test_max_utterance);
    tcase_add_test(tests, test_two_finals_due_at_once);
    tcase_add_loop_test(tests, test_memory_is_full, 0, 2);
    tcase_add_test(tests, test_long_tokens_are_cut);
    tcase_add_test(tests, test_times_never_run_backwards);
    tcase_add_test(tests, test_interim);
    tcase_add_test(tests, test_interim_confidence);
    tcase_add_test(tests, test_final_ends_interim);
    tcase_add_test(tests, test_reset);
    tcase_add_test(tests, test_arguments);
    tcase_add_test(tests, test_allocation_failures);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
