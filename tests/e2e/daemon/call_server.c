/*
 * A server of bytes for the tests of calls: the daemon's own server, health and reflection, with a
 * service that recognises nothing but does to calls all that services do.
 *
 *     call_server STREAMS STREAMS_PER_CLIENT CALLS DRAIN_MS ADDRESS...
 *
 * Says "listening on ADDRESS" for each on standard error; ends on SIGTERM (at once on a second),
 * then says how many blocks of memory are left.  Messages are plain bytes:
 *
 *     Echo      stream   each message back; counts as a stream
 *     Careless  unary    as many messages as the request says, whether the client fetches or not
 *     Flood     unary    the same, heeding call_can_write; "SIZE COUNT"
 *     Wake      unary    another thread wakes the call as often as the request says; then how often
 *                        that thread has
 *     Alarm     unary    the milliseconds asked for later: "rung"
 *     About     unary    the client's address, a line feed, and its header x-test
 *     Mute      stream   never reads nor answers
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "server/server.h"
#include "services/health.h"
#include "services/reflection.h"
#include "wire/descriptor_set.h"

typedef struct session {
    call *call;
    const call_method *method;

    size_t size, left; /* Flood: of the messages to come */
    uint64_t alarm_ms;

    /* Wake: the thread counts up and wakes. */
    pthread_t thread;
    bool has_thread;
    unsigned goal;
    _Atomic unsigned wakes;
    _Atomic bool is_ending;
} session;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *begin(void *service, call *call_begun)
{
    session *self = memory_allocate(1, sizeof(*self));
    self->call = call_begun;
    self->method = service;
    if (strcmp(self->method->path, "/test.Calls/Mute") != 0)
        call_read(call_begun);
    return self;
}

static void end(void *session_ended)
{
    session *self = session_ended;
    if (self->has_thread) {
        atomic_store(&self->is_ending, true);
        pthread_join(self->thread, NULL);
    }
    memory_free(self);
}

static void answer(session *self, const char *text)
{
    call_write(self->call, (const uint8_t *)text, strlen(text));
    call_finish(self->call, CALL_OK, "");
}

/* ---- Echo ---- */

static void echo_message(void *called, const uint8_t *bytes, size_t size)
{
    session *self = called;
    call_write(self->call, bytes, size);
    if (call_can_write(self->call))
        call_read(self->call);
}

static void echo_ready(void *called)
{
    call_read(((session *)called)->call);
}

static void echo_half_close(void *called)
{
    call_finish(((session *)called)->call, CALL_OK, "");
}

/* ---- Flood and Careless ---- */

static void flood_ready(void *called)
{
    session *self = called;
    bool heeds = strcmp(self->method->path, "/test.Calls/Flood") == 0;
    uint8_t *bytes = memory_allocate(self->size, 1);
    while (
        self->left > 0 && !call_is_finished(self->call) && (!heeds || call_can_write(self->call))) {
        call_write(self->call, bytes, self->size);
        self->left--;
    }
    memory_free(bytes);
    if (self->left == 0)
        call_finish(self->call, CALL_OK, "");
}

static void flood_message(void *called, const uint8_t *bytes, size_t size)
{
    session *self = called;
    char text[64] = "";
    memcpy(text, bytes, size < sizeof(text) ? size : sizeof(text) - 1);
    sscanf(text, "%zu %zu", &self->size, &self->left);
    flood_ready(self);
}

/* ---- Wake ---- */

static void *run_waker(void *argument)
{
    session *self = argument;
    for (unsigned i = 0; i < self->goal && !atomic_load(&self->is_ending); i++) {
        atomic_fetch_add(&self->wakes, 1);
        call_wake(self->call);
    }
    return NULL;
}

static void wake_message(void *called, const uint8_t *bytes, size_t size)
{
    session *self = called;
    char text[16] = "";
    memcpy(text, bytes, size < sizeof(text) ? size : sizeof(text) - 1);
    self->goal = (unsigned)atoi(text);
    self->has_thread = pthread_create(&self->thread, NULL, run_waker, self) == 0;
}

static void wake_ready(void *called)
{
    session *self = called;
    unsigned wakes = atomic_load(&self->wakes);
    char text[16];
    snprintf(text, sizeof(text), "%u", wakes);
    if (wakes == self->goal)
        answer(self, text);
}

/* ---- Alarm and About ---- */

static void alarm_message(void *called, const uint8_t *bytes, size_t size)
{
    session *self = called;
    char text[16] = "";
    memcpy(text, bytes, size < sizeof(text) ? size : sizeof(text) - 1);
    self->alarm_ms = now_ms() + (uint64_t)atoi(text);
    /* The second replaces the first. */
    call_wake_at(self->call, self->alarm_ms + 60000);
    call_wake_at(self->call, self->alarm_ms);
}

static void alarm_ready(void *called)
{
    session *self = called;
    answer(self, now_ms() >= self->alarm_ms ? "rung" : "early");
}

static void about_message(void *called, const uint8_t *bytes, size_t size)
{
    session *self = called;
    const char *header = call_header(self->call, "x-test");
    char text[8192];
    snprintf(text, sizeof(text), "%s\n%s", call_peer(self->call),
        header != NULL && header == call_header(self->call, "x-test") ? header : "none");
    answer(self, text);
}

/* ---- The server ---- */

static const call_method methods[] = {
    {"/test.Calls/Echo", true, true, false, false, (void *)&methods[0], begin, echo_message,
        echo_half_close, echo_ready, end},
    {"/test.Calls/Careless", false, false, false, false, (void *)&methods[1], begin, flood_message,
        NULL, NULL, end},
    {"/test.Calls/Flood", false, false, false, false, (void *)&methods[2], begin, flood_message,
        NULL, flood_ready, end},
    {"/test.Calls/Wake", false, false, false, false, (void *)&methods[3], begin, wake_message, NULL,
        wake_ready, end},
    {"/test.Calls/Alarm", false, false, false, false, (void *)&methods[4], begin, alarm_message,
        NULL, alarm_ready, end},
    {"/test.Calls/About", false, false, false, false, (void *)&methods[5], begin, about_message,
        NULL, NULL, end},
    {"/test.Calls/Mute", true, true, false, false, (void *)&methods[6], begin, echo_message, NULL,
        NULL, end},
};
#define OWN_COUNT (sizeof(methods) / sizeof(methods[0]))

typedef struct signal_waiter {
    server *server;
    uint32_t drain_ms;
    sigset_t signals;
    _Atomic bool is_done;
} signal_waiter;

static void *wait_for_signals(void *argument)
{
    signal_waiter *self = argument;
    int signal;
    for (uint32_t drain_ms = self->drain_ms;; drain_ms = 0) {
        if (sigwait(&self->signals, &signal) != 0 || atomic_load(&self->is_done))
            return NULL;
        server_shutdown(self->server, 0, drain_ms);
    }
}

static void on_draining(void *context)
{
    health_drain(context);
}

static int serve(const server_options *options, uint32_t drain_ms, sigset_t signals)
{
    const call_method *table[16];
    size_t count = OWN_COUNT;
    for (size_t i = 0; i < OWN_COUNT; i++)
        table[i] = &methods[i];
    service_names names = {0};
    health *checks = NULL;
    reflection *mirror = NULL;
    server *server_created = NULL;
    const call_method *const *more;
    steno_error error = {0};
    service_names_add(&names, table, count);
    steno_status status = health_create(&names, &checks, &error);
    if (status == STENO_OK)
        status = reflection_create(descriptor_set, descriptor_set_size, &names, &mirror, &error);
    if (status == STENO_OK) {
        for (size_t i = health_methods(checks, &more); i-- > 0;)
            table[count++] = more[i];
        for (size_t i = reflection_methods(mirror, &more); i-- > 0;)
            table[count++] = more[i];
        server_options own = *options;
        own.draining = on_draining;
        own.context = checks;
        status = server_create(&own, table, count, &server_created, &error);
    }
    if (status == STENO_OK) {
        for (size_t i = 0; i < options->address_count; i++)
            fprintf(stderr, "listening on %s port %d\n", options->addresses[i],
                server_port(server_created, i));
        signal_waiter waiter = {.server = server_created, .drain_ms = drain_ms, .signals = signals};
        pthread_t thread;
        pthread_create(&thread, NULL, wait_for_signals, &waiter);
        server_run(server_created);
        atomic_store(&waiter.is_done, true);
        pthread_kill(thread, SIGTERM);
        pthread_join(thread, NULL);
        fprintf(stderr, "streams %u total %u\n", server_streams(server_created),
            (unsigned)server_streams_total(server_created));
    } else {
        fprintf(stderr, "%s\n", error.message);
    }
    server_destroy(server_created);
    reflection_destroy(mirror);
    health_destroy(checks);
    service_names_finish(&names);
    fprintf(stderr, "blocks left %zu\n", memory_alive());
    return status == STENO_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    server_options options = {
        .addresses = (const char *const *)argv + 5,
        .address_count = (size_t)argc - 5,
        .max_streams = (uint32_t)atoi(argv[1]),
        .max_streams_per_client = (uint32_t)atoi(argv[2]),
        .max_calls = (uint32_t)atoi(argv[3]),
        .max_message_bytes = 1 << 20,
        .max_metadata_bytes = 8 << 10,
        .memory_bytes = 64 << 20,
    };
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return serve(&options, (uint32_t)atoi(argv[4]), signals);
}
