/* Creating and destroying the server and its services; calls are tested from outside
 * (tests/e2e/daemon). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "server/server.h"
#include "services/health.h"
#include "services/reflection.h"
#include "support/suite.h"
#include "wire/descriptor_set.h"

static char folder[32], socket_path[64], socket_address[80];
static steno_error error;

static void begin(void)
{
    snprintf(folder, sizeof(folder), "/tmp/stenod-server-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
    snprintf(socket_address, sizeof(socket_address), "unix:%s", socket_path);
}

static void finish(void)
{
    rmdir(folder);
    ck_assert_uint_eq(memory_alive(), 0);
}

static server_options options_of(const char *const *addresses, size_t count)
{
    return (server_options){.addresses = addresses,
        .address_count = count,
        .max_streams = 1,
        .max_calls = 4,
        .max_message_bytes = 1000,
        .max_metadata_bytes = 1000,
        .memory_bytes = 1 << 20};
}

static steno_status create(server **out)
{
    const char *const addresses[] = {"127.0.0.1:0", socket_address};
    server_options options = options_of(addresses, 2);
    return server_create(&options, NULL, 0, out, &error);
}

START_TEST(without_running)
{
    server *self;
    ck_assert_int_eq(create(&self), STENO_OK);
    ck_assert_int_gt(server_port(self, 0), 0);
    ck_assert_int_eq(server_port(self, 1), 0);
    ck_assert_int_eq(server_port(self, 2), 0);
    ck_assert_uint_eq(server_streams(self), 0);
    ck_assert_int_eq(access(socket_path, F_OK), 0);
    server_destroy(self);
    ck_assert_int_ne(access(socket_path, F_OK), 0);
    server_destroy(NULL);
}
END_TEST

START_TEST(shut_down_before_running)
{
    server *self;
    ck_assert_int_eq(create(&self), STENO_OK);
    server_shutdown(self, 0, 100000);
    server_shutdown(self, 0, 0);
    server_shutdown(self, 0, 100000);
    server_run(self);
    server_destroy(self);
}
END_TEST

START_TEST(nothing_to_listen_on)
{
    server *self = NULL;
    server_options options = options_of(NULL, 0);
    ck_assert_int_eq(server_create(&options, NULL, 0, &self, &error), STENO_ERROR_ARGUMENT);
    const char *const twice[] = {socket_address, socket_address};
    options = options_of(twice, 2);
    ck_assert_int_eq(server_create(&options, NULL, 0, &self, &error), STENO_ERROR_STATE);
    const char *const damaged[] = {"tls:127.0.0.1:0"};
    options = options_of(damaged, 1);
    options.tls_certificate = options.tls_key = "no PEM";
    ck_assert_int_eq(server_create(&options, NULL, 0, &self, &error), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_null(self);
}
END_TEST

START_TEST(each_allocation_failing_once)
{
    server *self = NULL;
    steno_status status = STENO_ERROR_MEMORY;
    uint64_t at;
    for (at = 1; status != STENO_OK; at++) {
        memory_fail_at(memory_attempts() + at);
        status = create(&self);
        memory_fail_at(0);
        if (status != STENO_OK) {
            ck_assert_int_eq(status, STENO_ERROR_MEMORY);
            ck_assert_uint_eq(memory_alive(), 0);
        }
    }
    ck_assert_uint_gt(at, 3);
    server_destroy(self);
}
END_TEST

static const call_method first = {.path = "/b.B/One"}, second = {.path = "/a.A/One"},
                         third = {.path = "/b.B/Two"};
static const call_method *const table[] = {&first, &second, &third};

START_TEST(service_names_sorted_once)
{
    service_names names = {0};
    ck_assert_int_eq(service_names_add(&names, table, 3), STENO_OK);
    ck_assert_int_eq(service_names_add(&names, table, 2), STENO_OK);
    ck_assert_uint_eq(names.count, 2);
    ck_assert_str_eq(names.names[0], "a.A");
    ck_assert_str_eq(names.names[1], "b.B");
    ck_assert(service_names_has(&names, "b.B"));
    ck_assert(!service_names_has(&names, "b"));
    ck_assert(!service_names_has(&names, ""));
    service_names_finish(&names);
}
END_TEST

/* Names, health and reflection. */
static steno_status create_services(service_names *names, health **checks, reflection **mirror)
{
    if (service_names_add(names, table, 3) < 0)
        return STENO_ERROR_MEMORY;
    steno_status status = health_create(names, checks, &error);
    return status < 0
               ? status
               : reflection_create(descriptor_set, descriptor_set_size, names, mirror, &error);
}

START_TEST(each_allocation_of_services_failing_once)
{
    steno_status status = STENO_ERROR_MEMORY;
    for (uint64_t at = 1; status != STENO_OK; at++) {
        service_names names = {0};
        health *checks = NULL;
        reflection *mirror = NULL;
        memory_fail_at(memory_attempts() + at);
        status = create_services(&names, &checks, &mirror);
        memory_fail_at(0);
        ck_assert(status == STENO_OK || status == STENO_ERROR_MEMORY);
        reflection_destroy(mirror);
        health_destroy(checks);
        service_names_finish(&names);
        ck_assert_uint_eq(memory_alive(), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, begin, finish);
    tcase_add_test(all, without_running);
    tcase_add_test(all, shut_down_before_running);
    tcase_add_test(all, nothing_to_listen_on);
    tcase_add_test(all, each_allocation_failing_once);
    tcase_add_test(all, service_names_sorted_once);
    tcase_add_test(all, each_allocation_of_services_failing_once);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
