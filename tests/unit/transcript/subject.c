#include "subject.h"

#include <check.h>

const transcript_options subject_defaults = {
    .endpointing = true,
    .endpoint_ms = 800,
    .max_utterance_ms = 20000,
    .max_alternatives = 1,
    .frame_ms = 80,
};

transcript *subject_create(transcript_options options)
{
    transcript *made = NULL;
    steno_error error;
    ck_assert_int_eq(transcript_create(&options, SPOKEN_TOKENS, 8, &made, &error), STENO_OK);
    return made;
}

const steno_result *subject_final(transcript *self)
{
    const steno_result *result = NULL;
    ck_assert_int_eq(transcript_take_final(self, &result), STENO_OK);
    ck_assert(result->is_final);
    ck_assert_uint_ge(result->alternative_count, 1);
    ck_assert_uint_eq(result->stable_words, result->alternatives[0].word_count);
    ck_assert_float_eq(result->stability, 1);
    return result;
}

const steno_result *subject_interim(transcript *self)
{
    const steno_result *result = NULL;
    ck_assert_int_eq(transcript_take_interim(self, &result), STENO_OK);
    ck_assert(!result->is_final && !result->endpoint);
    ck_assert_uint_eq(result->alternative_count, 1);
    return result;
}

void subject_no_final(transcript *self)
{
    const steno_result *result;
    ck_assert_int_eq(transcript_take_final(self, &result), STENO_AGAIN);
}

void subject_no_interim(transcript *self)
{
    const steno_result *result;
    ck_assert_int_eq(transcript_take_interim(self, &result), STENO_AGAIN);
}

void subject_segment(transcript *self, const spoken *hypotheses, size_t count, uint64_t end_frame)
{
    transcript_hypothesis given[8];
    for (size_t i = 0; i < count; i++)
        given[i] = spoken_hypothesis(hypotheses + i);
    transcript_segment(self, given, count, end_frame);
}
