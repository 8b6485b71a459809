/* Texts in JSON, HTML and addresses, each judged by what must come out. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/suite.h"
#include "system/text.h"

static char *written(void (*write)(FILE *file, const char *text), const char *text)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    write(file, text);
    ck_assert_int_eq(fclose(file), 0);
    return out;
}

static void expect(
    void (*write)(FILE *file, const char *text), const char *text, const char *expected)
{
    char *out = written(write, text);
    ck_assert_str_eq(out, expected);
    free(out);
}

START_TEST(json)
{
    expect(text_write_json, "", "\"\"");
    expect(text_write_json, "a \"b\" \\ c", "\"a \\\"b\\\" \\\\ c\"");
    expect(text_write_json, "\r\n\t\x7f", "\"\\u000d\\u000a\\u0009\\u007f\"");
    expect(text_write_json, "\xc2\x80\xc2\x9f\xc2\xa0", "\"\\u0080\\u009f\xc2\xa0\"");
    expect(text_write_json, "caf\xc3\xa9 \xf0\x9f\x8e\xa4", "\"caf\xc3\xa9 \xf0\x9f\x8e\xa4\"");
    /* Not UTF-8: a lone byte, one cut off, overlong, a surrogate, beyond the last. */
    expect(text_write_json, "\xff-\xc3", "\"\xef\xbf\xbd-\xef\xbf\xbd\"");
    expect(text_write_json, "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    expect(text_write_json, "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    expect(text_write_json, "\xf4\x90\x80\x80",
        "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}
END_TEST

/* Whatever bytes it is given, a parser takes it, and it is one line. */
START_TEST(json_of_anything)
{
    srand(11);
    for (int round = 0; round < 5000; round++) {
        char text[24] = "";
        for (size_t i = 0; i + 1 < sizeof(text); i++)
            text[i] = (char)(1 + rand() % 255);
        char *out = written(text_write_json, text);
        ck_assert_ptr_null(strpbrk(out, "\r\n"));
        json_t *parsed = json_loads(out, JSON_DECODE_ANY, NULL);
        ck_assert_ptr_nonnull(parsed);
        json_decref(parsed);
        free(out);
    }
}
END_TEST

START_TEST(html)
{
    expect(text_write_html, "a<b>&\"'", "a&#60;b&#62;&#38;&#34;&#39;");
    expect(text_write_html, "caf\xc3\xa9\xff", "caf\xc3\xa9\xef\xbf\xbd");
}
END_TEST

START_TEST(url)
{
    expect(text_write_url, "Az09-._~", "Az09-._~");
    expect(text_write_url, "a b/c?d#e%f&g=h:\"\r\n", "a%20b%2Fc%3Fd%23e%25f%26g%3Dh%3A%22%0D%0A");
    expect(text_write_url, "\xc3\xa9", "%C3%A9");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text");
    TCase *all = tcase_create("all");
    tcase_add_test(all, json);
    tcase_add_test(all, json_of_anything);
    tcase_add_test(all, html);
    tcase_add_test(all, url);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
