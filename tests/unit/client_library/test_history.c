/* The ring of audio: against a plain model, which remembers everything. */
#include <check.h>
#include <stdlib.h>

#include "base/memory.h"
#include "history.h"
#include "support/suite.h"

static uint8_t byte_at(uint64_t position)
{
    return (uint8_t)(position * 31 + position / 7);
}

static void add(history *self, size_t size)
{
    uint8_t bytes[64];
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(self->end + i);
    history_add(self, bytes, size);
}

START_TEST(empty_and_full)
{
    history one;
    ck_assert(history_init(&one, 10));
    const uint8_t *bytes;
    ck_assert_uint_eq(history_peek(&one, 100, &bytes), 0);
    add(&one, 10);
    ck_assert_uint_eq(history_room(&one), 0);
    ck_assert_uint_eq(history_peek(&one, 100, &bytes), 10);
    history_pass(&one, 10);
    ck_assert_uint_eq(history_room(&one), 0);
    history_forget(&one, 4);
    ck_assert_uint_eq(history_room(&one), 4);
    history_forget(&one, 2); /* gone already */
    ck_assert_uint_eq(one.begin, 4);
    history_rewind(&one);
    ck_assert_uint_eq(history_peek(&one, 100, &bytes), 6);
    ck_assert_uint_eq(bytes[0], byte_at(4));
    history_forget(&one, 9); /* is to be sent again */
    ck_assert_uint_eq(one.begin, 4);
    history_finish(&one);
    ck_assert_uint_eq(memory_alive(), 0);
}
END_TEST

/* Anything in any order: what is peeked is what was added there, and nothing is lost or overwritten
 * between begin and end. */
START_TEST(at_random)
{
    srand((unsigned)_i + 1);
    history one;
    ck_assert(history_init(&one, 1 + (size_t)rand() % 60));
    for (int step = 0; step < 3000; step++) {
        size_t room = history_room(&one), most = (size_t)rand() % 20;
        const uint8_t *bytes;
        switch (rand() % 5) {
        case 0:
        case 1:
            add(&one, room < most ? room : most);
            break;
        case 2: {
            size_t size = history_peek(&one, most, &bytes);
            ck_assert_uint_le(size, most);
            if (most > 0)
                ck_assert((size == 0) == (one.sent == one.end));
            for (size_t i = 0; i < size; i++)
                ck_assert_uint_eq(bytes[i], byte_at(one.sent + i));
            history_pass(&one, size);
            break;
        }
        case 3:
            history_forget(&one, one.begin + most);
            break;
        default:
            if (rand() % 10 == 0)
                history_rewind(&one);
        }
        ck_assert(one.begin <= one.sent && one.sent <= one.end);
        ck_assert_uint_le(one.end - one.begin, one.capacity);
    }
    ck_assert_uint_gt(one.end, 200);
    history_finish(&one);
}
END_TEST

START_TEST(without_memory)
{
    history one;
    memory_fail_at(memory_attempts() + 1);
    ck_assert(!history_init(&one, 10));
    history_finish(&one);
    ck_assert_uint_eq(memory_alive(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client history");
    TCase *tests = tcase_create("history");
    tcase_add_test(tests, empty_and_full);
    tcase_add_loop_test(tests, at_random, 0, 50);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
