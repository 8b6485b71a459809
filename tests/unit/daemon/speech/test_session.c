/* A session: bytes in pieces of any size give the same results, back-pressure, channels, errors,
 * and no allocation whose failure does harm. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "speech/session.h"
#include "support/suite.h"
#include "support/tiny_model.h"

enum { RATE = 16000, FRAMES = 8 * RATE + 123, TEXT = 16384 };

static steno_model *model;
static steno_engine *engine;
static session_setting setting;
static float noise[FRAMES];
static int16_t samples[2 * FRAMES]; /* one channel, or two interleaved */

/* What `ready` wakes. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_ready;

static void ready(void *context)
{
    pthread_mutex_lock(&mutex);
    is_ready = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static void wait_ready(void)
{
    pthread_mutex_lock(&mutex);
    while (!is_ready)
        pthread_cond_wait(&changed, &mutex);
    is_ready = false;
    pthread_mutex_unlock(&mutex);
}

static void open_model(void)
{
    tiny_model_config config = tiny_model_default();
    const char *metadata[] = {"search",
        "{\"beam\":4,\"token_threshold\":0.001,\"ctc_weight\":0.5,\"attention_weight\":0.5,"
        "\"token_bonus\":0,\"segment_blanks\":5,\"segment_max\":60}",
        NULL};
    config.metadata = metadata;
    size_t size;
    void *bytes = tiny_model_write(&config, &size);
    char path[] = "/tmp/steno-session-XXXXXX";
    int descriptor = mkstemp(path);
    ck_assert_int_ge(descriptor, 0);
    ck_assert_int_eq(write(descriptor, bytes, size), (ssize_t)size);
    close(descriptor);
    free(bytes);
    steno_error error;
    steno_model_options options = {.operators = STENO_OPERATORS_REFERENCE};
    ck_assert_msg(
        steno_model_open(path, &options, &model, &error) == STENO_OK, "%s", error.message);
    unlink(path);
}

static void setup(void)
{
    open_model();
    ck_assert_int_eq(
        steno_engine_create(&(steno_engine_options){.threads = 1}, &engine, NULL), STENO_OK);
    setting = (session_setting){
        .engine = engine, .model = model, .chunk_ms = 320, .backlog_ms = 1000, .ready = ready};
    tiny_model_noise(3, 0.3f, FRAMES, noise);
    for (size_t i = 0; i < FRAMES; i++)
        samples[i] = (int16_t)(noise[i] * (i / 4000 % 3) * 10000);
}

static void teardown(void)
{
    steno_engine_destroy(engine);
    steno_model_unref(model);
    ck_assert_uint_eq(memory_alive(), 0);
}

static wire_config raw_config(void)
{
    return (wire_config){.kind = STENO_AUDIO_RAW,
        .raw = {STENO_ENCODING_S16, RATE, 1},
        .language = "en",
        .max_alternatives = 1};
}

static session *create(const wire_config *config)
{
    session *s;
    steno_error error;
    ck_assert_msg(session_create(&setting, config, &s, &error) == STENO_OK, "%s", error.message);
    return s;
}

/* Adds what comes next to `text`, a line each; the status of session_next. */
static steno_status take(session *s, char text[TEXT], steno_error *error)
{
    session_output from;
    steno_status status = session_next(s, &from, error);
    size_t used = strlen(text);
    if (status == STENO_OK && from.is_event)
        snprintf(text + used, TEXT - used, "event %d\n", (int)from.event);
    else if (status == STENO_OK && from.result.result->is_final)
        snprintf(text + used, TEXT - used, "%u%s%s\n", (unsigned)from.result.channel_tag,
            from.result.continues ? "+" : " ", from.result.result->alternatives[0].text);
    return status;
}

/* The whole life of a session but its destruction, with bytes in pieces; the first error, or
 * STENO_END. */
static steno_status run(
    session *s, const void *bytes, size_t size, size_t piece, char text[TEXT], steno_error *error)
{
    const uint8_t *at = bytes;
    size_t left = size;
    bool finished = false;
    text[0] = '\0';
    for (;;) {
        steno_status advanced = session_advance(s, error);
        if (advanced < 0)
            return advanced;
        steno_status status;
        while ((status = take(s, text, error)) == STENO_OK)
            ;
        if (status < 0 || status == STENO_END)
            return status;
        if (advanced == STENO_OK && left > 0) {
            size_t count = left < piece ? left : piece;
            session_offer(s, at, count);
            at += count;
            left -= count;
        } else if (advanced == STENO_OK && !finished) {
            session_finish(s);
            finished = true;
        } else {
            wait_ready();
        }
    }
}

static void whole(
    const wire_config *config, const void *bytes, size_t size, size_t piece, char text[TEXT])
{
    steno_error error;
    session *s = create(config);
    steno_status status = run(s, bytes, size, piece, text, &error);
    ck_assert_msg(status == STENO_END, "%s", error.message);
    session_destroy(s);
}

START_TEST(test_any_cutting)
{
    static const size_t pieces[] = {1, 7, 3200, 100001};
    static char one[TEXT], cut[TEXT];
    wire_config config = raw_config();
    whole(&config, samples, 2 * FRAMES, 2 * FRAMES, one);
    ck_assert_uint_gt(strlen(one), 20);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        whole(&config, samples, 2 * FRAMES, pieces[i], cut);
        ck_assert_str_eq(one, cut);
    }
}
END_TEST

START_TEST(test_audio_length)
{
    static char text[TEXT];
    steno_error error;
    wire_config config = raw_config();
    session *s = create(&config);
    ck_assert_int_eq(run(s, samples, 2 * FRAMES, 5000, text, &error), STENO_END);
    ck_assert_uint_eq(session_audio_ms(s), (uint64_t)FRAMES * 1000 / RATE);
    ck_assert_uint_eq(session_left(s), 0);
    session_destroy(s);
}
END_TEST

START_TEST(test_full_holds_back)
{
    wire_config config = raw_config();
    session *s = create(&config);
    steno_error error;
    session_offer(s, (const uint8_t *)samples, 2 * FRAMES);
    ck_assert_int_eq(session_advance(s, &error), STENO_FULL);
    /* At any time, with work under way. */
    session_destroy(s);
}
END_TEST

START_TEST(test_channels)
{
    static int16_t both[2 * FRAMES];
    static char first[TEXT], apart[TEXT], alone[TEXT];
    for (size_t i = 0; i < FRAMES; i++) {
        both[2 * i] = samples[i];
        both[2 * i + 1] = samples[FRAMES - 1 - i];
    }
    wire_config config = raw_config();
    whole(&config, samples, 2 * FRAMES, 4000, alone);
    config.raw.channels = 2;
    whole(&config, both, sizeof both, 4000, first);
    ck_assert_str_eq(first, alone);
    config.per_channel = true;
    whole(&config, both, sizeof both, 4000, apart);
    /* Channel 1's lines are those of the channel alone; there are others, of channel 2. */
    char *rest = alone;
    size_t others = 0;
    for (char *line = strtok(apart, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] == '2') {
            others++;
            continue;
        }
        ck_assert_int_eq(line[0], '1');
        ck_assert_int_eq(strncmp(line + 1, rest + 1, strlen(line + 1)), 0);
        rest = strchr(rest, '\n') + 1;
    }
    ck_assert_int_eq(*rest, '\0');
    ck_assert_uint_gt(others, 0);
}
END_TEST

START_TEST(test_nothing)
{
    static char text[TEXT];
    wire_config config = raw_config();
    whole(&config, samples, 0, 1, text);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_single_utterance)
{
    static char text[TEXT];
    steno_error error;
    wire_config config = raw_config();
    config.single_utterance = true;
    session *s = create(&config);
    ck_assert_int_eq(run(s, samples, 2 * FRAMES, 1600, text, &error), STENO_END);
    ck_assert_int_eq(strncmp(text, "event 0\n0 ", 10), 0);
    ck_assert_ptr_eq(strchr(strchr(text, '\n') + 1, '\n') + 1, text + strlen(text));
    /* What comes later is dropped. */
    ck_assert_int_eq(session_advance(s, &error), STENO_OK);
    session_offer(s, (const uint8_t *)samples, 1000);
    ck_assert_uint_eq(session_left(s), 0);
    ck_assert_int_eq(session_advance(s, &error), STENO_OK);
    ck_assert_int_eq(take(s, text, &error), STENO_END);
    session_destroy(s);
}
END_TEST

static void refuse(const wire_config *config, const char *name)
{
    session *s = NULL;
    steno_error error;
    steno_status status = session_create(&setting, config, &s, &error);
    ck_assert_ptr_null(s);
    ck_assert_msg(status == STENO_ERROR_ARGUMENT || status == STENO_ERROR_UNSUPPORTED, "%s: %s",
        name, steno_status_name(status));
    ck_assert_int_eq(status, error.status);
    ck_assert_ptr_nonnull(strstr(error.message, name));
}

START_TEST(test_requests_at_fault)
{
    wire_config config = raw_config();
    config.chunk_ms = 100;
    refuse(&config, "chunk_ms");
    config = raw_config();
    config.kind = STENO_AUDIO_AUTO;
    config.chunk_ms = 100;
    refuse(&config, "chunk_ms");
    config = raw_config();
    config.endpoint_ms = 1;
    refuse(&config, "endpoint_ms");
    char longest[4 * STENO_PHRASE_MAX_CHARACTERS];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const steno_phrase phrase = {longest, 5};
    config = raw_config();
    config.phrases = &phrase;
    config.phrase_count = 1;
    refuse(&config, "phrase");
}
END_TEST

START_TEST(test_audio_at_fault)
{
    static char text[TEXT];
    steno_error error;
    static const steno_audio_kind kinds[] = {STENO_AUDIO_AUTO, STENO_AUDIO_WAV};
    static const char *const fields[] = {"encoding: not given", "sample_rate_hertz: not given"};
    for (size_t i = 0; i < 2; i++) {
        wire_config config = raw_config();
        config.kind = kinds[i];
        config.raw.rate_hz = 0;
        session *s = create(&config);
        steno_status status = run(s, samples, 2 * FRAMES, 999, text, &error);
        ck_assert_int_lt(status, 0);
        ck_assert_int_eq(error.status, status);
        ck_assert_msg(
            strncmp(error.message, fields[i], strlen(fields[i])) == 0, "%s", error.message);
        session_destroy(s);
    }
    /* Damaged at the end: half a sample is too many.  What came before is heard all the same. */
    wire_config config = raw_config();
    session *s = create(&config);
    ck_assert_int_eq(run(s, samples, 2 * FRAMES - 1, 999, text, &error), STENO_ERROR_FORMAT);
    ck_assert_uint_gt(strlen(text), 20);
    session_destroy(s);
}
END_TEST

START_TEST(test_each_allocation_failing)
{
    const steno_phrase phrases[] = {{"one", 5}, {"two words", 3}};
    wire_config config = raw_config();
    config.phrases = phrases;
    config.phrase_count = 2;
    for (uint64_t n = 1;; n++) {
        session *s = NULL;
        steno_error error;
        size_t alive = memory_alive();
        memory_fail_at(memory_attempts() + n);
        steno_status status = session_create(&setting, &config, &s, &error);
        if (status == STENO_OK) {
            session_destroy(s);
            break;
        }
        ck_assert_int_eq(status, STENO_ERROR_MEMORY);
        ck_assert_uint_eq(memory_alive(), alive);
        ck_assert_uint_lt(n, 1000);
    }
    memory_fail_at(0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tests = tcase_create("session");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_any_cutting);
    tcase_add_test(tests, test_audio_length);
    tcase_add_test(tests, test_full_holds_back);
    tcase_add_test(tests, test_channels);
    tcase_add_test(tests, test_nothing);
    tcase_add_test(tests, test_single_utterance);
    tcase_add_test(tests, test_requests_at_fault);
    tcase_add_test(tests, test_audio_at_fault);
    tcase_add_test(tests, test_each_allocation_failing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
