/* The arena itself, and hostile messages parsed into it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "grpc/health/v1/health.pb-c.h"
#include "proto/message_memory.h"
#include "support/suite.h"

static message_memory memory;

static void *take(size_t size)
{
    return memory.allocator.alloc(memory.allocator.allocator_data, size);
}

static void finish(void)
{
    message_memory_finish(&memory);
    ck_assert_uint_eq(memory_alive(), 0);
}

START_TEST(requests_are_aligned_and_apart)
{
    message_memory_init(&memory, 1 << 20);
    ck_assert_uint_eq(memory_alive(), 0);
    unsigned char *requests[300];
    for (size_t i = 0; i < 300; i++) {
        requests[i] = take(i);
        ck_assert_ptr_nonnull(requests[i]);
        ck_assert_uint_eq((uintptr_t)requests[i] % _Alignof(max_align_t), 0);
        memset(requests[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t b = 0; b < i; b++)
            ck_assert_uint_eq(requests[i][b], i & 0xff);
    ck_assert_ptr_ne(requests[0], requests[1]);
    ck_assert(!message_memory_is_exceeded(&memory));
    finish();
}
END_TEST

START_TEST(ends_at_the_limit)
{
    message_memory_init(&memory, 1024);
    for (int round = 0; round < 3; round++) {
        size_t count = 0;
        while (take(16) != NULL)
            count++;
        ck_assert_uint_eq(count, 1024 / 16 - 1);
        ck_assert(message_memory_is_exceeded(&memory));
        message_memory_reset(&memory);
        ck_assert(!message_memory_is_exceeded(&memory));
    }
    ck_assert_ptr_null(take(SIZE_MAX));
    ck_assert_ptr_null(take(1025));
    finish();
}
END_TEST

START_TEST(keeps_little_after_reset)
{
    message_memory_init(&memory, 64 << 20);
    ck_assert_ptr_nonnull(take(10));
    ck_assert_ptr_nonnull(take(10 << 20));
    ck_assert_ptr_nonnull(take(10));
    message_memory_reset(&memory);
    ck_assert_uint_le(memory_alive(), 1);
    ck_assert_ptr_nonnull(take(20 << 20));
    message_memory_reset(&memory);
    /* A block of 20 MiB is not kept for a stream's life. */
    ck_assert_uint_eq(memory_alive(), 0);
    finish();
}
END_TEST

START_TEST(out_of_memory_is_an_end)
{
    message_memory_init(&memory, 1 << 20);
    memory_fail_at(memory_attempts() + 1);
    ck_assert_ptr_null(take(10));
    memory_fail_at(0);
    ck_assert(message_memory_is_exceeded(&memory));
    ck_assert_ptr_nonnull(take(10));
    finish();
}
END_TEST

/* Packs a map of `count` entries with names of `size` characters; the caller frees. */
static uint8_t *pack_list(size_t count, size_t *out_size)
{
    typedef Grpc__Health__V1__HealthListResponse__StatusesEntry entry_type;
    Grpc__Health__V1__HealthListResponse list = GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
    Grpc__Health__V1__HealthCheckResponse state = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    entry_type *entries = memory_allocate(count, sizeof(*entries));
    entry_type **pointers = memory_allocate(count, sizeof(*pointers));
    for (size_t i = 0; i < count; i++) {
        grpc__health__v1__health_list_response__statuses_entry__init(&entries[i]);
        entries[i].key = (char *)"name";
        entries[i].value = &state;
        pointers[i] = &entries[i];
    }
    list.n_statuses = count;
    list.statuses = pointers;
    *out_size = grpc__health__v1__health_list_response__get_packed_size(&list);
    uint8_t *bytes = memory_allocate(*out_size, 1);
    grpc__health__v1__health_list_response__pack(&list, bytes);
    memory_free(entries);
    memory_free(pointers);
    return bytes;
}

static Grpc__Health__V1__HealthListResponse *unpack(const uint8_t *bytes, size_t size)
{
    return grpc__health__v1__health_list_response__unpack(&memory.allocator, size, bytes);
}

START_TEST(a_parse_fits_or_fails_whole)
{
    size_t size;
    uint8_t *bytes = pack_list(20, &size);
    message_memory_init(&memory, 1 << 20);
    ck_assert_ptr_nonnull(unpack(bytes, size));
    size_t needed = memory.used_bytes;
    ck_assert_uint_gt(needed, 20 * sizeof(Grpc__Health__V1__HealthCheckResponse));
    message_memory_finish(&memory);
    /* Whatever request the limit falls on, and with enough it works again. */
    for (size_t limit = 0; limit < needed; limit += 8) {
        message_memory_init(&memory, limit);
        ck_assert_ptr_null(unpack(bytes, size));
        ck_assert(message_memory_is_exceeded(&memory));
        message_memory_finish(&memory);
    }
    message_memory_init(&memory, needed + _Alignof(max_align_t));
    Grpc__Health__V1__HealthListResponse *list = unpack(bytes, size);
    ck_assert_ptr_nonnull(list);
    ck_assert_uint_eq(list->n_statuses, 20);
    ck_assert_str_eq(list->statuses[19]->key, "name");
    memory_free(bytes);
    finish();
}
END_TEST

START_TEST(each_allocation_failing_once)
{
    size_t size;
    uint8_t *bytes = pack_list(2000, &size);
    bool failed = true;
    for (uint64_t at = 1; failed; at++) {
        message_memory_init(&memory, 1 << 20);
        memory_fail_at(memory_attempts() + at);
        failed = unpack(bytes, size) == NULL;
        memory_fail_at(0);
        ck_assert_int_eq(failed, message_memory_is_exceeded(&memory));
        message_memory_finish(&memory);
        ck_assert_uint_eq(memory_alive(), 1);
        ck_assert_uint_lt(at, 100);
    }
    memory_free(bytes);
    finish();
}
END_TEST

START_TEST(bombs)
{
    /* Empty map entries, two bytes each, become a hundred bytes and more each. */
    size_t size = 1 << 20;
    uint8_t *bytes = memory_allocate(size, 1);
    for (size_t i = 0; i < size; i += 2) {
        bytes[i] = 0x0a;
        bytes[i + 1] = 0;
    }
    message_memory_init(&memory, 4 << 20);
    ck_assert_ptr_null(unpack(bytes, size));
    ck_assert(message_memory_is_exceeded(&memory));
    message_memory_reset(&memory);
    /* Unknown fields, as many. */
    for (size_t i = 0; i < size; i += 2)
        bytes[i] = 0x7a;
    ck_assert_ptr_null(unpack(bytes, size));
    ck_assert(message_memory_is_exceeded(&memory));
    message_memory_reset(&memory);
    /* Damaged is something else than too large. */
    memset(bytes, 0xff, 100);
    ck_assert_ptr_null(unpack(bytes, 100));
    ck_assert(!message_memory_is_exceeded(&memory));
    memory_free(bytes);
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message memory");
    TCase *all = tcase_create("all");
    tcase_add_test(all, requests_are_aligned_and_apart);
    tcase_add_test(all, ends_at_the_limit);
    tcase_add_test(all, keeps_little_after_reset);
    tcase_add_test(all, out_of_memory_is_an_end);
    tcase_add_test(all, a_parse_fits_or_fails_whole);
    tcase_add_test(all, each_allocation_failing_once);
    tcase_add_test(all, bombs);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
