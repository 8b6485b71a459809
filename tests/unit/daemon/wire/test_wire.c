/* Requests of all protocols: those written by hand are understood (test_wire_google.c has
 * Google's), and nothing hostile gets further than an error. */
#include <check.h>
#include <stdlib.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/suite.h"

START_TEST(test_audio)
{
    const reader readers[] = {wire_google.read_streaming, wire_steno.read_streaming,
        wire_riva.read_streaming, wire_vosk.read_streaming};
    for (size_t i = 0; i < 4; i++) {
        message.size = 0;
        bytes_block(&message, 2, "abc\0d", 5);
        readers[i](&request, message.data, message.size, &error);
        ck_assert_int_eq(request.part, WIRE_AUDIO);
        ck_assert_uint_eq(request.audio_size, 5);
        ck_assert_mem_eq(request.audio, "abc\0d", 5);
        message.size = 0;
        bytes_block(&message, 2, "", 0);
        understand(readers[i]);
        ck_assert_int_eq(request.part, WIRE_AUDIO);
        ck_assert_uint_eq(request.audio_size, 0);
        message.size = 0;
        understand(readers[i]);
        ck_assert_int_eq(request.part, WIRE_NOTHING);
    }
}
END_TEST

START_TEST(test_steno_options)
{
    basic();
    bytes_number(&part, 1, 320);
    bytes_number(&part, 2, 500);
    bytes_number(&part, 3, 7000);
    bytes_number(&part, 4, 1);
    bytes_number(&part, 5, 1);
    bytes_message(&streaming, 1, &config);
    bytes_message(&streaming, 100, &part);
    bytes_message(&message, 1, &streaming);
    understand(wire_steno.read_streaming);
    const wire_config *c = &request.config;
    ck_assert_uint_eq(c->chunk_ms, 320);
    ck_assert_uint_eq(c->endpoint_ms, 500);
    ck_assert_uint_eq(c->max_utterance_ms, 7000);
    ck_assert(c->no_endpointing && c->interim_words);
    /* Unknown to Google's service. */
    understand(wire_google.read_streaming);
    ck_assert_uint_eq(c->chunk_ms + c->endpoint_ms + c->max_utterance_ms, 0);
    ck_assert(!c->no_endpointing && !c->interim_words);

    message.size = part.size = 0;
    bytes_message(&message, 100, &part);
    understand(wire_steno.read_streaming);
    ck_assert_int_eq(request.part, WIRE_FLUSH);
    understand(wire_google.read_streaming);
    ck_assert_int_eq(request.part, WIRE_NOTHING);
}
END_TEST

START_TEST(test_steno_samples)
{
    static const steno_encoding encodings[] = {STENO_ENCODING_F32, STENO_ENCODING_ALAW};
    for (int i = 0; i < 2; i++) {
        config.size = streaming.size = message.size = part.size = 0;
        bytes_number(&config, 2, 96000);
        bytes_number(&part, 6, i + 1);
        bytes_message(&streaming, 1, &config);
        bytes_message(&streaming, 100, &part);
        bytes_message(&message, 1, &streaming);
        understand(wire_steno.read_streaming);
        ck_assert_int_eq(request.config.kind, STENO_AUDIO_RAW);
        ck_assert_int_eq(request.config.raw.encoding, encodings[i]);
    }
    config.size = streaming.size = message.size = 0;
    bytes_message(&streaming, 1, &config);
    bytes_message(&streaming, 100, &part);
    bytes_message(&message, 1, &streaming);
    refuse(wire_steno.read_streaming, "sample_rate_hertz: not given");
    basic();
    streaming.size = message.size = 0;
    bytes_message(&streaming, 1, &config);
    bytes_message(&streaming, 100, &part);
    bytes_message(&message, 1, &streaming);
    refuse(wire_steno.read_streaming, "options.sample_encoding: given, but so is encoding");
}
END_TEST

START_TEST(test_whole_recordings)
{
    const reader readers[] = {
        wire_google.read_whole, wire_steno.read_whole, wire_google_read_long, wire_steno_read_long};
    for (size_t i = 0; i < 4; i++) {
        basic();
        message.size = part.size = 0;
        bytes_message(&message, 1, &config);
        refuse(readers[i], "audio: has neither");
        bytes_block(&part, 1, "abcd", 4);
        bytes_message(&message, 2, &part);
        understand(readers[i]);
        ck_assert_uint_eq(request.config.raw.rate_hz, 16000);
        ck_assert_uint_eq(request.audio_size, 4);
        ck_assert_mem_eq(request.audio, "abcd", 4);
        /* Of a oneof the last counts. */
        part.size = 0;
        bytes_text(&part, 2, "gs://bucket/file");
        bytes_message(&message, 2, &part);
        refuse(readers[i], "audio.uri");
        message.size = part.size = 0;
        bytes_message(&message, 1, &config);
        bytes_block(&part, 1, "", 0);
        bytes_message(&message, 2, &part);
        refuse(readers[i], "audio.content: empty");
        message.size = 0;
        bytes_message(&message, 2, &part);
        refuse(readers[i], "config: not given");
    }
}
END_TEST

/* Riva and Vosk. */

START_TEST(test_riva_config)
{
    static const struct {
        int number;
        steno_audio_kind kind;
        steno_encoding encoding;
    } right[] = {{0, STENO_AUDIO_AUTO, STENO_ENCODING_S16},
        {1, STENO_AUDIO_RAW_OR_WAV, STENO_ENCODING_S16}, {2, STENO_AUDIO_FLAC, STENO_ENCODING_S16},
        {3, STENO_AUDIO_RAW_OR_WAV, STENO_ENCODING_MULAW},
        {4, STENO_AUDIO_OGG_OPUS, STENO_ENCODING_S16},
        {20, STENO_AUDIO_RAW_OR_WAV, STENO_ENCODING_ALAW}};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        config.size = streaming.size = message.size = part.size = 0;
        bytes_number(&config, 1, right[i].number);
        bytes_number(&config, 2, 44100);
        bytes_number(&config, 8, 1);
        bytes_number(&part, 3, 100); /* stop_history */
        bytes_message(&config, 25, &part);
        bytes_message(&streaming, 1, &config);
        bytes_number(&streaming, 2, 1); /* interim_results: not Google's number */
        bytes_message(&message, 1, &streaming);
        part.size = 0;
        bytes_text(&part, 1, "request 9");
        bytes_message(&message, 100, &part);
        understand(wire_riva.read_streaming);
        const wire_config *c = &request.config;
        ck_assert_int_eq(c->kind, right[i].kind);
        ck_assert_int_eq(c->raw.encoding, right[i].encoding);
        ck_assert_uint_eq(c->raw.rate_hz, 44100);
        ck_assert(c->interim && c->word_times && !c->single_utterance);
        ck_assert_uint_eq(c->endpoint_ms, 400);
        ck_assert_str_eq(c->id, "request 9");
        ck_assert_str_eq(c->language, "en");
    }
    /* Too long a name is cut, but no character. */
    static const char *const starts[] = {"a", ""};
    for (size_t i = 0; i < 2; i++) {
        char longest[200];
        strcpy(longest, starts[i]);
        while (strlen(longest) < 190)
            strcat(longest, "\xc3\xa9");
        message.size = part.size = 0;
        bytes_message(&message, 1, &streaming);
        bytes_text(&part, 1, longest);
        bytes_message(&message, 100, &part);
        understand(wire_riva.read_streaming);
        ck_assert_uint_eq(strlen(request.config.id), 127 - i);
        ck_assert_int_eq(strncmp(request.config.id, longest, 127 - i), 0);
    }
    config.size = message.size = 0;
    bytes_number(&config, 1, 5);
    bytes_message(&message, 1, &config);
    bytes_block(&message, 2, "ab", 2);
    refuse(wire_riva.read_whole, "encoding: 5");
    message.size = 0;
    refuse(wire_riva.read_whole, "config: not given");
}
END_TEST

START_TEST(test_vosk_config)
{
    bytes_number(&part, 1, 1);
    bytes_number(&part, 2, 8000);
    bytes_number(&part, 7, 1);
    bytes_number(&part, 12, 1);
    bytes_text(&part, 3, "ru-RU");
    bytes_message(&config, 1, &part);
    bytes_message(&message, 1, &config);
    understand(wire_vosk.read_streaming);
    const wire_config *c = &request.config;
    ck_assert_int_eq(c->kind, STENO_AUDIO_RAW);
    ck_assert_uint_eq(c->raw.rate_hz, 8000);
    ck_assert(c->interim && c->word_times);
    static const int64_t wrong[] = {0, 1, -8000, 1ll << 40};
    for (size_t i = 0; i < 4; i++) {
        config.size = message.size = part.size = 0;
        bytes_number(&part, 2, wrong[i]);
        bytes_message(&config, 1, &part);
        bytes_message(&message, 1, &config);
        refuse(wire_vosk.read_streaming, "specification.sample_rate_hertz");
    }
}
END_TEST

/* Hostile bytes. */

static const reader all_readers[] = {wire_google_read_long, wire_steno_read_long};

static void read_with_all(const uint8_t *data, size_t size)
{
    char name[WIRE_OPERATION_NAME];
    uint64_t timeout_ms;
    wire_list list;
    static const wire_protocol *protocols[] = {&wire_google, &wire_steno, &wire_riva, &wire_vosk};
    for (size_t i = 0; i < 4; i++) {
        protocols[i]->read_streaming(&request, data, size, &error);
        if (protocols[i]->read_whole != NULL)
            protocols[i]->read_whole(&request, data, size, &error);
    }
    for (size_t i = 0; i < 2; i++)
        all_readers[i](&request, data, size, &error);
    wire_operation_read_name(data, size, name, &error);
    wire_operation_read_wait(data, size, name, &timeout_ms, &error);
    wire_operation_read_list(data, size, &list, &error);
}

START_TEST(test_every_cut_and_every_flipped_bit)
{
    basic();
    bytes_text(&part, 1, "phrase");
    bytes_message(&config, 6, &part);
    wrap();
    bytes good = message;
    for (size_t size = 0; size <= good.size; size++)
        read_with_all(good.data, size);
    for (size_t bit = 0; bit < good.size * 8; bit++) {
        message = good;
        message.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        read_with_all(message.data, message.size);
    }
}
END_TEST

START_TEST(test_random_bytes)
{
    unsigned seed = 11;
    for (int i = 0; i < 20000; i++) {
        message.size = 1 + (size_t)i % 60;
        for (size_t j = 0; j < message.size; j++) {
            seed = seed * 1103515245u + 12345u;
            /* Often small: then it is a tag or a length. */
            message.data[j] = (uint8_t)(seed >> 16) & (i % 2 ? 0x1f : 0xff);
        }
        read_with_all(message.data, message.size);
    }
}
END_TEST

START_TEST(test_a_message_that_grows)
{
    /* Two bytes each, an object each: a few hundred kilobytes would become many megabytes. */
    enum { SETS = 400000 };
    uint8_t *sets = malloc(2 * SETS);
    for (size_t i = 0; i < SETS; i++) {
        sets[2 * i] = 6 << 3 | 2; /* an empty speech context */
        sets[2 * i + 1] = 0;
    }
    uint8_t *whole = malloc(2 * SETS + 16);
    bytes head = {.size = 0};
    bytes_varint(&head, 1 << 3 | 2);
    bytes_varint(&head, 2 * SETS);
    memcpy(whole, head.data, head.size);
    memcpy(whole + head.size, sets, 2 * SETS);
    ck_assert_int_eq(
        wire_google.read_whole(&request, whole, 2 * SETS + head.size, &error), STENO_ERROR_LIMIT);
    free(whole);
    free(sets);
}
END_TEST

/* Memory. */

START_TEST(test_each_allocation_failing)
{
    basic();
    bytes_text(&part, 1, "phrase");
    bytes_message(&config, 6, &part);
    wrap();
    for (uint64_t n = 1;; n++) {
        memory_fail_at(memory_attempts() + n);
        wire_request_finish(&request);
        wire_request_init(&request);
        steno_status status =
            wire_google.read_streaming(&request, message.data, message.size, &error);
        if (status == STENO_OK)
            break;
        ck_assert_int_eq(status, STENO_ERROR_LIMIT);
        ck_assert_uint_lt(n, 100);
    }
    memory_fail_at(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tests = tcase_create("wire");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, wire_fixture_setup, wire_fixture_teardown);
    tcase_add_test(tests, test_audio);
    tcase_add_test(tests, test_steno_options);
    tcase_add_test(tests, test_steno_samples);
    tcase_add_test(tests, test_whole_recordings);
    tcase_add_test(tests, test_riva_config);
    tcase_add_test(tests, test_vosk_config);
    tcase_add_test(tests, test_every_cut_and_every_flipped_bit);
    tcase_add_test(tests, test_random_bytes);
    tcase_add_test(tests, test_a_message_that_grows);
    tcase_add_test(tests, test_each_allocation_failing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
