/* Responses of all protocols are the bytes they should be; questions that are answered at once. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "bytes.h"
#include "support/suite.h"
#include "wire/wire.h"

static wire_output output;
static steno_error error;
/* Large, so not on the stack. */
static bytes message, part;

static void setup(void)
{
    wire_output_init(&output);
    message.size = part.size = 0;
}

static void teardown(void)
{
    wire_output_finish(&output);
    ck_assert_uint_eq(memory_alive(), 0);
}

static const steno_word words[] = {{"hi", 1080, 1240, 0.5f}, {"you", 1300, 2000, 0.25f}};
static const steno_alternative alternatives[] = {
    {"hi you", words, 2, 0.5f}, {"high", words, 1, 0.25f}};
static const steno_result final_result = {.is_final = true,
    .stability = 1,
    .start_ms = 1080,
    .end_ms = 2000,
    .alternatives = alternatives,
    .alternative_count = 2};
static const steno_result interim_result = {
    .end_ms = 2000, .stability = 0.5f, .alternatives = alternatives, .alternative_count = 1};

static void expect(const bytes *right)
{
    ck_assert(!output.failed);
    ck_assert_uint_eq(output.size, right->size);
    ck_assert_mem_eq(output.bytes, right->data, right->size);
    wire_output_clear(&output);
}

static void put_time(bytes *b, unsigned field, unsigned ms)
{
    bytes time = {.size = 0};
    if (ms / 1000)
        bytes_number(&time, 1, ms / 1000);
    if (ms % 1000)
        bytes_number(&time, 2, ms % 1000 * 1000000);
    bytes_message(b, field, &time);
}

START_TEST(test_google_responses)
{
    wire_config c = {.language = "en-us", .request_id = 7, .word_times = true};
    wire_result from = {.result = &final_result, .channel_tag = 2, .continues = true};
    bytes first = {.size = 0}, second = {.size = 0}, word = {.size = 0}, result = {.size = 0};
    bytes_text(&first, 1, " hi you");
    bytes_float(&first, 2, 0.5f);
    for (int i = 0; i < 2; i++) {
        word.size = 0;
        put_time(&word, 1, (unsigned)words[i].start_ms);
        put_time(&word, 2, (unsigned)words[i].end_ms);
        bytes_text(&word, 3, words[i].text);
        bytes_message(&first, 3, &word);
    }
    bytes_text(&second, 1, " high");
    bytes_message(&result, 1, &first);
    bytes_message(&result, 1, &second);
    bytes_number(&result, 2, 1);
    put_time(&result, 4, 2000);
    bytes_number(&result, 5, 2);
    bytes_text(&result, 6, "en-us");
    bytes right = {.size = 0};
    bytes_message(&right, 2, &result);
    bytes_number(&right, 10, 7);
    wire_google.write_result(&output, &c, &from);
    expect(&right);

    /* Whole: results one after the other, then the end. */
    result.size = right.size = 0;
    bytes_message(&result, 1, &first);
    bytes_message(&result, 1, &second);
    bytes_number(&result, 2, 2);
    put_time(&result, 4, 2000);
    bytes_text(&result, 5, "en-us");
    bytes_message(&right, 2, &result);
    bytes_message(&right, 2, &result);
    put_time(&right, 3, 4000);
    bytes_number(&right, 8, 7);
    wire_google.write_whole(&output, &c, &from);
    wire_google.write_whole(&output, &c, &from);
    wire_google.write_whole_end(&output, &c, 3001);
    expect(&right);

    /* Interim: stability, no confidence, no words unless asked for. */
    first.size = result.size = right.size = 0;
    bytes_text(&first, 1, "hi you");
    bytes_message(&result, 1, &first);
    bytes_float(&result, 3, 0.5f);
    put_time(&result, 4, 2000);
    bytes_text(&result, 6, "en-us");
    bytes_message(&right, 2, &result);
    bytes_number(&right, 10, 7);
    from = (wire_result){.result = &interim_result};
    wire_google.write_result(&output, &c, &from);
    expect(&right);

    right.size = 0;
    bytes_number(&right, 4, 4);
    put_time(&right, 8, 2500);
    bytes_number(&right, 10, 7);
    put_time(&right, 5, 3000);
    wire_google.write_event(&output, &c, WIRE_SPEECH_TIMEOUT, 2500);
    wire_google.write_last(&output, 3000);
    expect(&right);
}
END_TEST

START_TEST(test_riva_responses)
{
    wire_config c = {.language = "en-us", .id = "x", .word_times = true};
    wire_result from = {.result = &final_result, .channel_tag = 1, .done_ms = 2560};
    bytes made[2] = {{.size = 0}, {.size = 0}}, word = {.size = 0}, result = {.size = 0},
          id = {.size = 0};
    bytes_text(&made[0], 1, "hi you");
    bytes_float(&made[0], 2, logf(0.5f));
    for (int i = 0; i < 2; i++) {
        word.size = 0;
        bytes_number(&word, 1, (int64_t)words[i].start_ms);
        bytes_number(&word, 2, (int64_t)words[i].end_ms);
        bytes_text(&word, 3, words[i].text);
        bytes_float(&word, 4, logf(words[i].confidence));
        bytes_text(&word, 6, "en-us");
        bytes_message(&made[0], 3, &word);
    }
    bytes_text(&made[0], 4, "en-us");
    bytes_text(&made[1], 1, "high");
    bytes_float(&made[1], 2, logf(0.25f));
    bytes_text(&made[1], 4, "en-us");
    bytes_message(&result, 1, &made[0]);
    bytes_message(&result, 1, &made[1]);
    bytes_number(&result, 2, 1);
    bytes_float(&result, 3, 1);
    bytes_number(&result, 5, 1);
    bytes_float(&result, 6, 2.56f);
    bytes right = {.size = 0};
    bytes_message(&right, 1, &result);
    bytes_text(&id, 1, "x");
    bytes_message(&right, 100, &id);
    wire_riva.write_result(&output, &c, &from);
    expect(&right);
}
END_TEST

START_TEST(test_vosk_responses)
{
    static const uint8_t last[] = {0x0a, 6, 0x0a, 0, 0x10, 1, 0x18, 1};
    wire_vosk.write_empty(&output, true);
    ck_assert_uint_eq(output.size, sizeof last);
    ck_assert_mem_eq(output.bytes, last, sizeof last);
    wire_output_clear(&output);

    wire_config c = {.language = "en"};
    wire_result from = {.result = &interim_result, .continues = true};
    bytes alternative = {.size = 0}, chunk = {.size = 0}, right = {.size = 0};
    bytes_text(&alternative, 1, "hi you");
    bytes_message(&chunk, 1, &alternative);
    bytes_message(&right, 1, &chunk);
    wire_vosk.write_result(&output, &c, &from);
    expect(&right);

    right.size = 0;
    bytes_number(&right, 1, 3);
    bytes_number(&right, 2, 9);
    bytes_float(&right, 4, 0.5f);
    bytes_float(&right, 6, 0.5f);
    wire_vosk_write_stats(&output, &(wire_stats){3, 9, 0.5f});
    expect(&right);
}
END_TEST

START_TEST(test_operations)
{
    char name[WIRE_OPERATION_NAME];
    uint64_t timeout_ms;
    wire_list list;
    bytes_text(&message, 1, "operations/7");
    ck_assert_int_eq(wire_operation_read_name(message.data, message.size, name, &error), STENO_OK);
    ck_assert_str_eq(name, "operations/7");
    ck_assert_int_eq(
        wire_operation_read_wait(message.data, message.size, name, &timeout_ms, &error), STENO_OK);
    ck_assert_uint_eq(timeout_ms, UINT64_MAX);
    put_time(&message, 2, 1500);
    ck_assert_int_eq(
        wire_operation_read_wait(message.data, message.size, name, &timeout_ms, &error), STENO_OK);
    ck_assert_uint_eq(timeout_ms, 1500);
    message.size = 0;
    bytes_number(&part, 1, -5);
    bytes_message(&message, 2, &part);
    ck_assert_int_eq(
        wire_operation_read_wait(message.data, message.size, name, &timeout_ms, &error),
        STENO_ERROR_ARGUMENT);
    message.size = 0;
    bytes_number(&message, 2, 9);
    bytes_text(&message, 3, "token");
    bytes_text(&message, 4, "oper");
    ck_assert_int_eq(wire_operation_read_list(message.data, message.size, &list, &error), STENO_OK);
    ck_assert_uint_eq(list.page_size, 9);
    ck_assert_str_eq(list.page_token, "token");
    ck_assert_str_eq(list.prefix, "oper");
    message.size = 0;
    bytes_number(&message, 2, -9);
    ck_assert_int_eq(
        wire_operation_read_list(message.data, message.size, &list, &error), STENO_ERROR_ARGUMENT);

    /* Done: the name, metadata, done, and the response as it is. */
    wire_operation operation = {.name = "n",
        .progress_percent = 100,
        .started_us = 2000000,
        .updated_us = 3500000,
        .done = true,
        .response = (const uint8_t *)"\x18\x01",
        .response_size = 2};
    bytes metadata = {.size = 0}, any = {.size = 0}, right = {.size = 0};
    bytes_number(&metadata, 1, 100);
    put_time(&metadata, 2, 2000);
    put_time(&metadata, 3, 3500);
    bytes_text(&any, 1, "type.googleapis.com/google.cloud.speech.v1.LongRunningRecognizeMetadata");
    bytes_message(&any, 2, &metadata);
    bytes_text(&right, 1, "n");
    bytes_message(&right, 2, &any);
    bytes_number(&right, 3, 1);
    any.size = 0;
    bytes_text(&any, 1, "type.googleapis.com/google.cloud.speech.v1.LongRunningRecognizeResponse");
    bytes_block(&any, 2, "\x18\x01", 2);
    bytes_message(&right, 5, &any);
    wire_operation_write(&output, &operation);
    expect(&right);
}
END_TEST

START_TEST(test_questions)
{
    steno_model_info info = {.name = "small",
        .language = "en",
        .licence = "",
        .training_data = "",
        .trained_with = "",
        .word_error_rate = "",
        .rate_hz = 16000,
        .max_chunk_ms = 1280,
        .precision = STENO_PRECISION_F32,
        .operators = "reference"};
    ck_assert_int_eq(wire_steno_get_model(&info, NULL, 0, &output, &error), STENO_OK);
    ck_assert_uint_gt(output.size, 0);
    wire_output_clear(&output);
    bytes_text(&message, 1, "small");
    ck_assert_int_eq(
        wire_riva_get_config(&info, message.data, message.size, &output, &error), STENO_OK);
    message.size = 0;
    bytes_text(&message, 1, "large\n");
    ck_assert_int_eq(wire_riva_get_config(&info, message.data, message.size, &output, &error),
        STENO_ERROR_NOT_FOUND);
    ck_assert_str_eq(error.message, "model_name: \"large?\", but here is \"small\"");
}
END_TEST

/* Memory. */

START_TEST(test_each_allocation_failing)
{
    wire_config c = {.language = "en-us", .word_times = true};
    wire_result from = {.result = &final_result};
    static const wire_protocol *const protocols[] = {&wire_google, &wire_riva, &wire_vosk};
    for (size_t i = 0; i < 3; i++) {
        for (uint64_t n = 1;; n++) {
            wire_output_finish(&output);
            wire_output_init(&output);
            memory_fail_at(memory_attempts() + n);
            protocols[i]->write_result(&output, &c, &from);
            if (!output.failed)
                break;
            ck_assert_uint_lt(n, 100);
        }
        memory_fail_at(0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_response");
    TCase *tests = tcase_create("wire_response");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_google_responses);
    tcase_add_test(tests, test_riva_responses);
    tcase_add_test(tests, test_vosk_responses);
    tcase_add_test(tests, test_operations);
    tcase_add_test(tests, test_questions);
    tcase_add_test(tests, test_each_allocation_failing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
