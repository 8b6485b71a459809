/* Captions as server-sent events: what each event looks like, in pieces of any size, and what a
 * slow reader gets. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "captions/feed.h"
#include "support/suite.h"

enum { HISTORY = 5, TEXT_BYTES = 20000 };

/* ---- One event ---- */

static void expect(const captions_event *event, const char *expected)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    captions_feed_write(event, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(out, expected);
    free(out);
}

static const steno_word some_words[] = {
    {"a\"b", 1, 2, 1}, {"\n\nevent: final", 3, 4, 1}, {"c", 5, 6, 1}};

START_TEST(finals)
{
    const captions_event event = {
        .id = 9007199254740991,
        .unix_ms = 1700000000123,
        .kind = CAPTIONS_FINAL,
        .segment = {.sequence = 4,
            .start_ms = 1,
            .end_ms = 6,
            .text = "a\"b \n\nevent: final c",
            .words = some_words,
            .word_count = 3,
            .stable_words = 3},
    };
    expect(&event, "id: 9007199254740991\nevent: final\n"
                   "data: {\"sequence\":4,\"start_ms\":1,\"end_ms\":6,\"unix_ms\":1700000000123,"
                   "\"text\":\"a\\\"b \\u000a\\u000aevent: final c\"}\n\n");
}
END_TEST

START_TEST(interims)
{
    captions_event event = {
        .id = 5,
        .kind = CAPTIONS_INTERIM,
        .segment =
            {.sequence = 2, .text = "", .words = some_words, .word_count = 3, .stable_words = 1},
    };
    expect(&event, "event: interim\ndata: {\"sequence\":2,\"settled\":\"a\\\"b\","
                   "\"unsettled\":\"\\u000a\\u000aevent: final c\"}\n\n");
    event.segment.stable_words = 9;
    event.segment.word_count = 1;
    expect(&event, "event: interim\ndata: {\"sequence\":2,\"settled\":\"a\\\"b\","
                   "\"unsettled\":\"\"}\n\n");
    event.segment.word_count = 0;
    expect(
        &event, "event: interim\ndata: {\"sequence\":2,\"settled\":\"\",\"unsettled\":\"\"}\n\n");
}
END_TEST

START_TEST(states_and_gaps)
{
    const captions_event status = {
        .id = 7,
        .kind = CAPTIONS_STATUS,
        .status = {CAPTIONS_WAITING, "Mic \"1\"", "unplugged\r\n", 10, 20, 3, 0},
    };
    expect(&status,
        "id: 7\nevent: status\ndata: {\"state\":\"WAITING\",\"device\":\"Mic \\\"1\\\"\","
        "\"reason\":\"unplugged\\u000d\\u000a\",\"heard_ms\":10,\"lost_ms\":20,"
        "\"gaps\":3}\n\n");
    const captions_event gap = {.id = 8, .kind = CAPTIONS_GAP, .gap = {2, 40}};
    expect(&gap, "id: 8\nevent: gap\ndata: {\"first_sequence\":2,\"last_sequence\":40}\n\n");
}
END_TEST

/* ---- A reader ---- */

static captions *hub;
static captions_source *room;
static captions_feed *feed;
static int wakes;
static char said[TEXT_BYTES];

static void count_wake(void *context)
{
    ++*(int *)context;
}

static void set_up(void)
{
    const captions_setting setting = {"room", "a microphone", HISTORY};
    const captions_from from = {.recent = SIZE_MAX};
    ck_assert_int_eq(captions_create(&setting, 1, &hub, NULL), STENO_OK);
    room = captions_find(hub, "room");
    wakes = 0;
    ck_assert_int_eq(captions_feed_create(room, &from, count_wake, &wakes, &feed, NULL), STENO_OK);
}

static void tear_down(void)
{
    captions_feed_destroy(feed);
    captions_destroy(hub);
    ck_assert_uint_eq(memory_alive(), 0);
}

static void publish(bool is_final, unsigned number)
{
    char text[16];
    snprintf(text, sizeof(text), "word%u", number);
    const steno_word word = {text, number, number, 1};
    const steno_alternative best = {text, &word, 1, 1};
    const steno_result result = {
        .is_final = is_final, .alternatives = &best, .alternative_count = 1};
    ck_assert_int_eq(
        (is_final ? captions_publish_final : captions_publish_interim)(room, &result, 0), STENO_OK);
}

/* Takes all there is, in pieces of `size` bytes: as a text. */
static const char *take(size_t size, uint64_t now_ms)
{
    size_t used = 0, got;
    while ((got = captions_feed_fill(feed, now_ms, said + used, size)) != 0 &&
           got != CAPTIONS_FEED_END) {
        ck_assert_uint_le(got, size);
        used += got;
        ck_assert_uint_lt(used + size, TEXT_BYTES);
    }
    said[used] = '\0';
    return said;
}

/* How often something stands in what was said. */
static int count(const char *what)
{
    int found = 0;
    for (const char *at = said; (at = strstr(at, what)) != NULL; at++)
        found++;
    return found;
}

START_TEST(pieces)
{
    /* Whole events have to fit only in the beginning and for beats, which are short. */
    static const size_t sizes[] = {24, 33, 100, 4096};
    publish(true, 1);
    publish(true, 2);
    publish(false, 3);
    const size_t size = sizes[_i];
    take(size, 1000);
    ck_assert_int_eq(strncmp(said, "retry: 2000\n\nid: ", 17), 0);
    ck_assert_int_eq(count("event: "), 5);
    const char *first = strstr(said, "event: status"), *second = strstr(said, "\"word1\""),
               *third = strstr(said, "\"word2\""), *fourth = strstr(said, "\"word3\""),
               *last = strstr(said, "event: beat\ndata: {}\n\n");
    ck_assert(first < second && second < third && third < fourth && fourth < last);
    ck_assert_str_eq(last, "event: beat\ndata: {}\n\n");
    ck_assert_str_eq(take(size, 2000), "");
    publish(true, 3);
    ck_assert_int_eq(wakes, 1);
    take(size, 3000);
    ck_assert_int_eq(count("event: "), 1);
    ck_assert_int_eq(count("word3"), 1);
}
END_TEST

START_TEST(beats)
{
    take(4096, 1000);
    ck_assert_str_eq(take(4096, 1000 + CAPTIONS_FEED_BEAT_MS - 1), "");
    ck_assert_str_eq(take(4096, 1000 + CAPTIONS_FEED_BEAT_MS), "event: beat\ndata: {}\n\n");
    ck_assert_str_eq(take(4096, 1001 + CAPTIONS_FEED_BEAT_MS), "");
    /* What is said is a beat as well. */
    publish(true, 1);
    take(4096, 2000 + CAPTIONS_FEED_BEAT_MS);
    ck_assert_int_eq(count("event: final"), 1);
    ck_assert_str_eq(take(4096, 1000 + 2 * CAPTIONS_FEED_BEAT_MS), "");
}
END_TEST

/* It holds one event; of the rest it gets all finals, and the newest interim. */
START_TEST(slow_reader)
{
    char piece[4];
    publish(false, 100);
    ck_assert_uint_eq(captions_feed_fill(feed, 1000, said, 14), 14);
    for (unsigned i = 1; i <= HISTORY; i++) {
        publish(false, 100 + i);
        publish(true, i);
    }
    publish(false, 200);
    ck_assert_uint_eq(captions_feed_fill(feed, 1000, piece, sizeof(piece)), sizeof(piece));
    publish(false, 201);
    publish(false, 202);
    take(4096, 1000);
    ck_assert_int_eq(count("event: interim"), 1);
    ck_assert_int_eq(count("word202"), 1);
    for (unsigned i = 1; i <= HISTORY; i++) {
        char text[16];
        snprintf(text, sizeof(text), "\"word%u\"", i);
        ck_assert_int_eq(count(text), 1);
    }
    /* Slower than what is kept: it is told. */
    for (unsigned i = 6; i <= 5 + 2 * HISTORY; i++)
        publish(true, i);
    take(4096, 2000);
    ck_assert_int_eq(count("\"first_sequence\":6,\"last_sequence\":10"), 1);
    ck_assert_int_eq(count("event: final"), HISTORY);
}
END_TEST

START_TEST(end)
{
    take(4096, 1000);
    publish(true, 1);
    captions_end(room);
    take(10, 1000);
    ck_assert_int_eq(count("word1"), 1);
    ck_assert_uint_eq(captions_feed_fill(feed, 1000, said, 100), CAPTIONS_FEED_END);
    ck_assert_uint_eq(captions_feed_fill(feed, 999999, said, 100), CAPTIONS_FEED_END);
}
END_TEST

START_TEST(out_of_memory)
{
    const captions_from from = {.recent = SIZE_MAX};
    captions_feed *other = NULL;
    steno_error error;
    for (uint64_t attempt = 1;; attempt++) {
        memory_fail_at(memory_attempts() + attempt);
        steno_status status = captions_feed_create(room, &from, count_wake, &wakes, &other, &error);
        memory_fail_at(0);
        if (status == STENO_OK) {
            ck_assert_uint_gt(attempt, 2);
            break;
        }
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(other);
    }
    captions_feed_destroy(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("captions_feed");
    TCase *events = tcase_create("events"), *reader = tcase_create("reader");
    tcase_add_test(events, finals);
    tcase_add_test(events, interims);
    tcase_add_test(events, states_and_gaps);
    tcase_add_checked_fixture(reader, set_up, tear_down);
    tcase_add_loop_test(reader, pieces, 0, 4);
    tcase_add_test(reader, beats);
    tcase_add_test(reader, slow_reader);
    tcase_add_test(reader, end);
    tcase_add_test(reader, out_of_memory);
    suite_add_tcase(suite, events);
    suite_add_tcase(suite, reader);
    return suite_run(suite);
}
