/* The embedded descriptor set, and damaged ones. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/suite.h"
#include "wire/descriptor_set.h"
#include "wire/descriptors.h"

static descriptors *files;
static steno_error error;

static void begin(void)
{
    ck_assert_int_eq(
        descriptors_create(descriptor_set, descriptor_set_size, &files, &error), STENO_OK);
}

static void finish(void)
{
    descriptors_destroy(files);
    ck_assert_uint_eq(memory_alive(), 0);
}

START_TEST(files_are_the_set)
{
    size_t sum = 0;
    for (size_t i = 0; i < descriptors_count(files); i++) {
        size_t size;
        const uint8_t *bytes = descriptors_file(files, i, &size);
        ck_assert(bytes > descriptor_set && bytes + size <= descriptor_set + descriptor_set_size);
        /* A tag and a size of one to three bytes before each. */
        sum += size + 1 + (size >= 128 ? 1 : 0) + (size >= 16384 ? 1 : 0) + 1;
    }
    ck_assert_uint_eq(sum, descriptor_set_size);
}
END_TEST

START_TEST(symbols)
{
    size_t health = descriptors_find_file(files, "grpc/health/v1/health.proto");
    ck_assert_uint_ne(health, DESCRIPTORS_NONE);
    static const char *const there[] = {"grpc.health.v1.Health", "grpc.health.v1.Health.Watch",
        "grpc.health.v1.HealthCheckResponse", "grpc.health.v1.HealthCheckResponse.status",
        "grpc.health.v1.HealthCheckResponse.ServingStatus",
        "grpc.health.v1.HealthCheckResponse.NOT_SERVING",
        "grpc.health.v1.HealthListResponse.StatusesEntry",
        "grpc.health.v1.HealthListResponse.StatusesEntry.value"};
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
        ck_assert_msg(descriptors_find_symbol(files, there[i]) == health, "%s", there[i]);
    ck_assert_uint_eq(descriptors_find_symbol(
                          files, "grpc.reflection.v1.ServerReflectionRequest.message_request"),
        descriptors_find_file(files, "grpc/reflection/v1/reflection.proto"));
    static const char *const missing[] = {"", ".", "grpc", "grpc.health.v1", "grpc.health.v1.",
        "grpc.health.v1.Healt", "grpc.health.v1.Healthy", "grpc.health.v1.Health.",
        "grpc.health.v1.Health.Watch.x", ".grpc.health.v1.Health",
        "grpc.health.v1.HealthCheckResponse.status.x"};
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++)
        ck_assert_msg(
            descriptors_find_symbol(files, missing[i]) == DESCRIPTORS_NONE, "%s", missing[i]);
    ck_assert(descriptors_is_message(files, "grpc.health.v1.HealthListResponse.StatusesEntry"));
    ck_assert(!descriptors_is_message(files, "grpc.health.v1.Health"));
    ck_assert(!descriptors_is_message(files, "grpc.health.v1.HealthCheckResponse.ServingStatus"));
}
END_TEST

/* A file "f" with an extension of .x.T numbered 5, and one "g" that imports it, by hand. */
static const uint8_t extending[] = {0x0a, 15, 0x0a, 1, 'f', 0x3a, 10, 0x0a, 0, 0x12, 4, '.', 'x',
    '.', 'T', 0x18, 5, 0x0a, 6, 0x0a, 1, 'g', 0x1a, 1, 'f'};

START_TEST(extensions_and_imports)
{
    descriptors_destroy(files);
    ck_assert_int_eq(descriptors_create(extending, sizeof(extending), &files, &error), STENO_OK);
    ck_assert_uint_eq(descriptors_count(files), 2);
    ck_assert_uint_eq(descriptors_find_extension(files, "x.T", 5), 0);
    ck_assert_uint_eq(descriptors_find_extension(files, "x.T", 6), DESCRIPTORS_NONE);
    ck_assert_uint_eq(descriptors_find_extension(files, "x.U", 5), DESCRIPTORS_NONE);
    int32_t numbers[2] = {0};
    ck_assert_uint_eq(descriptors_extension_numbers(files, "x.T", numbers, 2), 1);
    ck_assert_int_eq(numbers[0], 5);
    ck_assert_uint_eq(descriptors_extension_numbers(files, "x.T", numbers, 0), 0);
    bool marked[2] = {false};
    descriptors_mark_closure(files, 0, marked);
    ck_assert(marked[0] && !marked[1]);
    descriptors_mark_closure(files, 1, marked);
    ck_assert(marked[0] && marked[1]);
}
END_TEST

START_TEST(damaged)
{
    descriptors *none = NULL;
    uint8_t bytes[sizeof(extending)];
    /* Cut anywhere but between the files. */
    for (size_t size = 1; size < sizeof(extending); size++) {
        steno_status status = descriptors_create(extending, size, &none, &error);
        ck_assert_msg(status == (size == 17 ? STENO_OK : STENO_ERROR_FORMAT), "%zu", size);
        if (status == STENO_OK)
            descriptors_destroy(none);
    }
    /* An import that is missing; a field that is none of the set's. */
    memcpy(bytes, extending, sizeof(bytes));
    bytes[sizeof(bytes) - 1] = 'h';
    ck_assert_int_eq(descriptors_create(bytes, sizeof(bytes), &none, &error), STENO_ERROR_FORMAT);
    memcpy(bytes, extending, sizeof(bytes));
    bytes[0] = 0x12;
    ck_assert_int_eq(descriptors_create(bytes, sizeof(bytes), &none, &error), STENO_ERROR_FORMAT);
    /* Any byte wrong: fine or refused. */
    for (size_t at = 0; at < sizeof(bytes); at++)
        for (unsigned value = 0; value < 256; value += 5) {
            memcpy(bytes, extending, sizeof(bytes));
            bytes[at] = (uint8_t)value;
            if (descriptors_create(bytes, sizeof(bytes), &none, &error) == STENO_OK)
                descriptors_destroy(none);
        }
}
END_TEST

START_TEST(each_allocation_failing_once)
{
    descriptors_destroy(files);
    files = NULL;
    steno_status status = STENO_ERROR_MEMORY;
    for (uint64_t at = 1; status != STENO_OK; at++) {
        memory_fail_at(memory_attempts() + at);
        status = descriptors_create(descriptor_set, descriptor_set_size, &files, &error);
        memory_fail_at(0);
        if (status != STENO_OK) {
            ck_assert_int_eq(status, STENO_ERROR_MEMORY);
            ck_assert_uint_eq(memory_alive(), 0);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("descriptors");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, finish);
    tcase_add_test(all, files_are_the_set);
    tcase_add_test(all, symbols);
    tcase_add_test(all, extensions_and_imports);
    tcase_add_test(all, damaged);
    tcase_add_test(all, each_allocation_failing_once);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
