/* Requests in Google's messages: those written by hand are understood, and what is wrong is named.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "fixture.h"
#include "support/suite.h"

/* Google. */

START_TEST(test_google_config)
{
    basic();
    bytes_number(&config, 4, 3);
    bytes_number(&config, 7, 2);
    bytes_number(&config, 8, 1);
    bytes_number(&config, 12, 1);
    bytes_text(&config, 13, "latest_long");
    bytes_number(&config, 15, 1);
    bytes_text(&part, 1, "steno");
    bytes_text(&part, 1, "  ");
    bytes_text(&part, 1, "$DIGITS");
    bytes_float(&part, 4, 7.5f);
    bytes_message(&config, 6, &part);
    part.size = 0;
    bytes_text(&part, 1, "usual");
    bytes_message(&config, 6, &part);
    bytes_text(&config, 777, "a field of the future");
    bytes_message(&streaming, 1, &config);
    bytes_number(&streaming, 2, 1);
    bytes_number(&streaming, 3, 1);
    bytes_number(&streaming, 5, 1);
    bytes duration = {.size = 0}, timeout = {.size = 0};
    bytes_number(&duration, 1, 3);
    bytes_number(&duration, 2, 250000000);
    bytes_message(&timeout, 2, &duration);
    bytes_message(&streaming, 6, &timeout);
    bytes_message(&message, 1, &streaming);
    understand(wire_google.read_streaming);

    ck_assert_int_eq(request.part, WIRE_CONFIG);
    const wire_config *c = &request.config;
    ck_assert_int_eq(c->kind, STENO_AUDIO_RAW_OR_WAV);
    ck_assert_int_eq(c->raw.encoding, STENO_ENCODING_S16);
    ck_assert_uint_eq(c->raw.rate_hz, 16000);
    ck_assert_uint_eq(c->raw.channels, 2);
    ck_assert_str_eq(c->language, "en-us");
    ck_assert_uint_eq(c->max_alternatives, 3);
    ck_assert(c->per_channel && c->word_times && c->word_confidence);
    ck_assert(c->interim && c->single_utterance && c->activity && !c->no_endpointing);
    ck_assert_uint_eq(c->speech_start_timeout_ms, 0);
    ck_assert_uint_eq(c->speech_end_timeout_ms, 3250);
    ck_assert_uint_eq(c->phrase_count, 2);
    ck_assert_str_eq(c->phrases[0].text, "steno");
    ck_assert_float_eq(c->phrases[0].boost, 7.5f);
    ck_assert_str_eq(c->phrases[1].text, "usual");
    ck_assert_float_gt(c->phrases[1].boost, 0);
}
END_TEST

START_TEST(test_google_defaults)
{
    basic();
    wrap();
    understand(wire_google.read_streaming);
    const wire_config *c = &request.config;
    ck_assert_uint_eq(c->max_alternatives, 1);
    ck_assert_uint_eq(c->raw.channels, 0);
    ck_assert_uint_eq(c->chunk_ms + c->endpoint_ms + c->max_utterance_ms, 0);
    ck_assert(!c->interim && !c->single_utterance && !c->activity && !c->per_channel);
    ck_assert(!c->word_times && !c->word_confidence && !c->interim_words);
    ck_assert_uint_eq(c->phrase_count, 0);
}
END_TEST

START_TEST(test_google_adaptation)
{
    basic();
    bytes phrase = {.size = 0}, set = {.size = 0}, adaptation = {.size = 0};
    bytes_text(&phrase, 1, "own");
    bytes_float(&phrase, 2, 3);
    bytes_message(&set, 2, &phrase);
    phrase.size = 0;
    bytes_text(&phrase, 1, "of the set");
    bytes_message(&set, 2, &phrase);
    bytes_float(&set, 4, 99);
    bytes_message(&adaptation, 1, &set);
    bytes_message(&config, 20, &adaptation);
    /* What it takes the place of. */
    bytes_text(&part, 1, "context");
    bytes_message(&config, 6, &part);
    wrap();
    understand(wire_google.read_streaming);
    ck_assert_uint_eq(request.config.phrase_count, 2);
    ck_assert_float_eq(request.config.phrases[0].boost, 3);
    ck_assert_str_eq(request.config.phrases[1].text, "of the set");
    ck_assert_float_eq(request.config.phrases[1].boost, 20);
}
END_TEST

START_TEST(test_google_encodings)
{
    static const struct {
        int number;
        steno_audio_kind kind;
    } right[] = {{0, STENO_AUDIO_AUTO}, {1, STENO_AUDIO_RAW_OR_WAV}, {2, STENO_AUDIO_FLAC},
        {3, STENO_AUDIO_RAW_OR_WAV}, {6, STENO_AUDIO_OGG_OPUS}, {8, STENO_AUDIO_MP3}};
    static const int wrong[] = {4, 5, 7, 9, 10, -1, 1 << 30};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        config.size = 0;
        bytes_number(&config, 1, right[i].number);
        bytes_number(&config, 2, 16000);
        wrap();
        understand(wire_google.read_streaming);
        ck_assert_int_eq(request.config.kind, right[i].kind);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config.size = 0;
        bytes_number(&config, 1, wrong[i]);
        bytes_number(&config, 2, 16000);
        wrap();
        refuse(wire_google.read_streaming, "encoding:");
    }
    /* Without a rate there must be a header. */
    config.size = 0;
    bytes_number(&config, 1, 1);
    wrap();
    understand(wire_google.read_streaming);
    ck_assert_int_eq(request.config.kind, STENO_AUDIO_WAV);
}
END_TEST

/* One field more, which is wrong. */
static void refuse_number(unsigned field, int64_t value, const char *name)
{
    basic();
    bytes_number(&config, field, value);
    wrap();
    refuse(wire_google.read_streaming, name);
}

static void refuse_text(unsigned field, const char *value, const char *name)
{
    basic();
    bytes_text(&config, field, value);
    wrap();
    refuse(wire_google.read_streaming, name);
}

START_TEST(test_google_validation)
{
    refuse_number(2, 7999, "sample_rate_hertz: 7999");
    refuse_number(2, 48001, "sample_rate_hertz: 48001");
    refuse_number(2, -16000, "sample_rate_hertz: -16000");
    refuse_number(4, 31, "max_alternatives: 31");
    refuse_number(4, -1, "max_alternatives: -1");
    refuse_number(7, 9, "audio_channel_count: 9");
    refuse_number(7, -1, "audio_channel_count: -1");
    refuse_text(3, "de", "language_code: \"de\"");
    refuse_text(3, "en-\x01\xff", "language_code: \"en-??\"");
    refuse_text(3, "english", "language_code");
    refuse_text(18, "fr", "alternative_language_codes");

    basic();
    bytes_text(&part, 2, "projects/p/phraseSets/s");
    bytes_message(&config, 20, &part);
    wrap();
    refuse(wire_google.read_streaming, "adaptation.phrase_set_references");

    basic();
    part.size = 0;
    for (int i = 0; i < 501; i++)
        bytes_text(&part, 1, "x");
    bytes_message(&config, 6, &part);
    wrap();
    refuse(wire_google.read_streaming, "speech_contexts: more than 500");

    static const float no_boosts[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        basic();
        part.size = 0;
        bytes_text(&part, 1, "x");
        bytes_float(&part, 4, no_boosts[i]);
        bytes_message(&config, 6, &part);
        wrap();
        refuse(wire_google.read_streaming, "speech_contexts: a boost");
    }

    message.size = 0;
    streaming.size = 0;
    bytes_message(&message, 1, &streaming);
    refuse(wire_google.read_streaming, "config: not given");
}
END_TEST

START_TEST(test_google_timeouts)
{
    static const int64_t wrong[][2] = {{-1, 0}, {0, -1}, {0, 1000000000}, {INT64_MIN, 0}};
    for (size_t i = 0; i < 5; i++) {
        bytes duration = {.size = 0}, timeout = {.size = 0};
        if (i < 4) {
            bytes_number(&duration, 1, wrong[i][0]);
            bytes_number(&duration, 2, wrong[i][1]);
        } else {
            bytes_number(&duration, 1, INT64_MAX);
        }
        bytes_message(&timeout, 1, &duration);
        basic();
        streaming.size = message.size = 0;
        bytes_message(&streaming, 1, &config);
        bytes_message(&streaming, 6, &timeout);
        bytes_message(&message, 1, &streaming);
        refuse(wire_google.read_streaming, "voice_activity_timeout: works with");
        bytes_number(&streaming, 5, 1);
        message.size = 0;
        bytes_message(&message, 1, &streaming);
        if (i < 4) {
            refuse(wire_google.read_streaming, "voice_activity_timeout.speech_start_timeout");
        } else {
            understand(wire_google.read_streaming);
            ck_assert_uint_gt(request.config.speech_start_timeout_ms, 1000000000);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_google");
    TCase *tests = tcase_create("wire_google");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, wire_fixture_setup, wire_fixture_teardown);
    tcase_add_test(tests, test_google_config);
    tcase_add_test(tests, test_google_defaults);
    tcase_add_test(tests, test_google_adaptation);
    tcase_add_test(tests, test_google_encodings);
    tcase_add_test(tests, test_google_validation);
    tcase_add_test(tests, test_google_timeouts);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
