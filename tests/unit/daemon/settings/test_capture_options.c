/* Captures in the configuration file: what is taken, and what is refused at which line. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "settings/config.h"
#include "settings/options.h"
#include "steno/audio.h"
#include "support/suite.h"

static daemon_options options;
static steno_error error;
static char path[64];

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

static steno_status read_into(daemon_options *into, const char *text)
{
    snprintf(path, sizeof path, "/tmp/stenod-captures-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    steno_status status = config_read(into, path, &error);
    unlink(path);
    return status == STENO_OK ? options_complete(into, &error) : status;
}

static steno_status file(const char *text)
{
    return read_into(&options, text);
}

/* Refused with a message that has `where` after the path, and `reason`. */
static void refused(const char *text, const char *where, const char *reason)
{
    char place[96];
    finish();
    begin();
    ck_assert_int_lt(file(text), 0);
    snprintf(place, sizeof place, "%s%s", path, where);
    ck_assert_msg(strncmp(error.message, place, strlen(place)) == 0, "%s", error.message);
    ck_assert_msg(strstr(error.message, reason) != NULL, "%s", error.message);
}

START_TEST(three_captures)
{
    ck_assert_int_eq(file("# what the daemon listens to\n"
                          "[capture hall]\n"
                          "device = USB Audio, mono\n"
                          "phrase = Ada Lovelace, countess=7.5\n"
                          "phrase = Jacquard\n"
                          "[capture tape.1]\n"
                          "file = /proc/self/exe\n"
                          "loop = yes\n"
                          "[limits]\n"
                          "max-streams = 7\n"
                          "[capture   line-2 ]\n"
                          "fifo = /nowhere/at all\n"
                          "rate=8000\n"
                          "encoding = mulaw\n"
                          "history = 3\n"),
        STENO_OK);
    ck_assert_uint_eq(options.max_streams, 7);
    const capture_setting *all = options.captures.items;
    ck_assert_uint_eq(options.captures.count, 3);
    ck_assert_str_eq(all[0].name, "hall");
    ck_assert_str_eq(all[0].device, "USB Audio, mono");
    ck_assert_uint_eq(all[0].phrases.count, 2);
    ck_assert_str_eq(all[0].phrases.items[0], "Ada Lovelace, countess=7.5");
    steno_phrase *made = capture_options_make_phrases(&all[0]);
    ck_assert_str_eq(made[0].text, "Ada Lovelace, countess");
    ck_assert_float_eq(made[0].boost, 7.5f);
    ck_assert_str_eq(made[1].text, "Jacquard");
    ck_assert_float_eq(made[1].boost, 5);
    memory_free(made);
    ck_assert_uint_eq(all[0].history, 500);
    ck_assert_uint_eq(all[0].endpoint_ms, 800);
    ck_assert_uint_eq(all[0].rate_hz, 0);
    ck_assert(all[1].loop);
    ck_assert_str_eq(all[2].name, "line-2");
    ck_assert_str_eq(all[2].fifo, "/nowhere/at all");
    ck_assert_uint_eq(all[2].channels, 1);
    ck_assert_uint_eq(all[2].encoding, STENO_ENCODING_MULAW);
    char text[64];
    capture_options_describe(&all[0], text, sizeof text);
    ck_assert_str_eq(text, "device USB Audio, mono");
    capture_options_describe(&all[1], text, sizeof text);
    ck_assert_str_eq(text, "file /proc/self/exe, repeated");
    capture_options_describe(&all[2], text, 8);
    ck_assert_str_eq(text, "fifo /n");
}
END_TEST

START_TEST(wrong)
{
    refused("[capture]\n", ":1: ", "can't be a capture's name");
    refused("\n[capture a b]\n", ":2: ", "\"a b\" can't be");
    refused("[capture ..]\n", ":1: ", "\"..\" can't be");
    refused("[capture a]\ndevice = x\n[capture a]\n", ":3: [capture a] is already at ", ":1");
    refused("[capture a]\ndevices = x\n", ":2: ", "no setting \"devices\"");
    refused("[capture a]\nmax-streams = 2\n", ":2: ", "no setting \"max-streams\"");
    refused("[limits]\ndevice = x\n", ":2: ", "no setting \"device\"");
    refused("\n[capture a]\n", ":2: [capture a]: ", "nothing to listen to");
    refused("[capture a]\ndevice=1\nfifo=x\n", ":1: [capture a]: ", "one of device");
    refused("[capture a]\nfifo = x\n", ":1: [capture a]: ", "needs its rate");
    refused("[capture a]\nfifo = x\nrate = 7999\n", ":3: ", "7999 is not a number from 8000");
    refused("[capture a]\nfifo = x\nrate = 8000\nencoding = s24\n", ":4: ", "s24");
    refused("[capture a]\ndevice = x\nencoding = s16\n", ":1: ", "encoding is for a fifo");
    refused("[capture a]\ndevice = x\nloop = yes\n", ":1: ", "loop is for a file");
    refused("[capture a]\nfile = /proc/self/exe\nrate = 8000\n", ":1: ", "rate and channels");
    refused("[capture a]\nfile = /no/such file\n", ":1: [capture a]: /no/such file: ", "No such");
    refused("[capture a]\ndevice = x\nchannels = 2\nchannel = 3\n", ":1: ", "no channel 3 of 2");
    refused("[capture a]\nphrase = Ada=21\n", ":2: Ada=21: ", "not a number from 0 to 20");
    refused("[capture a]\nphrase = Ada=\n", ":2: ", "not a number");
    refused("[capture a]\nphrase =\n", ":2: ", "missing");
    refused("[capture a]\ndevice =\n", ":2: ", "missing");
}
END_TEST

START_TEST(phrases)
{
    const struct {
        char text[16];
        const char *words;
        float boost;
    } all[] = {{"a b=0", "a b", 0}, {"a=b=2.25", "a=b", 2.25f}, {"a", "a", 5}, {"a=20", "a", 20}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char text[16];
        float boost;
        memcpy(text, all[i].text, sizeof text);
        ck_assert(capture_options_read_phrase(text, &boost));
        ck_assert_str_eq(text, all[i].words);
        ck_assert_float_eq(boost, all[i].boost);
    }
    char not_numbers[][8] = {"a=b", "a=", "a=.", "a=1e3", "a=20.1", "a=-1"};
    for (size_t i = 0; i < sizeof not_numbers / sizeof not_numbers[0]; i++) {
        float boost;
        ck_assert(!capture_options_read_phrase(not_numbers[i], &boost));
    }
}
END_TEST

START_TEST(a_change_is_seen)
{
    static const char text[] = "[capture a]\nfile = /proc/self/exe\nphrase = b\n";
    static const char *const others[] = {"", "[capture b]\nfile = /proc/self/exe\nphrase = b\n",
        "[capture a]\nfile = /proc/self/exe\nphrase = c\n",
        "[capture a]\nfile = /proc/self/exe\nloop = on\n",
        "[capture a]\nfile = /proc/self/exe\nphrase = b\nhistory = 4\n"};
    ck_assert_int_eq(file(text), STENO_OK);
    for (size_t i = 0; i <= sizeof others / sizeof others[0]; i++) {
        bool is_same = i == sizeof others / sizeof others[0];
        daemon_options other;
        ck_assert_int_eq(options_init(&other), STENO_OK);
        ck_assert_int_eq(read_into(&other, is_same ? text : others[i]), STENO_OK);
        ck_assert_int_eq(capture_options_are_equal(&options.captures, &other.captures), is_same);
        options_finish(&other);
    }
}
END_TEST

START_TEST(each_allocation_failing_once)
{
    bool done = false;
    for (uint64_t i = 1; !done; i++) {
        uint64_t before = memory_attempts();
        memory_fail_at(before + i);
        steno_status status = file("[capture a]\nfile = /proc/self/exe\nphrase = b=2\n"
                                   "[capture c]\ndevice = 4\n");
        done = memory_attempts() < before + i;
        memory_fail_at(0);
        ck_assert_int_eq(status, done ? STENO_OK : STENO_ERROR_MEMORY);
        finish();
        begin();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("capture_options");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, finish);
    tcase_add_test(all, three_captures);
    tcase_add_test(all, wrong);
    tcase_add_test(all, phrases);
    tcase_add_test(all, a_change_is_seen);
    tcase_add_test(all, each_allocation_failing_once);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
