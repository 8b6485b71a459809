/* The log's two forms: what goes between quotes, what is escaped, what is cut. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "speech/heard.h"
#include "support/suite.h"
#include "system/log.h"

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
        {"\xc2\x9bm", "value=\"\\u009bm\""},
        {"gr\xc3\xbc\xc3\x9f", "value=\"gr\xc3\xbc\xc3\x9f\""},
        {"\xff\xc3", "value=\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[256];
        snprintf(line, sizeof(line), "stenod: hello first=1 %s\n", cases[i].line);
        say("hello", cases[i].value);
        ck_assert_str_eq(said(), line);
    }
    log_say(&log_under_test, LOG_LEVEL_WARNING, "%s\n", "x\ny\xc2\x9b\xc3\x9f");
    ck_assert_str_eq(said(), "stenod: warning: x?y?\xc3\x9f?\n");
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

static void hear(const char *transcript, uint32_t channel)
{
    const steno_alternative alternative = {.text = transcript};
    const steno_result result = {.is_final = true,
        .start_ms = 480,
        .end_ms = 2160,
        .alternatives = &alternative,
        .alternative_count = 1};
    const wire_result as_sent = {.result = &result, .channel_tag = channel};
    heard_final(&log_under_test, "request_id", "mine", &as_sent);
}

START_TEST(transcripts_only_when_asked_for)
{
    log_set(&log_under_test, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    hear("she had", 0);
    ck_assert_str_eq(said(), "");
    log_set_transcripts(&log_under_test, true);
    hear("she had", 0);
    ck_assert_str_eq(
        said(), "stenod: transcript request_id=mine begin_ms=480 end_ms=2160 text=\"she had\"\n");
    hear("she had", 2);
    ck_assert_ptr_nonnull(strstr(said(), "request_id=mine channel=2 begin_ms"));
    hear("", 0);
    ck_assert_str_eq(said(), "");
    log_set(&log_under_test, LOG_LEVEL_WARNING, LOG_FORMAT_TEXT);
    hear("she had", 0);
    ck_assert_str_eq(said(), "");
    log_set(&log_under_test, LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_set_transcripts(&log_under_test, false);
    hear("she had", 0);
    ck_assert_str_eq(said(), "");
}
END_TEST

/* Several entries, of whole words, that together are the text. */
static void check_whole(const char *transcript)
{
    static char joined[4096];
    char lines[sizeof(text)];
    joined[0] = '\0';
    hear(transcript, 0);
    snprintf(lines, sizeof(lines), "%s", said());
    int count = 0;
    for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n"), count++) {
        json_t *object = json_loads(line, 0, NULL);
        const char *piece = json_string_value(json_object_get(object, "text"));
        ck_assert_msg(piece != NULL, "%s", line);
        ck_assert_uint_le(strlen(piece), 400);
        ck_assert_str_eq(json_string_value(json_object_get(object, "request_id")), "mine");
        if (count > 0 && strchr(transcript, ' ') != NULL)
            strcat(joined, " ");
        strcat(joined, piece);
        json_decref(object);
    }
    ck_assert_int_gt(count, 1);
    ck_assert_str_eq(joined, transcript);
}

START_TEST(long_transcripts)
{
    static char transcript[2000];
    log_set(&log_under_test, LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_set_transcripts(&log_under_test, true);
    for (size_t word = 1; word < 60; word++) {
        transcript[0] = '\0';
        while (strlen(transcript) + word + 1 < 1800) {
            if (transcript[0] != '\0')
                strcat(transcript, " ");
            size_t length = strlen(transcript);
            memset(transcript + length, 'a', word);
            transcript[length + word] = '\0';
        }
        check_whole(transcript);
    }
    /* One word, of characters of two bytes. */
    for (size_t i = 0; i + 1 < 1001; i += 2)
        memcpy(transcript + i, "\xc3\xbc", 3);
    check_whole(transcript);
    transcript[0] = 'u';
    transcript[1] = 'b';
    memmove(transcript + 1, transcript + 2, strlen(transcript + 2) + 1);
    check_whole(transcript);
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
    tcase_add_test(all, transcripts_only_when_asked_for);
    tcase_add_test(all, long_transcripts);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
