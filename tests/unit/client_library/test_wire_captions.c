/* The messages of captures: what is made of those of a server, whole, strange or damaged. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "steno/v1/captions.pb-c.h"
#include "support/suite.h"
#include "wire_captions.h"

static message_memory memory;
static steno_error error;
static uint8_t bytes[4096];

static void set_up(void)
{
    message_memory_init(&memory, 0);
}

static void tear_down(void)
{
    message_memory_finish(&memory);
    ck_assert_uint_eq(memory_alive(), 0);
}

static size_t pack(const Steno__V1__CaptionEvent *event)
{
    ck_assert_uint_lt(steno__v1__caption_event__get_packed_size(event), sizeof bytes);
    return steno__v1__caption_event__pack(event, bytes);
}

static size_t pack_final(void)
{
    Steno__V1__CaptionWord words[2], *pointers[2] = {&words[0], &words[1]};
    for (int i = 0; i < 2; i++) {
        steno__v1__caption_word__init(&words[i]);
        words[i].text = i == 0 ? (char *)"good" : (char *)"morning";
        words[i].start_ms = 100 + 100 * (uint64_t)i;
        words[i].end_ms = 200 + 100 * (uint64_t)i;
        words[i].confidence = 0.5f;
    }
    Steno__V1__Caption caption = STENO__V1__CAPTION__INIT;
    caption.sequence = 7;
    caption.start_ms = 100;
    caption.end_ms = 300;
    caption.text = (char *)"good morning";
    caption.words = pointers;
    caption.n_words = 2;
    caption.stable_words = 2;
    caption.endpoint = 1;
    Steno__V1__CaptionEvent event = STENO__V1__CAPTION_EVENT__INIT;
    event.id = 1234567890123456;
    event.unix_ms = 5;
    event.event_case = STENO__V1__CAPTION_EVENT__EVENT_FINAL;
    event.final = &caption;
    return pack(&event);
}

START_TEST(a_final)
{
    steno_client_caption caption;
    ck_assert_int_eq(wire_read_caption(&memory, bytes, pack_final(), &caption, &error), STENO_OK);
    ck_assert_int_eq(caption.kind, STENO_CAPTION_RESULT);
    ck_assert_uint_eq(caption.id, 1234567890123456);
    ck_assert_uint_eq(caption.sequence, 7);
    const steno_result *result = &caption.result;
    ck_assert(result->is_final && result->endpoint);
    ck_assert_uint_eq(result->alternative_count, 1);
    ck_assert_str_eq(result->alternatives[0].text, "good morning");
    ck_assert_uint_eq(result->alternatives[0].word_count, 2);
    ck_assert_str_eq(result->alternatives[0].words[1].text, "morning");
    ck_assert_uint_eq(result->alternatives[0].words[1].start_ms, 200);
}
END_TEST

START_TEST(strange_ones)
{
    steno_client_caption caption;
    /* Of none of the kinds that there are; of a state that is not known here; without anything. */
    Steno__V1__CaptionEvent event = STENO__V1__CAPTION_EVENT__INIT;
    ck_assert_int_eq(
        wire_read_caption(&memory, bytes, pack(&event), &caption, &error), STENO_ERROR_FORMAT);
    Steno__V1__CaptureStatus status = STENO__V1__CAPTURE_STATUS__INIT;
    status.state = (Steno__V1__CaptureStatus__State)99;
    event.event_case = STENO__V1__CAPTION_EVENT__EVENT_STATUS;
    event.status = &status;
    ck_assert_int_eq(wire_read_caption(&memory, bytes, pack(&event), &caption, &error), STENO_OK);
    ck_assert_int_eq(caption.status.state, STENO_CAPTURE_WAITING);
    ck_assert_str_eq(caption.status.reason, "");
    Steno__V1__Caption empty = STENO__V1__CAPTION__INIT;
    empty.stable_words = 1000;
    event.event_case = STENO__V1__CAPTION_EVENT__EVENT_INTERIM;
    event.interim = &empty;
    ck_assert_int_eq(wire_read_caption(&memory, bytes, pack(&event), &caption, &error), STENO_OK);
    ck_assert_uint_eq(caption.result.stable_words, 0);
    ck_assert_uint_eq(caption.result.alternatives[0].word_count, 0);
}
END_TEST

START_TEST(damaged_ones)
{
    steno_client_caption caption = {.id = 5};
    steno_client_captures *captures = NULL;
    size_t size = pack_final();
    for (size_t cut = 1; cut < size; cut++)
        if (wire_read_caption(&memory, bytes, cut, &caption, &error) < 0)
            ck_assert_int_eq(error.status, STENO_ERROR_FORMAT);
    srand(3);
    for (int round = 0; round < 20000; round++) {
        size = pack_final();
        for (int i = 0; i < 3; i++)
            bytes[(size_t)rand() % size] = (uint8_t)rand();
        /* Whatever comes of it, it is a caption or an error. */
        if (wire_read_caption(&memory, bytes, size, &caption, &error) == STENO_OK &&
            caption.kind == STENO_CAPTION_RESULT)
            ck_assert_ptr_nonnull(caption.result.alternatives[0].text);
        if (wire_read_captures("server", bytes, size, &captures, &error) == STENO_OK)
            steno_client_captures_destroy(captures);
    }
}
END_TEST

START_TEST(the_list)
{
    Steno__V1__CaptureStatus status = STENO__V1__CAPTURE_STATUS__INIT;
    status.state = STENO__V1__CAPTURE_STATUS__STATE__LISTENING;
    status.device = (char *)"USB";
    Steno__V1__Capture hall = STENO__V1__CAPTURE__INIT, bare = STENO__V1__CAPTURE__INIT;
    hall.name = (char *)"hall";
    hall.about = (char *)"device USB";
    hall.status = &status;
    hall.watchers = 3;
    Steno__V1__Capture *all[] = {&hall, &bare};
    Steno__V1__ListCapturesResponse response = STENO__V1__LIST_CAPTURES_RESPONSE__INIT;
    response.captures = all;
    response.n_captures = 2;
    size_t size = steno__v1__list_captures_response__pack(&response, bytes);
    steno_client_captures *captures = NULL;
    for (uint64_t i = 1; captures == NULL; i++) {
        memory_fail_at(memory_attempts() + i);
        steno_status read = wire_read_captures("server", bytes, size, &captures, &error);
        memory_fail_at(0);
        ck_assert(read == STENO_OK || read == STENO_ERROR_MEMORY);
    }
    ck_assert_str_eq(captures->address, "server");
    ck_assert_uint_eq(captures->count, 2);
    ck_assert_str_eq(captures->items[0].name, "hall");
    ck_assert_str_eq(captures->items[0].status.device, "USB");
    ck_assert_str_eq(steno_client_capture_state_name(captures->items[0].status.state), "listening");
    ck_assert_uint_eq(captures->items[0].watchers, 3);
    ck_assert_str_eq(captures->items[1].name, "");
    ck_assert_int_eq(captures->items[1].status.state, STENO_CAPTURE_STARTING);
    steno_client_captures_destroy(captures);
    steno_client_captures_destroy(NULL);
}
END_TEST

START_TEST(the_request)
{
    steno_client_watch_options options;
    steno_client_watch_options_init(&options);
    options.capture = "hall";
    options.after_id = 9;
    options.interim = true;
    uint8_t *made;
    size_t size;
    ck_assert_int_eq(wire_write_watch(&options, &made, &size, &error), STENO_OK);
    Steno__V1__WatchRequest *request = steno__v1__watch_request__unpack(NULL, size, made);
    ck_assert_str_eq(request->capture, "hall");
    ck_assert_uint_eq(request->after_id, 9);
    ck_assert(request->interim_results && !request->only_new);
    steno__v1__watch_request__free_unpacked(request, NULL);
    memory_free(made);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_captions");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, a_final);
    tcase_add_test(all, strange_ones);
    tcase_add_test(all, damaged_ones);
    tcase_add_test(all, the_list);
    tcase_add_test(all, the_request);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
