/*
 *     server's thread:  start -> WAITING  \                     / get, list, wait
 *     worker:                              RUNNING -> DONE  --->
 *
 * One mutex guards the list and everything of an operation but its request and response: those
 * belong to the worker while the operation runs, and nobody changes them afterwards.  The engine's
 * threads take the mutex for the length of an assignment, to wake the worker.
 */
#include "services/operations.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "services/recognition_private.h"
#include "system/alarms.h"

enum { PAGE = 50, PAGE_MAX = 100 };

typedef enum operation_state { WAITING, RUNNING, DONE } operation_state;

typedef struct operation {
    struct operation *next; /* the one begun after it */
    char name[WIRE_OPERATION_NAME];
    char owner[CALL_CLIENT_BYTES];
    operation_state state;
    bool cancelled; /* asked to end */
    bool deleted;   /* not to be found any more; freed once it does not run */
    int progress_percent;
    int64_t started_us, updated_us; /* since 1970 */
    uint64_t done_ms;               /* monotonic */
    int error_code;
    char error_message[512];

    wire_request *request; /* NULL once it is done */
    size_t request_bytes;
    wire_output response;
} operation;

/* A WaitOperation call. */
typedef struct waiter {
    struct waiter *next;
    operations *operations;
    call *call;
    char name[WIRE_OPERATION_NAME];
    uint64_t until_ms;
    bool listed;
} waiter;

struct operations {
    speech *speech;
    pthread_t worker;
    pthread_mutex_t mutex;
    pthread_cond_t changed;

    /* Under the mutex. */
    operation *first; /* in the order they were begun */
    size_t count, waiting_bytes;
    waiter *waiters;
    bool engine_ready; /* the running session has something to do */
    bool stopping;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- The list; with the mutex held ---- */

static void free_request(wire_request *request)
{
    if (request == NULL)
        return;
    wire_request_finish(request);
    memory_free(request);
}

static void free_operation(operation *o)
{
    free_request(o->request);
    wire_output_finish(&o->response);
    memory_free(o);
}

static void wake_waiters(operations *self)
{
    for (waiter *w = self->waiters; w != NULL; w = w->next)
        call_wake(w->call);
}

/* Takes out all that are finished with: expired, or deleted and not running.  With `oldest` also
 * the first that is done. */
static void purge(operations *self, bool oldest)
{
    uint64_t now = alarms_now_ms();
    for (operation **place = &self->first; *place != NULL;) {
        operation *o = *place;
        bool expired = o->state == DONE && now - o->done_ms >= OPERATIONS_KEPT_MS;
        bool dropped = o->state == DONE && oldest;
        if (expired || dropped || (o->deleted && o->state != RUNNING)) {
            *place = o->next;
            self->count--;
            if (o->state == WAITING)
                self->waiting_bytes -= o->request_bytes;
            oldest &= !dropped;
            free_operation(o);
        } else {
            place = &o->next;
        }
    }
}

static operation *find(operations *self, const char *name)
{
    purge(self, false);
    for (operation *o = self->first; o != NULL; o = o->next)
        if (!o->deleted && strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

static void finish_operation(operations *self, operation *o, int code, const char *message)
{
    o->state = DONE;
    o->error_code = code;
    snprintf(o->error_message, sizeof o->error_message, "%s", message);
    o->progress_percent = 100;
    o->updated_us = now_us();
    o->done_ms = alarms_now_ms();
    self->waiting_bytes -= o->request_bytes;
    free_request(o->request);
    o->request = NULL;
    wake_waiters(self);
}

/* The response is the worker's until it is done. */
static wire_operation describe(const operation *o)
{
    bool done = o->state == DONE;
    return (wire_operation){
        .name = o->name,
        .progress_percent = o->progress_percent,
        .started_us = o->started_us,
        .updated_us = o->updated_us,
        .done = done,
        .error_code = o->error_code,
        .error_message = o->error_message,
        .response = done ? o->response.bytes : NULL,
        .response_size = done ? o->response.size : 0,
    };
}

/* ---- The worker ---- */

static void engine_ready(void *context)
{
    operations *self = context;
    pthread_mutex_lock(&self->mutex);
    self->engine_ready = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

/* Notes how far the session is and waits for the engine: false if it should end. */
static bool wait_engine(operations *self, operation *o, size_t left)
{
    size_t size = o->request->audio_size;
    pthread_mutex_lock(&self->mutex);
    o->progress_percent = (int)((size - left) * 99 / size);
    o->updated_us = now_us();
    while (!self->engine_ready && !self->stopping && !o->cancelled)
        pthread_cond_wait(&self->changed, &self->mutex);
    self->engine_ready = false;
    bool go_on = !self->stopping && !o->cancelled;
    pthread_mutex_unlock(&self->mutex);
    return go_on;
}

/* STENO_END: the response is whole; STENO_AGAIN: it was asked to end. */
static steno_status recognise(operations *self, operation *o, session *s, steno_error *error)
{
    const wire_config *config = session_get_config(s);
    session_offer(s, o->request->audio, o->request->audio_size);
    session_finish(s);
    for (;;) {
        steno_status status = session_advance(s, error);
        session_output from;
        while (status >= 0 && (status = session_next(s, &from, error)) == STENO_OK)
            if (!from.is_event)
                wire_google_write_long(&o->response, config, &from.result);
        if (status < 0)
            return status;
        if (status == STENO_END) {
            wire_google_write_long_end(&o->response, config, session_audio_ms(s));
            return o->response.failed ? error_memory(error) : STENO_END;
        }
        if (!wait_engine(self, o, session_left(s)))
            return STENO_AGAIN;
    }
}

/* Without the mutex; returns with it. */
static void run(operations *self, operation *o)
{
    session *s = NULL;
    steno_error error;
    steno_status status =
        speech_begin_session(self->speech, &o->request->config, engine_ready, self, &s, &error);
    if (status == STENO_OK)
        status = recognise(self, o, s, &error);
    session_destroy(s);
    pthread_mutex_lock(&self->mutex);
    if (status == STENO_END)
        finish_operation(self, o, CALL_OK, "");
    else if (status == STENO_AGAIN)
        finish_operation(self, o, CALL_CANCELLED, "the operation was cancelled");
    else
        finish_operation(self, o, recognition_call_status(status), error.message);
}

static operation *next_waiting(const operations *self)
{
    operation *o = self->first;
    while (o != NULL && (o->state != WAITING || o->deleted))
        o = o->next;
    return o;
}

static void *work(void *context)
{
    operations *self = context;
    pthread_mutex_lock(&self->mutex);
    while (!self->stopping) {
        operation *o = next_waiting(self);
        if (o == NULL) {
            pthread_cond_wait(&self->changed, &self->mutex);
            continue;
        }
        o->state = RUNNING;
        self->engine_ready = false;
        pthread_mutex_unlock(&self->mutex);
        run(self, o);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

/* ---- Beginning and end ---- */

steno_status operations_create(speech *maker, operations **out_operations, steno_error *error)
{
    operations *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    self->speech = maker;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    /* Signals are the main thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&self->worker, NULL, work, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->mutex);
        memory_free(self);
        return error_set(
            error, STENO_ERROR_INTERNAL, "a thread for operations: %s", strerror(failed));
    }
    *out_operations = self;
    return STENO_OK;
}

void operations_destroy(operations *self)
{
    if (self == NULL)
        return;
    pthread_mutex_lock(&self->mutex);
    self->stopping = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->worker, NULL);
    while (self->first != NULL) {
        operation *o = self->first;
        self->first = o->next;
        free_operation(o);
    }
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    memory_free(self);
}

/* ---- Requests ---- */

/* Not to be guessed: who knows it may have the transcript. */
static steno_status make_name(char name[WIRE_OPERATION_NAME], steno_error *error)
{
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_set(error, STENO_ERROR_INTERNAL, "no random numbers");
    int used = snprintf(name, WIRE_OPERATION_NAME, "operations/");
    for (size_t i = 0; i < sizeof random; i++)
        used += snprintf(name + used, WIRE_OPERATION_NAME - (size_t)used, "%02x", random[i]);
    return STENO_OK;
}

static steno_status check_room(operations *self, size_t bytes, steno_error *error)
{
    purge(self, self->count == OPERATIONS_MAX);
    if (self->count >= OPERATIONS_MAX)
        return error_set(
            error, STENO_ERROR_LIMIT, "%d operations wait already", (int)OPERATIONS_MAX);
    if (bytes > OPERATIONS_MAX_BYTES - self->waiting_bytes)
        return error_set(
            error, STENO_ERROR_LIMIT, "%zu MiB of audio wait already", self->waiting_bytes >> 20);
    return STENO_OK;
}

/* In its place, the last. */
static void append(operations *self, operation *o)
{
    operation **place = &self->first;
    while (*place != NULL)
        place = &(*place)->next;
    *place = o;
    self->count++;
    self->waiting_bytes += o->request_bytes;
    pthread_cond_broadcast(&self->changed);
}

steno_status operations_start(operations *self, wire_request *request, const char *owner,
    wire_output *output, steno_error *error)
{
    operation *o = memory_allocate(1, sizeof *o);
    if (o == NULL)
        return error_memory(error);
    wire_output_init(&o->response);
    steno_status status = make_name(o->name, error);
    pthread_mutex_lock(&self->mutex);
    if (status == STENO_OK)
        status = check_room(self, request->audio_size, error);
    if (status == STENO_OK) {
        snprintf(o->owner, sizeof o->owner, "%s", owner);
        o->started_us = o->updated_us = now_us();
        o->request = request;
        o->request_bytes = request->audio_size;
        wire_operation described = describe(o);
        wire_operation_write(output, &described);
        append(self, o);
    }
    pthread_mutex_unlock(&self->mutex);
    if (status != STENO_OK)
        free_operation(o);
    return status;
}

uint32_t operations_pending(operations *self)
{
    uint32_t count = 0;
    pthread_mutex_lock(&self->mutex);
    for (const operation *o = self->first; o != NULL; o = o->next)
        count += o->state != DONE && !o->deleted;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

static steno_status not_found(const char *name, steno_error *error)
{
    return error_set(
        error, STENO_ERROR_NOT_FOUND, "name: there is no operation \"%s\"", wire_quote(name).text);
}

steno_status operations_get(
    operations *self, const uint8_t *bytes, size_t size, wire_output *output, steno_error *error)
{
    char name[WIRE_OPERATION_NAME];
    steno_status status = wire_operation_read_name(bytes, size, name, error);
    if (status != STENO_OK)
        return status;
    pthread_mutex_lock(&self->mutex);
    const operation *o = find(self, name);
    if (o != NULL) {
        wire_operation described = describe(o);
        wire_operation_write(output, &described);
    } else {
        status = not_found(name, error);
    }
    pthread_mutex_unlock(&self->mutex);
    return status;
}

static bool is_listed(const operation *o, const char *owner, const char *prefix)
{
    return !o->deleted && strcmp(o->owner, owner) == 0 &&
           strncmp(o->name, prefix, strlen(prefix)) == 0;
}

steno_status operations_list(operations *self, const char *owner, const uint8_t *bytes, size_t size,
    wire_output *output, steno_error *error)
{
    wire_list list;
    steno_status status = wire_operation_read_list(bytes, size, &list, error);
    if (status != STENO_OK)
        return status;
    uint32_t left = list.page_size == 0         ? PAGE
                    : list.page_size > PAGE_MAX ? PAGE_MAX
                                                : list.page_size;
    const char *last = "";
    pthread_mutex_lock(&self->mutex);
    const operation *after = list.page_token[0] ? find(self, list.page_token) : NULL;
    if (list.page_token[0] != '\0' && after == NULL) {
        status = error_set(error, STENO_ERROR_ARGUMENT, "page_token: not from here, or expired");
    } else {
        const operation *o = after != NULL ? after->next : self->first;
        for (; o != NULL && left > 0; o = o->next) {
            if (!is_listed(o, owner, list.prefix))
                continue;
            wire_operation described = describe(o);
            wire_operation_write_listed(output, &described);
            last = o->name;
            left--;
        }
        while (o != NULL && !is_listed(o, owner, list.prefix))
            o = o->next;
        wire_operation_write_next_page(output, o != NULL ? last : "");
    }
    pthread_mutex_unlock(&self->mutex);
    return status;
}

/* Asks an operation to end. */
static steno_status stop(
    operations *self, const uint8_t *bytes, size_t size, bool forget, steno_error *error)
{
    char name[WIRE_OPERATION_NAME];
    steno_status status = wire_operation_read_name(bytes, size, name, error);
    if (status != STENO_OK)
        return status;
    pthread_mutex_lock(&self->mutex);
    operation *o = find(self, name);
    if (o == NULL) {
        status = not_found(name, error);
    } else {
        o->cancelled = true;
        o->deleted = forget;
        if (o->state == WAITING && !forget)
            finish_operation(self, o, CALL_CANCELLED, "the operation was cancelled");
        pthread_cond_broadcast(&self->changed);
        wake_waiters(self);
        purge(self, false);
    }
    pthread_mutex_unlock(&self->mutex);
    return status;
}

/* An empty message is no bytes. */
steno_status operations_cancel(
    operations *self, const uint8_t *bytes, size_t size, wire_output *output, steno_error *error)
{
    return stop(self, bytes, size, false, error);
}

steno_status operations_delete(
    operations *self, const uint8_t *bytes, size_t size, wire_output *output, steno_error *error)
{
    return stop(self, bytes, size, true, error);
}

/* ---- Waiting ---- */

static void *wait_begin(void *context, call *rpc)
{
    waiter *w = memory_allocate(1, sizeof *w);
    if (w == NULL) {
        call_finish(rpc, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    w->operations = context;
    w->call = rpc;
    call_read(rpc);
    return w;
}

static void wait_ready(void *context)
{
    waiter *w = context;
    operations *self = w->operations;
    if (!w->listed || call_is_finished(w->call))
        return;
    wire_output output;
    wire_output_init(&output);
    steno_error error = {.status = STENO_OK};
    pthread_mutex_lock(&self->mutex);
    const operation *o = find(self, w->name);
    bool now = o == NULL || o->state == DONE || alarms_now_ms() >= w->until_ms;
    if (o == NULL) {
        not_found(w->name, &error);
    } else if (now) {
        wire_operation described = describe(o);
        wire_operation_write(&output, &described);
    }
    pthread_mutex_unlock(&self->mutex);
    if (output.failed)
        error_memory(&error);
    if (error.status != STENO_OK) {
        recognition_fail(w->call, &error);
    } else if (now) {
        call_write(w->call, output.bytes, output.size);
        call_finish(w->call, CALL_OK, "");
    }
    wire_output_finish(&output);
}

static void wait_message(void *context, const uint8_t *bytes, size_t size)
{
    waiter *w = context;
    uint64_t timeout_ms;
    steno_error error;
    if (wire_operation_read_wait(bytes, size, w->name, &timeout_ms, &error) != STENO_OK) {
        recognition_fail(w->call, &error);
        return;
    }
    w->until_ms = UINT64_MAX;
    if (timeout_ms != UINT64_MAX) {
        w->until_ms = alarms_now_ms() + timeout_ms;
        call_wake_at(w->call, w->until_ms);
    }
    pthread_mutex_lock(&w->operations->mutex);
    w->next = w->operations->waiters;
    w->operations->waiters = w;
    w->listed = true;
    pthread_mutex_unlock(&w->operations->mutex);
    wait_ready(w);
}

static void wait_end(void *context)
{
    waiter *w = context;
    pthread_mutex_lock(&w->operations->mutex);
    waiter **place = &w->operations->waiters;
    while (*place != NULL && *place != w)
        place = &(*place)->next;
    if (*place == w)
        *place = w->next;
    pthread_mutex_unlock(&w->operations->mutex);
    memory_free(w);
}

const call_method operations_wait_method = {
    .begin = wait_begin,
    .message = wait_message,
    .ready = wait_ready,
    .end = wait_end,
};
