/* What addresses say; that they can be had is tested from outside (tests/e2e/daemon). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/suite.h"
#include "system/listen.h"

START_TEST(addresses)
{
    static const struct {
        const char *text;
        listen_kind kind;
        const char *host;
        uint16_t port;
        const char *grpc;
        bool is_local;
    } rows[] = {
        {"127.0.0.1:50051", LISTEN_PLAIN, "127.0.0.1", 50051, "127.0.0.1:50051", true},
        {"127.9.9.9:0", LISTEN_PLAIN, "127.9.9.9", 0, "127.9.9.9:0", true},
        {"localhost:1", LISTEN_PLAIN, "localhost", 1, "localhost:1", true},
        {"[::1]:65535", LISTEN_PLAIN, "::1", 65535, "[::1]:65535", true},
        {"[::]:1", LISTEN_PLAIN, "::", 1, "[::]:1", false},
        {"0.0.0.0:1", LISTEN_PLAIN, "0.0.0.0", 1, "0.0.0.0:1", false},
        {"128.0.0.1:1", LISTEN_PLAIN, "128.0.0.1", 1, "128.0.0.1:1", false},
        {"127.example.org:1", LISTEN_PLAIN, "127.example.org", 1, "127.example.org:1", false},
        {"localhost.example.org:1", LISTEN_PLAIN, "localhost.example.org", 1,
            "localhost.example.org:1", false},
        {"tls:127.0.0.1:2", LISTEN_TLS, "127.0.0.1", 2, "127.0.0.1:2", true},
        {"tls:[::]:2", LISTEN_TLS, "::", 2, "[::]:2", false},
        {"tls:2", LISTEN_PLAIN, "tls", 2, "tls:2", false},
        {"unix:/run/x.sock", LISTEN_UNIX, "", 0, "unix:/run/x.sock", true},
        {"unix:x", LISTEN_UNIX, "", 0, "unix:x", true},
    };
    listen_address address;
    steno_error error;
    ck_assert_int_eq(listen_parse(rows[_i].text, &address, &error), STENO_OK);
    ck_assert_int_eq(address.kind, rows[_i].kind);
    ck_assert_str_eq(address.host, rows[_i].host);
    ck_assert_uint_eq(address.port, rows[_i].port);
    ck_assert_str_eq(address.grpc, rows[_i].grpc);
    ck_assert_int_eq(listen_is_local(&address), rows[_i].is_local);
    ck_assert_int_eq(address.path != NULL, address.kind == LISTEN_UNIX);
}
END_TEST
#define ADDRESS_COUNT 14

START_TEST(no_addresses)
{
    static const char *const texts[] = {"", ":", "x", "x:", ":1", "x:y", "x:1y", "x:65536", "x:-1",
        "x:+1", "x: 1", "x:000001", "[::1]", "[::1]1", "[::1:1", "::1:1", "[]:1", "tls:", "tls::1",
        "tls:x:", "unix:"};
    listen_address address;
    memset(&address, 7, sizeof(address));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        steno_error error;
        ck_assert_msg(
            listen_parse(texts[i], &address, &error) == STENO_ERROR_ARGUMENT, "\"%s\"", texts[i]);
        ck_assert_int_eq(strncmp(error.message, texts[i], strlen(texts[i])), 0);
    }
    /* Written on success alone. */
    ck_assert_int_eq(address.host[0], 7);
    char longest[400];
    memset(longest, 'x', sizeof(longest));
    memcpy(longest + 300, ":1", 3);
    ck_assert_int_eq(listen_parse(longest, &address, NULL), STENO_ERROR_ARGUMENT);
}
END_TEST

START_TEST(only_the_own_socket_is_removed)
{
    char folder[] = "/tmp/stenod-listen-XXXXXX", text[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(text, sizeof(text), "unix:%s/socket", folder);
    listen_address address;
    listen_socket kept = {0};
    steno_error error;
    ck_assert_int_eq(listen_parse(text, &address, &error), STENO_OK);
    ck_assert_int_lt(listen_keep_socket(&address, text, &kept, &error), 0);
    for (int replaced = 0; replaced < 2; replaced++) {
        FILE *file = fopen(address.path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(listen_keep_socket(&address, text, &kept, &error), STENO_OK);
        if (replaced != 0) {
            /* While the old file is open its number is not given to another. */
            ck_assert_int_eq(unlink(address.path), 0);
            fclose(fopen(address.path, "w"));
        }
        listen_remove_socket(&kept);
        fclose(file);
        ck_assert_int_eq(access(address.path, F_OK), replaced != 0 ? 0 : -1);
    }
    listen_remove_socket(&kept);
    ck_assert_int_eq(unlink(address.path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listen");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, addresses, 0, ADDRESS_COUNT);
    tcase_add_test(all, no_addresses);
    tcase_add_test(all, only_the_own_socket_is_removed);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
