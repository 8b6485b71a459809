/* Settings from the command line, the environment and files. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "settings/config.h"
#include "settings/options.h"
#include "support/suite.h"

static daemon_options options;
static steno_error error;

static void begin(void)
{
    ck_assert_int_eq(options_init(&options), STENO_OK);
    unsetenv("RUNTIME_DIRECTORY");
}

static void finish(void)
{
    options_finish(&options);
    ck_assert_uint_eq(memory_alive(), 0);
}

static steno_status arguments(const char *const *words)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    return options_read_arguments(&options, count, (char *const *)words, &error);
}
#define ARGUMENTS(...) arguments((const char *const[]){"stenod", __VA_ARGS__, NULL})

static steno_status environment(const char *const *variables)
{
    return options_read_environment(&options, (char *const *)variables, &error);
}
#define ENVIRONMENT(...) environment((const char *const[]){__VA_ARGS__, NULL})

static steno_status file(const char *text)
{
    char path[] = "/tmp/stenod-options-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    steno_status status = config_read(&options, path, &error);
    unlink(path);
    return status;
}

START_TEST(presets)
{
    ck_assert_uint_eq(options.notice_seconds, 0);
    ck_assert_uint_eq(options.drain_seconds, 10);
    ck_assert(!options.log_transcripts);
    ck_assert_uint_eq(options.backlog_seconds, 10);
    ck_assert_uint_eq(options.max_message_mb, 32);
    ck_assert_uint_eq(options.precision, STENO_PRECISION_AUTO);
    ck_assert_ptr_null(options.model);
    setenv("XDG_RUNTIME_DIR", "/tmp", 1);
    ck_assert_int_eq(options_complete(&options, &error), STENO_OK);
    ck_assert_uint_gt(options.max_streams, 0);
    ck_assert_uint_eq(options.listen.count, 2);
    ck_assert_str_eq(options.listen.items[0], "127.0.0.1:50051");
    ck_assert_str_eq(options.listen.items[1], "unix:/tmp/stenod.sock");
}
END_TEST

/* A service has a folder of its own. */
START_TEST(default_socket_of_a_service)
{
    setenv("XDG_RUNTIME_DIR", "/no/such/folder", 1);
    setenv("RUNTIME_DIRECTORY", "/tmp", 1);
    ck_assert_int_eq(options_complete(&options, &error), STENO_OK);
    ck_assert_uint_eq(options.listen.count, 2);
    ck_assert_str_eq(options.listen.items[1], "unix:/tmp/stenod.sock");
}
END_TEST

START_TEST(no_default_addresses_beside_sockets)
{
    options.has_sockets = true;
    ck_assert_int_eq(options_complete(&options, &error), STENO_OK);
    ck_assert_uint_eq(options.listen.count, 0);
}
END_TEST

/* What differs and does not reload, one after the other. */
START_TEST(what_a_reload_does_not_change)
{
    daemon_options other;
    ck_assert_int_eq(options_init(&other), STENO_OK);
    ck_assert_ptr_null(options_next_fixed(&options, &other, NULL));
    ck_assert_int_eq(ARGUMENTS("--max-streams", "3", "--model", "m", "--tokens", "t"), STENO_OK);
    ck_assert_ptr_null(options_next_fixed(&options, &other, NULL));
    ck_assert_int_eq(ARGUMENTS("--listen", "unix:/x", "--threads", "3", "--http", "localhost:1",
                         "--allow-plaintext-beyond-loopback"),
        STENO_OK);
    const char *const fixed[] = {"listen", "allow-plaintext-beyond-loopback", "threads", "http"};
    const option_entry *entry = NULL;
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        entry = options_next_fixed(&options, &other, entry);
        ck_assert_ptr_nonnull(entry);
        ck_assert_str_eq(entry->name, fixed[i]);
    }
    ck_assert_ptr_null(options_next_fixed(&options, &other, entry));
    options_finish(&other);
}
END_TEST

START_TEST(no_default_socket_where_none_can_be)
{
    setenv("XDG_RUNTIME_DIR", "/no/such/folder", 1);
    ck_assert_int_eq(options_complete(&options, &error), STENO_OK);
    ck_assert_uint_eq(options.listen.count, 1);
}
END_TEST

START_TEST(command_line)
{
    ck_assert_int_eq(ARGUMENTS("--listen", "127.0.0.1:1", "--listen=unix:/x,[::1]:2", "--precision",
                         "int8", "--threads=3", "--check-config", "--model", "/a=b"),
        STENO_OK);
    ck_assert_int_eq(options_complete(&options, &error), STENO_OK);
    ck_assert_uint_eq(options.listen.count, 3);
    ck_assert_str_eq(options.listen.items[2], "[::1]:2");
    ck_assert_uint_eq(options.precision, STENO_PRECISION_INT8);
    ck_assert_uint_eq(options.threads, 3);
    ck_assert_uint_eq(options.max_streams, 150);
    ck_assert_str_eq(options.model, "/a=b");
    ck_assert(options.check_config && !options.help);
}
END_TEST

START_TEST(precision_names_are_those_of_the_library)
{
    for (int precision = STENO_PRECISION_AUTO; precision <= STENO_PRECISION_INT8; precision++) {
        ck_assert_int_eq(
            ARGUMENTS("--precision", steno_precision_name((steno_precision)precision)), STENO_OK);
        ck_assert_uint_eq(options.precision, (uint32_t)precision);
    }
}
END_TEST

START_TEST(wrong)
{
    static const char *const words[][4] = {
        {"stenod", "--threads", "-1", NULL},
        {"stenod", "--threads", "", NULL},
        {"stenod", "--threads", "1x", NULL},
        {"stenod", "--threads", "99999999999999999999", NULL},
        {"stenod", "--drain-seconds", "86401", NULL},
        {"stenod", "--model=", NULL, NULL},
        {"stenod", "--precision", "F32", NULL},
        {"stenod", "--check-config=perhaps", NULL, NULL},
        {"stenod", "--", NULL, NULL},
        {"stenod", "-x", NULL, NULL},
        {"stenod", "--thread", "1", NULL},
        {"stenod", "--threadss", "1", NULL},
        {"stenod", "--model", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        ck_assert_msg(arguments(words[i]) == STENO_ERROR_ARGUMENT, "%s %s", words[i][1],
            words[i][2] != NULL ? words[i][2] : "");
        ck_assert_int_eq(strncmp(error.message, words[i][1], strcspn(words[i][1], "=")), 0);
    }
    ck_assert_uint_eq(options.threads, 0);
}
END_TEST

START_TEST(stronger_sources_win_in_any_order)
{
    ck_assert_int_eq(ARGUMENTS("--threads", "1", "--listen", "127.0.0.1:1"), STENO_OK);
    ck_assert_int_eq(
        ENVIRONMENT("A=b", "STENOD_THREADS=2", "STENOD_CHUNK=20", "STENOD_LISTEN=x:1,x:2",
            "STENOD_PORT=tcp://1", "STENOD_HELP=yes", "STENOD_MODEL="),
        STENO_OK);
    ck_assert_int_eq(file("threads = 3\n chunk = 30\nmodel=m\nlisten = y:1"), STENO_OK);
    ck_assert_uint_eq(options.threads, 1);
    ck_assert_uint_eq(options.chunk_ms, 20);
    ck_assert_str_eq(options.model, "m");
    ck_assert(!options.help);
    ck_assert_uint_eq(options.listen.count, 1);
    ck_assert_str_eq(options.listen.items[0], "127.0.0.1:1");
}
END_TEST

START_TEST(a_list_of_a_stronger_source_begins_anew)
{
    ck_assert_int_eq(file("listen = y:1\nlisten = y:2"), STENO_OK);
    ck_assert_uint_eq(options.listen.count, 2);
    ck_assert_int_eq(ENVIRONMENT("STENOD_LISTEN=x:1"), STENO_OK);
    ck_assert_uint_eq(options.listen.count, 1);
    ck_assert_str_eq(options.listen.items[0], "x:1");
}
END_TEST

START_TEST(plaintext_stays_at_home)
{
    ck_assert_int_eq(ARGUMENTS("--listen", "0.0.0.0:1"), STENO_OK);
    ck_assert_int_eq(options_complete(&options, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(file("allow-plaintext-beyond-loopback = yes"), STENO_OK);
    ck_assert_int_eq(options_complete(&options, &error), STENO_OK);
    ck_assert_int_eq(ENVIRONMENT("STENOD_ALLOW_PLAINTEXT_BEYOND_LOOPBACK=0"), STENO_OK);
    ck_assert_int_eq(options_complete(&options, &error), STENO_ERROR_ARGUMENT);
}
END_TEST

START_TEST(tls_wants_a_pair)
{
    ck_assert_int_eq(ARGUMENTS("--listen", "tls:0.0.0.0:1", "--tls-cert", "c"), STENO_OK);
    ck_assert_int_eq(options_complete(&options, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(ARGUMENTS("--tls-key", "k"), STENO_OK);
    ck_assert_int_eq(options_complete(&options, &error), STENO_OK);
}
END_TEST

/* All that reads settings, for the allocations. */
static steno_status everything(void)
{
    steno_status status = options_init(&options);
    if (status == STENO_OK)
        status = ARGUMENTS("--listen", "127.0.0.1:1,unix:/x", "--tls-cert", "c");
    if (status == STENO_OK)
        status = file("[server]\ntls-key = k\n[recognition]\nmodel = m");
    if (status == STENO_OK)
        status = ENVIRONMENT("STENOD_MODEL=n", "STENOD_LISTEN=tls:x:1");
    return status;
}

START_TEST(each_allocation_failing_once)
{
    options_finish(&options);
    steno_status status = STENO_ERROR_MEMORY;
    uint64_t at;
    for (at = 1; status != STENO_OK; at++) {
        memory_fail_at(memory_attempts() + at);
        status = everything();
        memory_fail_at(0);
        ck_assert(status == STENO_OK || status == STENO_ERROR_MEMORY);
        options_finish(&options);
        ck_assert_uint_eq(memory_alive(), 0);
    }
    ck_assert_uint_gt(at, 5);
    ck_assert_int_eq(options_init(&options), STENO_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, finish);
    tcase_add_test(all, presets);
    tcase_add_test(all, no_default_socket_where_none_can_be);
    tcase_add_test(all, default_socket_of_a_service);
    tcase_add_test(all, no_default_addresses_beside_sockets);
    tcase_add_test(all, what_a_reload_does_not_change);
    tcase_add_test(all, command_line);
    tcase_add_test(all, precision_names_are_those_of_the_library);
    tcase_add_test(all, wrong);
    tcase_add_test(all, stronger_sources_win_in_any_order);
    tcase_add_test(all, a_list_of_a_stronger_source_begins_anew);
    tcase_add_test(all, plaintext_stays_at_home);
    tcase_add_test(all, tls_wants_a_pair);
    tcase_add_test(all, each_allocation_failing_once);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
