/* The log's two forms: what goes between quotes, what is escaped, what is cut. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/log.h"

static log_sink log_under_test;
static int kept, written;
static char text[16384];

static void begin(void)
{
    char path[] = "/tmp/stenod-log-XXXXXX";
    unsetenv("JOURNAL_STREAM");
    kept = dup(STDERR_FILENO);
    written = mkstemp(path);
    ck_assert_int_ge(written, 0);
    unlink(path);
    dup2(written, STDERR_FILENO);
    log_init(&log_under_test);
}

static void finish(void)
{
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(written);
}

/* What has been written since the last time. */
static const char *said(void)
{
    static off_t seen;
    off_t end = lseek(written, 0, SEEK_END);
    if (end < seen)
        seen = 0;
    ssize_t size = pread(written, text, sizeof(text) - 1, seen);
    seen = end;
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void say(const char *message, const char *value)
{
    const log_field fields[] = {{"first", "1"}, {"absent", NULL}, {"value", value}};
    log_write(&log_under_test, LOG_LEVEL_INFO, message, fields, 3);
}

START_TEST(lines_of_text)
{
    static const struct {
        const char *value, *line;
    } cases[] = {
        {"plain", "value=plain"},
        {"", "value=\"\""},
        {"two words", "value=\"two words\""},
        {"a=b", "value=\"a=b\""},
        {"a\"b\\", "value=\"a\\\"b\\\\\""},
        {"a\nstenod: b", "value=\"a\\u000astenod: b\""},
        {"\x1b[31m", "value=\"\\u001b[31m\""},
        {"gr\xc3\xbc\xc3\x9f", "value=\"gr\xc3\xbc\xc3\x9f\""},
        {"\xff\xc3", "value=\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), "stenod: hello first=1 %s\n", cases[i].line);
        say("hello", cases[i].value);
        ck_assert_str_eq(said(), line);
    }
    log_say(&log_under_test, LOG_LEVEL_WARNING, "%s\n", "x\ny");
    ck_assert_str_eq(said(), "stenod: warning: x?y?\n");
}
END_TEST

START_TEST(objects)
{
    static const char *const values[] = {"plain", "", "a\"b\\\n\x01", "gr\xc3\xbc\xc3\x9f",
        "\xf0\x9f\x98\x80", "\xed\xa0\x80 \xf5 \xc0\xaf \xe0\x80\x80"};
    log_set(&log_under_test, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        say("hello", values[i]);
        json_error_t where;
        json_t *object = json_loads(said(), 0, &where);
        ck_assert_msg(object != NULL, "%s: %s", where.text, text);
        ck_assert_uint_eq(json_object_size(object), 5);
        ck_assert_str_eq(json_string_value(json_object_get(object, "message")), "hello");
        ck_assert_str_eq(json_string_value(json_object_get(object, "level")), "info");
        const char *value = json_string_value(json_object_get(object, "value"));
        if (i < 5)
            ck_assert_str_eq(value, values[i]);
        else
            ck_assert_ptr_nonnull(strstr(value, "\xef\xbf\xbd"));
        json_decref(object);
    }
}
END_TEST

/* Whatever its length, a line is one line, an object an object. */
START_TEST(too_long)
{
    static char value[8192];
    for (int json = 0; json < 2; json++) {
        log_set(&log_under_test, LOG_LEVEL_INFO, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        for (size_t size = 400; size < sizeof(value); size += 97) {
            memset(value, size % 2 ? '\x01' : 'a', size);
            value[size] = '\0';
            say("hello", value);
            const char *line = said();
            ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
            ck_assert_uint_le(strlen(line), 4096);
            json_t *object = json ? json_loads(line, 0, NULL) : NULL;
            ck_assert(!json || object != NULL);
            json_decref(object);
        }
        memset(value, '\x01', sizeof(value) - 1);
        log_say(&log_under_test, LOG_LEVEL_INFO, "%s", value);
        const char *line = said();
        json_t *object = json ? json_loads(line, 0, NULL) : NULL;
        ck_assert(!json || object != NULL);
        ck_assert_uint_le(strlen(line), 4096);
        json_decref(object);
    }
}
END_TEST

START_TEST(levels)
{
    static const log_level all[] = {
        LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};
    for (size_t least = 0; least < 4; least++) {
        log_set(&log_under_test, all[least], LOG_FORMAT_TEXT);
        for (size_t i = 0; i < 4; i++) {
            ck_assert_int_eq(log_wants(&log_under_test, all[i]), i <= least);
            log_say(&log_under_test, all[i], "x");
            ck_assert_int_eq(said()[0] != '\0', i <= least);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, finish);
    tcase_add_test(all, lines_of_text);
    tcase_add_test(all, objects);
    tcase_add_test(all, too_long);
    tcase_add_test(all, levels);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
