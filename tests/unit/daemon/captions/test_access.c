/* Which hosts are this one, and which forms hold a token. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "captions/access.h"
#include "support/suite.h"

START_TEST(own_hosts)
{
    static const char *const own[] = {"127.0.0.1", "127.0.0.1:9464", "10.1.2.3:80", "[::1]",
        "[::1]:9464", "[fe80::1]:1", "localhost", "LocalHost:9464", "desk.localhost:1"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        ck_assert_msg(captions_access_is_own_host(own[i]), "%s", own[i]);
    char name[300];
    ck_assert_int_eq(gethostname(name, 250), 0);
    ck_assert(captions_access_is_own_host(name));
    ck_assert(captions_access_is_own_host(strcat(name, ".local:9464")));
}
END_TEST

START_TEST(other_hosts)
{
    static const char *const others[] = {"", ":80", "example.com", "example.com:9464",
        "127.0.0.1.example.com", "localhost.example.com", ".localhost", "notlocalhost",
        "[127.0.0.1.example.com]:80", "127.0.0.1@example.com", "1", "127.1"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_msg(!captions_access_is_own_host(others[i]), "%s", others[i]);
    char name[1000];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ck_assert(!captions_access_is_own_host(name));
}
END_TEST

START_TEST(forms)
{
    char text[TOKEN_MAX_BYTES];
    ck_assert(captions_access_read_form("token=abc-_09", text));
    ck_assert_str_eq(text, "abc-_09");
    ck_assert(captions_access_read_form("token=a%2Bb%2f%3D&more=1", text));
    ck_assert_str_eq(text, "a+b/=");
    ck_assert(captions_access_read_form("user=me&token=abc&x=y", text));
    ck_assert_str_eq(text, "abc");
    static const char *const wrong[] = {"", "&", "user=me", "user=token=a", "a&b&", "token",
        "token=", "token=&a=b", "xtoken=a", "token=a+b", "token=a%", "token=a%2", "token=a%zz",
        "token=a%0d%0aSet-Cookie:", "token=a;b", "token=a%3Bb", "token=a%22", "token=a%2Cb",
        "token=a%00b", "token=%C3%A9", "token=a b"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(!captions_access_read_form(wrong[i], text), "%s", wrong[i]);
    /* As long as can be, and one longer. */
    char body[TOKEN_MAX_BYTES + 8] = "token=";
    memset(body + 6, 'x', TOKEN_MAX_BYTES - 1);
    ck_assert(captions_access_read_form(body, text));
    ck_assert_uint_eq(strlen(text), TOKEN_MAX_BYTES - 1);
    body[6 + TOKEN_MAX_BYTES - 1] = 'x';
    ck_assert(!captions_access_read_form(body, text));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("captions_access");
    TCase *all = tcase_create("all");
    tcase_add_test(all, own_hosts);
    tcase_add_test(all, other_hosts);
    tcase_add_test(all, forms);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
