/* What the client and its streams refuse, and a server that accepts connections and says nothing.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "steno/client.h"
#include "support/suite.h"

static steno_client_options options;
static steno_error error;
static steno_client *client;
static const char *addresses[] = {"127.0.0.1:1", "127.0.0.1:2"};

static void setup(void)
{
    steno_client_options_init(&options);
    options.addresses = addresses;
    options.address_count = 1;
    client = NULL;
}

static void teardown(void)
{
    steno_client_destroy(client);
    ck_assert_uint_eq(memory_alive(), 0);
}

static void refuse(steno_status status, const char *reason)
{
    ck_assert_int_eq(steno_client_create(&options, &client, &error), status);
    ck_assert_int_eq(error.status, status);
    ck_assert_msg(strstr(error.message, reason) != NULL, "%s", error.message);
    setup();
}

START_TEST(clients_that_are_refused)
{
    options.address_count = 0;
    refuse(STENO_ERROR_ARGUMENT, "no address");
    options.address_count = STENO_CLIENT_ADDRESSES_MAX + 1;
    refuse(STENO_ERROR_ARGUMENT, "more than 16");
    options.connect_timeout_ms = 1;
    refuse(STENO_ERROR_ARGUMENT, "connect_timeout_ms: 1, should be 100 to 600000");
    options.certificate_file = "x";
    refuse(STENO_ERROR_ARGUMENT, "go together");
    options.ca_file = "x";
    refuse(STENO_ERROR_ARGUMENT, "begin with \"tls:\"");
    options.token = "";
    refuse(STENO_ERROR_ARGUMENT, "empty");
    options.token = "a\nb";
    refuse(STENO_ERROR_ARGUMENT, "characters");
    options.addresses = (const char *[]){"tls:localhost:1"};
    options.ca_file = "/nowhere/ca.pem";
    refuse(STENO_ERROR_NOT_FOUND, "/nowhere/ca.pem: No such file");
    options.addresses = (const char *[]){"tls:localhost:1"};
    options.ca_file = "/";
    refuse(STENO_ERROR_IO, "/: ");
    options.addresses = (const char *[]){"example.com:1"};
    options.token = "secret";
    refuse(STENO_ERROR_ARGUMENT, "for all to read");
    ck_assert_int_eq(steno_client_create(NULL, &client, &error), STENO_ERROR_ARGUMENT);
    ck_assert_int_eq(steno_client_create(&options, NULL, NULL), STENO_ERROR_ARGUMENT);
}
END_TEST

#define REFUSE(field, value, reason)                                                               \
    do {                                                                                           \
        steno_client_stream_options one;                                                           \
        steno_client_stream *stream = NULL;                                                        \
        steno_client_stream_options_init(&one);                                                    \
        one.field = value;                                                                         \
        ck_assert_int_lt(steno_client_stream_open(client, &one, &stream, &error), 0);              \
        ck_assert_msg(strstr(error.message, reason) != NULL, "%s", error.message);                 \
        ck_assert_ptr_null(stream);                                                                \
    } while (0)

START_TEST(streams_that_are_refused)
{
    ck_assert_int_eq(steno_client_create(&options, &client, &error), STENO_OK);
    REFUSE(rate_hz, 7999, "rate_hz: 7999, should be 8000 to 192000");
    REFUSE(channels, 0, "channels: 0");
    REFUSE(channels, 9, "channels: 9");
    REFUSE(channel, 2, "channel: 2, should be 0 to 1");
    REFUSE(chunk_ms, 100, "chunk_ms: 100");
    REFUSE(endpoint_ms, 399, "endpoint_ms");
    REFUSE(max_utterance_ms, 60001, "max_utterance_ms");
    REFUSE(max_alternatives, 0, "max_alternatives");
    REFUSE(encoding, (steno_encoding)7, "encoding: 7");
    REFUSE(kind, (steno_audio_kind)17, "kind: 17");
    REFUSE(phrase_count, 1, "phrases");
    REFUSE(phrase_count, STENO_PHRASES_MAX + 1, "more than 500");
    steno_phrase loud = {"x", 21};
    steno_client_stream_options one;
    steno_client_stream *stream;
    steno_client_stream_options_init(&one);
    one.phrases = &loud;
    one.phrase_count = 1;
    ck_assert_int_eq(steno_client_stream_open(client, &one, &stream, &error), STENO_ERROR_ARGUMENT);
}
END_TEST

START_TEST(null_is_fine)
{
    steno_client_destroy(NULL);
    steno_client_stream_destroy(NULL);
    steno_client_model_destroy(NULL);
}
END_TEST

/* Where nobody listens: an error that sticks and names the address, or both of two. */
START_TEST(nobody_there)
{
    options.address_count = (size_t)_i;
    ck_assert_int_eq(steno_client_create(&options, &client, &error), STENO_OK);
    steno_client_model *model;
    ck_assert_int_eq(steno_client_get_model(client, &model, &error), STENO_ERROR_NOT_FOUND);
    steno_client_stream *stream;
    ck_assert_int_eq(steno_client_stream_open(client, NULL, &stream, &error), STENO_OK);
    const steno_result *result;
    steno_status status;
    while ((status = steno_client_stream_next(stream, &result, NULL, &error)) == STENO_AGAIN)
        steno_client_stream_wait(stream, -1);
    ck_assert_int_eq(status, STENO_ERROR_NOT_FOUND);
    for (int i = 0; i < _i; i++)
        ck_assert_ptr_nonnull(strstr(error.message, addresses[i]));
    steno_error again;
    size_t taken;
    ck_assert_int_eq(steno_client_stream_next(stream, &result, NULL, &again), status);
    ck_assert_str_eq(again.message, error.message);
    ck_assert_int_eq(
        steno_client_stream_feed(stream, (float[]){0}, 1, &taken, &again), STENO_ERROR_NOT_FOUND);
    ck_assert_int_eq(steno_client_stream_wait(stream, -1), STENO_OK);
    ck_assert_int_eq(steno_client_stream_finish(stream), STENO_OK);
    ck_assert_int_eq(steno_client_stream_finish(stream), STENO_ERROR_STATE);
    ck_assert_int_eq(steno_client_stream_flush(stream), STENO_ERROR_STATE);
    steno_client_stream_destroy(stream);
}
END_TEST

static int listen_silently(char *out_address, size_t size)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&where, &length), 0);
    snprintf(out_address, size, "127.0.0.1:%d", ntohs(where.sin_port));
    return fd;
}

/* What is fed waits in a buffer that does not grow; destroying it needs nobody's consent. */
START_TEST(a_silent_server)
{
    char address[32];
    int fd = listen_silently(address, sizeof address);
    options.addresses = (const char *[]){address, address};
    options.address_count = (size_t)_i;
    ck_assert_int_eq(steno_client_create(&options, &client, &error), STENO_OK);
    steno_client_stream *stream;
    ck_assert_int_eq(steno_client_stream_open(client, NULL, &stream, &error), STENO_OK);
    static float samples[1000];
    size_t taken, sum = 0, alive = memory_alive();
    steno_status status;
    while ((status = steno_client_stream_feed(stream, samples, 1000, &taken, &error)) == STENO_OK)
        sum += taken;
    ck_assert_int_eq(status, STENO_FULL);
    /* Half a second and 64 KiB at least; with another server the longest utterance and more. */
    ck_assert_uint_ge(sum + taken, _i == 1 ? 8000 : 16000 * 20);
    ck_assert_uint_le(sum + taken, _i == 1 ? 65536 : 16000 * 60);
    ck_assert_uint_eq(memory_alive(), alive);
    ck_assert_uint_eq(steno_client_stream_fed_ms(stream), (sum + taken) / 16);
    ck_assert_int_eq(steno_client_stream_wait(stream, 50), STENO_AGAIN);
    ck_assert_str_eq(steno_client_stream_address(stream), address);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(steno_client_stream_flush(stream), STENO_OK);
    ck_assert_int_eq(steno_client_stream_flush(stream), STENO_FULL);
    steno_client_stream_destroy(stream);
    close(fd);
}
END_TEST

START_TEST(bytes_and_samples_are_not_mixed_up)
{
    steno_client_stream_options one;
    steno_client_stream *stream;
    size_t taken;
    ck_assert_int_eq(steno_client_create(&options, &client, &error), STENO_OK);
    steno_client_stream_options_init(&one);
    one.kind = STENO_AUDIO_FLAC;
    ck_assert_int_eq(steno_client_stream_open(client, &one, &stream, &error), STENO_OK);
    ck_assert_int_eq(
        steno_client_stream_feed(stream, (float[]){0}, 1, &taken, &error), STENO_ERROR_ARGUMENT);
    steno_client_stream_destroy(stream);
}
END_TEST

/* Each allocation fails once: an error, and nothing is left. */
START_TEST(without_memory)
{
    steno_phrase phrase = {"word", 5};
    steno_client_stream_options one;
    steno_client_stream_options_init(&one);
    one.phrases = &phrase;
    one.phrase_count = 1;
    options.token = "token";
    options.address_count = 2;
    steno_status status = STENO_ERROR_MEMORY;
    int failures = 0;
    for (; status == STENO_ERROR_MEMORY; failures++) {
        steno_client *other = NULL;
        steno_client_stream *stream = NULL;
        memory_fail_at(memory_attempts() + (uint64_t)failures + 1);
        status = steno_client_create(&options, &other, &error);
        if (status == STENO_OK)
            status = steno_client_stream_open(other, &one, &stream, &error);
        memory_fail_at(0);
        steno_client_stream_destroy(stream);
        steno_client_destroy(other);
        ck_assert_uint_eq(memory_alive(), 0);
    }
    ck_assert_int_eq(status, STENO_OK);
    ck_assert_int_gt(failures, 12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client options");
    TCase *tests = tcase_create("options");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, clients_that_are_refused);
    tcase_add_test(tests, streams_that_are_refused);
    tcase_add_test(tests, null_is_fine);
    tcase_add_loop_test(tests, nobody_there, 1, 3);
    tcase_add_loop_test(tests, a_silent_server, 1, 3);
    tcase_add_test(tests, bytes_and_samples_are_not_mixed_up);
    tcase_add_test(tests, without_memory);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
