/* What is said of a call that has failed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"
#include "support/suite.h"

static const struct {
    int code;
    const char *details;
    bool opened;
    steno_status status;
    const char *message;
} cases[] = {
    {STATUS_UNAVAILABLE,
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to "
        "connect to remote host: Connection refused",
        false, STENO_ERROR_NOT_FOUND, "cannot connect to HOST:1: connection refused"},
    {STATUS_UNAVAILABLE,
        "Ssl handshake failed: SSL_ERROR_SSL: error:0A000086:SSL routines::certificate verify "
        "failed",
        false, STENO_ERROR_PERMISSION,
        "cannot connect to HOST:1: its certificate is not signed by an authority that is trusted"},
    {STATUS_UNAVAILABLE, "something new", false, STENO_ERROR_NOT_FOUND,
        "cannot connect to HOST:1: something new"},
    {STATUS_UNAVAILABLE, "Socket closed", true, STENO_ERROR_IO,
        "the connection to HOST:1 was lost: it hung up"},
    {STATUS_UNAVAILABLE, "keepalive watchdog timeout", true, STENO_ERROR_IO,
        "the connection to HOST:1 was lost: it no longer answers"},
    {STATUS_UNAVAILABLE, "the server is shutting down", true, STENO_ERROR_IO,
        "HOST:1 is shutting down"},
    {STATUS_DEADLINE_EXCEEDED, "Deadline Exceeded", false, STENO_ERROR_NOT_FOUND,
        "cannot connect to HOST:1: no answer in time"},
    {STATUS_RESOURCE_EXHAUSTED, "the server's limit of 1 streams at once is reached", true,
        STENO_ERROR_LIMIT, "HOST:1 is full: the server's limit of 1 streams at once is reached"},
    {STATUS_INVALID_ARGUMENT, "options.chunk_ms: 5", true, STENO_ERROR_ARGUMENT,
        "HOST:1 refuses what was sent: options.chunk_ms: 5"},
    {STATUS_UNAUTHENTICATED, "no", true, STENO_ERROR_PERMISSION, "HOST:1 does not let us in: no"},
    {STATUS_UNIMPLEMENTED, "no such method", true, STENO_ERROR_UNSUPPORTED,
        "HOST:1 is no Steno server that could do this: no such method"},
    {STATUS_OK, "", true, STENO_ERROR_IO, "HOST:1 has ended the stream before the audio's end"},
    {STATUS_CANCELLED, "", true, STENO_ERROR_IO, "HOST:1 has ended the stream: no reason given"},
    {99, "two\nlines\t", true, STENO_ERROR_INTERNAL, "HOST:1 has failed: two lines "},
};

START_TEST(each)
{
    steno_error error;
    ck_assert_int_eq(
        status_explain("HOST:1", cases[_i].code, cases[_i].details, cases[_i].opened, &error),
        cases[_i].status);
    ck_assert_int_eq(error.status, cases[_i].status);
    ck_assert_str_eq(error.message, cases[_i].message);
}
END_TEST

START_TEST(long_details_are_cut)
{
    char details[5000];
    memset(details, 'x', sizeof details - 1);
    details[sizeof details - 1] = '\0';
    steno_error error;
    status_explain("HOST:1", 13, details, true, &error);
    ck_assert_uint_lt(strlen(error.message), sizeof error.message - 1);
    ck_assert_str_eq(error.message + strlen(error.message) - 4, "x...");
    /* Between characters, wherever they begin. */
    for (size_t first = 0; first < 3; first++) {
        for (size_t at = first; at + 3 < sizeof details; at += 3)
            memcpy(details + at, "\xe6\x97\xa5", 3);
        status_explain("HOST:1", 13, details, true, &error);
        ck_assert_str_eq(error.message + strlen(error.message) - 6, "\xe6\x97\xa5...");
    }
}
END_TEST

START_TEST(which_are_worth_another_server)
{
    ck_assert(status_is_worth_another(STATUS_UNAVAILABLE));
    ck_assert(status_is_worth_another(STATUS_RESOURCE_EXHAUSTED));
    ck_assert(!status_is_worth_another(STATUS_INVALID_ARGUMENT));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client status");
    TCase *tests = tcase_create("status");
    tcase_add_loop_test(tests, each, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tests, long_details_are_cut);
    tcase_add_test(tests, which_are_worth_another_server);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
