#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "recognizer/outbox.h"
#include "support/suite.h"

enum { TURN_BYTES = 2048 };

static outbox *make(bool interim)
{
    outbox *o;
    ck_assert_int_eq(outbox_create(TURN_BYTES, interim, &o, NULL), STENO_OK);
    return o;
}

/* A result of `words` words, each "wN" with N from `number` on. */
static const steno_result *result_of(unsigned number, size_t words, bool final)
{
    static char texts[16][16], text[256];
    static steno_word list[16];
    static steno_alternative alternative;
    static steno_result result;
    text[0] = 0;
    for (size_t i = 0; i < words; i++) {
        snprintf(texts[i], sizeof texts[i], "w%u", number + (unsigned)i);
        list[i] = (steno_word){.text = texts[i],
            .start_ms = 100 * number,
            .end_ms = 100 * number + 50,
            .confidence = 0.5f};
        if (i > 0)
            strcat(text, " ");
        strcat(text, texts[i]);
    }
    alternative =
        (steno_alternative){.text = text, .words = list, .word_count = words, .confidence = 0.5f};
    result = (steno_result){.is_final = final,
        .start_ms = 100 * number,
        .end_ms = 100 * number + 50,
        .audio_ms = 100 * number + 70,
        .alternatives = &alternative,
        .alternative_count = 1};
    return &result;
}

static void expect(outbox *o, unsigned number, size_t words, bool final)
{
    ck_assert(outbox_has_result(o));
    const steno_result *got = outbox_take(o);
    const steno_result *right = result_of(number, words, final);
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(got->is_final, final);
    ck_assert_uint_eq(got->alternative_count, 1);
    ck_assert_str_eq(got->alternatives[0].text, right->alternatives[0].text);
    ck_assert_uint_eq(got->alternatives[0].word_count, words);
    for (size_t i = 0; i < words; i++) {
        ck_assert_str_eq(got->alternatives[0].words[i].text, right->alternatives[0].words[i].text);
        ck_assert_uint_eq(got->alternatives[0].words[i].start_ms, 100 * number);
        ck_assert_uint_eq(got->alternatives[0].words[i].end_ms, 100 * number + 50);
    }
}

START_TEST(test_nothing_is_seen_before_it_is_published)
{
    outbox *o = make(true);
    ck_assert(!outbox_has_result(o));
    ck_assert(!outbox_publish(o));
    ck_assert_int_eq(outbox_put_final(o, result_of(1, 3, true), UINT64_MAX), STENO_OK);
    ck_assert(!outbox_has_result(o));
    ck_assert_ptr_null(outbox_take(o));
    ck_assert(outbox_publish(o));
    expect(o, 1, 3, true);
    ck_assert(!outbox_has_result(o));
    ck_assert_ptr_null(outbox_take(o));
    outbox_destroy(o);
}
END_TEST

START_TEST(test_interims_coalesce_and_finals_drop_them)
{
    outbox *o = make(true);
    ck_assert_int_eq(outbox_put_interim(o, result_of(1, 1, false), UINT64_MAX), STENO_OK);
    outbox_publish(o);
    ck_assert_int_eq(outbox_put_interim(o, result_of(2, 2, false), UINT64_MAX), STENO_OK);
    outbox_publish(o);
    expect(o, 2, 2, false); /* only the newest */
    ck_assert(!outbox_has_result(o));

    ck_assert_int_eq(outbox_put_interim(o, result_of(3, 3, false), UINT64_MAX), STENO_OK);
    outbox_publish(o);
    ck_assert_int_eq(outbox_put_final(o, result_of(4, 4, true), UINT64_MAX), STENO_OK);
    outbox_publish(o);
    expect(o, 4, 4, true);
    ck_assert(!outbox_has_result(o)); /* 3 spoke of what became final */

    ck_assert_int_eq(outbox_put_final(o, result_of(5, 5, true), UINT64_MAX), STENO_OK);
    ck_assert_int_eq(outbox_put_interim(o, result_of(6, 6, false), UINT64_MAX), STENO_OK);
    outbox_publish(o);
    expect(o, 5, 5, true); /* finals first */
    expect(o, 6, 6, false);
    outbox_destroy(o);
}
END_TEST

START_TEST(test_a_taken_result_stays_while_others_are_put)
{
    outbox *o = make(true);
    outbox_put_interim(o, result_of(1, 4, false), UINT64_MAX);
    outbox_publish(o);
    const steno_result *taken = outbox_take(o);
    for (unsigned i = 2; i < 6; i++) {
        outbox_put_interim(o, result_of(i, 2, false), UINT64_MAX);
        outbox_publish(o);
    }
    ck_assert_str_eq(taken->alternatives[0].text, "w1 w2 w3 w4");
    outbox_put_final(o, result_of(7, 3, true), UINT64_MAX);
    outbox_publish(o);
    taken = outbox_take(o);
    for (unsigned i = 8; i < 200 && outbox_has_room(o); i++) {
        outbox_put_final(o, result_of(i, 8, true), UINT64_MAX);
        outbox_publish(o);
    }
    ck_assert(!outbox_has_room(o));
    ck_assert_str_eq(taken->alternatives[0].text, "w7 w8 w9");
    outbox_destroy(o);
}
END_TEST

START_TEST(test_none_is_lost_around_the_ring)
{
    outbox *o = make(false);
    unsigned put = 0, got = 0;
    for (int turn = 0; turn < 2000; turn++) {
        /* As much as one turn may say, in finals of changing sizes. */
        if (outbox_has_room(o)) {
            size_t bytes = 0;
            for (;;) {
                size_t words = 1 + put % 9;
                bytes += outbox_result_bytes(1, words, 6 * words);
                if (bytes > TURN_BYTES)
                    break;
                ck_assert_int_eq(
                    outbox_put_final(o, result_of(put, words, true), UINT64_MAX), STENO_OK);
                put++;
            }
            outbox_publish(o);
        }
        for (int reads = turn % 7; reads > 0 && outbox_has_result(o); reads--, got++)
            expect(o, got, 1 + got % 9, true);
    }
    while (outbox_has_result(o)) {
        expect(o, got, 1 + got % 9, true);
        got++;
    }
    ck_assert_uint_eq(got, put);
    ck_assert_uint_gt(put, 1000);
    outbox_release(o);
    ck_assert(outbox_has_room(o));
    outbox_destroy(o);
}
END_TEST

/* A turn that fills turn_bytes fits wherever in the ring it begins, also where its one result would
 * be cut by the ring's end, whatever is not read yet. */
START_TEST(test_the_largest_turn_fits_anywhere)
{
    enum { WORDS = 16 };
    outbox *o;
    size_t turn_bytes = outbox_result_bytes(1, WORDS, 3 * WORDS); /* "w10" to "w99" */
    ck_assert_int_eq(outbox_create(turn_bytes, false, &o, NULL), STENO_OK);
    /* Of several sizes, so that the ring's end is met everywhere. */
    unsigned put = 0, got = 0;
    while (put < 500) {
        while (outbox_has_room(o)) {
            size_t words = put % 5 == 0 ? 1 + put % 3 : WORDS;
            ck_assert_int_eq(
                outbox_put_final(o, result_of(10 + put % 70, words, true), UINT64_MAX), STENO_OK);
            outbox_publish(o);
            put++;
        }
        ck_assert_uint_lt(got, put);
        expect(o, 10 + got % 70, got % 5 == 0 ? 1 + got % 3 : WORDS, true);
        outbox_release(o);
        got++;
    }
    outbox_destroy(o);
}
END_TEST

START_TEST(test_room_returns_only_with_release)
{
    outbox *o = make(false);
    while (outbox_has_room(o)) {
        ck_assert_int_eq(outbox_put_final(o, result_of(1, 16, true), UINT64_MAX), STENO_OK);
        outbox_publish(o);
    }
    while (outbox_has_result(o))
        ck_assert_ptr_nonnull(outbox_take(o));
    outbox_release(o);
    ck_assert(outbox_has_room(o));
    outbox_destroy(o);
}
END_TEST

START_TEST(test_times_are_held_to_the_limit)
{
    outbox *o = make(true);
    outbox_put_final(o, result_of(10, 2, true), 1020);
    outbox_publish(o);
    const steno_result *got = outbox_take(o);
    ck_assert_uint_eq(got->start_ms, 1000);
    ck_assert_uint_eq(got->end_ms, 1020);
    ck_assert_uint_eq(got->audio_ms, 1020);
    ck_assert_uint_eq(got->alternatives[0].words[1].start_ms, 1000);
    ck_assert_uint_eq(got->alternatives[0].words[1].end_ms, 1020);
    outbox_destroy(o);
}
END_TEST

START_TEST(test_what_is_too_large_is_refused)
{
    outbox *o;
    ck_assert_int_eq(outbox_create(256, true, &o, NULL), STENO_OK);
    ck_assert_int_eq(outbox_put_final(o, result_of(1, 16, true), UINT64_MAX), STENO_ERROR_LIMIT);
    ck_assert_int_eq(outbox_put_interim(o, result_of(1, 16, false), UINT64_MAX), STENO_ERROR_LIMIT);
    ck_assert(!outbox_publish(o));
    outbox_destroy(o);
    o = make(false);
    ck_assert_int_eq(outbox_put_interim(o, result_of(1, 1, false), UINT64_MAX), STENO_ERROR_LIMIT);
    outbox_destroy(o);
    outbox_destroy(NULL);
}
END_TEST

START_TEST(test_each_allocation_failing)
{
    size_t alive = memory_alive();
    for (uint64_t i = 1;; i++) {
        outbox *o = NULL;
        memory_fail_at(memory_attempts() + i);
        steno_status status = outbox_create(TURN_BYTES, true, &o, NULL);
        memory_fail_at(0);
        if (status == STENO_OK) {
            ck_assert_uint_eq(i, 4);
            outbox_destroy(o);
            break;
        }
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_ptr_null(o);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tests = tcase_create("outbox");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_nothing_is_seen_before_it_is_published);
    tcase_add_test(tests, test_interims_coalesce_and_finals_drop_them);
    tcase_add_test(tests, test_a_taken_result_stays_while_others_are_put);
    tcase_add_test(tests, test_none_is_lost_around_the_ring);
    tcase_add_test(tests, test_the_largest_turn_fits_anywhere);
    tcase_add_test(tests, test_room_returns_only_with_release);
    tcase_add_test(tests, test_times_are_held_to_the_limit);
    tcase_add_test(tests, test_what_is_too_large_is_refused);
    tcase_add_test(tests, test_each_allocation_failing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
