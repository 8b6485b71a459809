/* Addresses: what gRPC makes of them, and which are of this machine. */
#include <check.h>
#include <stdlib.h>

#include "address.h"
#include "base/memory.h"
#include "support/suite.h"

static const struct {
    const char *text, *target; /* NULL: refused */
    bool is_tls, is_local;
} cases[] = {
    {"localhost:50051", "dns:///localhost:50051", false, true},
    {"tls:localhost:50051", "dns:///localhost:50051", true, true},
    {"127.0.0.1:1", "dns:///127.0.0.1:1", false, true},
    {"127.8.9.10:65535", "dns:///127.8.9.10:65535", false, true},
    {"127.evil.example:80", "dns:///127.evil.example:80", false, false},
    {"localhost.example:80", "dns:///localhost.example:80", false, false},
    {"speech.example.com:443", "dns:///speech.example.com:443", false, false},
    {"tls:10.0.0.7:443", "dns:///10.0.0.7:443", true, false},
    {"[::1]:50051", "dns:///[::1]:50051", false, true},
    {"[fe80::2]:50051", "dns:///[fe80::2]:50051", false, false},
    {"unix:/run/stenod.sock", "unix:/run/stenod.sock", false, true},
    {"unix:here.sock", "unix:here.sock", false, true},
    {"tls:unix:/x", "unix:/x", true, true},
    {"dns:///speech.example.com:443", "dns:///speech.example.com:443", false, false},
    {"dns:///localhost:443", "dns:///localhost:443", false, true},
    {"dns:localhost", "dns:localhost", false, true},
    /* The name server may say anything. */
    {"dns://8.8.8.8/localhost:443", "dns://8.8.8.8/localhost:443", false, false},
    {"tls:dns:speech.example.com:443", "dns:speech.example.com:443", true, false},
    {"ipv4:127.0.0.1:5,10.0.0.1:5", "ipv4:127.0.0.1:5,10.0.0.1:5", false, false},
    {"ipv4:127.0.0.1:5", "ipv4:127.0.0.1:5", false, true},
    {"ipv6:[::1]:5", "ipv6:[::1]:5", false, true},
    {"ipv6:[::1]:5,[2001:db8::1]:5", "ipv6:[::1]:5,[2001:db8::1]:5", false, false},
    {"unix-abstract:steno", "unix-abstract:steno", false, true},
    {"", NULL, false, false},
    {"tls:", NULL, false, false},
    {"localhost", NULL, false, false},
    {"localhost:", NULL, false, false},
    {":50051", NULL, false, false},
    {"localhost:0", NULL, false, false},
    {"localhost:65536", NULL, false, false},
    {"localhost:+5", NULL, false, false},
    {"localhost:5x", NULL, false, false},
    {"::1:50051", NULL, false, false},
    {"unix:", NULL, false, false},
    {"http://localhost:50051", NULL, false, false},
    {"two words:50051", NULL, false, false},
};

START_TEST(each)
{
    address parsed;
    steno_error error;
    steno_status status = address_parse(cases[_i].text, &parsed, &error);
    if (cases[_i].target == NULL) {
        ck_assert_int_eq(status, STENO_ERROR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(error.message, "is not an address"));
    } else {
        ck_assert_int_eq(status, STENO_OK);
        ck_assert_str_eq(parsed.text, cases[_i].text);
        ck_assert_str_eq(parsed.target, cases[_i].target);
        ck_assert_int_eq(parsed.is_tls, cases[_i].is_tls);
        ck_assert_int_eq(parsed.is_local, cases[_i].is_local);
    }
    address_finish(&parsed);
    ck_assert_uint_eq(memory_alive(), 0);
}
END_TEST

START_TEST(without_memory)
{
    for (int i = 1; i <= 2; i++) {
        address parsed;
        steno_error error;
        memory_fail_at(memory_attempts() + (uint64_t)i);
        ck_assert_int_eq(address_parse("localhost:1", &parsed, &error), STENO_ERROR_MEMORY);
        address_finish(&parsed);
        ck_assert_uint_eq(memory_alive(), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client addresses");
    TCase *tests = tcase_create("address");
    tcase_add_loop_test(tests, each, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
