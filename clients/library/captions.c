/* Watching captures: one call each, whose inbox is read as the owner asks. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "client_private.h"
#include "status.h"
#include "steno/client_captions.h"
#include "wire_captions.h"

struct steno_client_watch {
    /* Constant. */
    steno_client *client;
    steno_client_watch_options options; /* without the name */
    uint8_t *request;
    size_t request_size;

    /* With the lock. */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool has_lock;
    bool is_asked;

    /* The owner's. */
    call *call;
    message_memory memory;
    steno_client_caption caption;
    steno_error failure; /* what sticks */
};

const char *steno_client_capture_state_name(steno_client_capture_state state)
{
    static const char *const names[] = {"starting", "listening", "waiting", "ended"};
    return (unsigned)state <= STENO_CAPTURE_ENDED ? names[state] : "";
}

/* ---- The list ---- */

static steno_status use_list(
    void *context, const char *from, const uint8_t *bytes, size_t size, steno_error *error)
{
    return wire_read_captures(from, bytes, size, context, error);
}

steno_status steno_client_list_captures(
    steno_client *client, steno_client_captures **out_captures, steno_error *error)
{
    if (client == NULL || out_captures == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "no client, or no place for the captures");
    return client_ask(client, WIRE_LIST_CAPTURES, use_list, out_captures, error);
}

void steno_client_captures_destroy(steno_client_captures *captures)
{
    memory_free(captures);
}

/* ---- Watching ---- */

void steno_client_watch_options_init(steno_client_watch_options *options)
{
    *options = (steno_client_watch_options){.capture = NULL};
}

static call_pulled pull(void *context, const uint8_t **out_bytes, size_t *out_size)
{
    steno_client_watch *self = context;
    if (self->is_asked)
        return CALL_CLOSE;
    self->is_asked = true;
    *out_bytes = self->request;
    *out_size = self->request_size;
    return CALL_MESSAGE;
}

static void tell(void *context)
{
    const steno_client_watch *self = context;
    if (self->options.ready != NULL)
        self->options.ready(self->options.ready_context);
}

static steno_status begin(steno_client_watch *self, steno_error *error)
{
    steno_status status =
        wire_write_watch(&self->options, &self->request, &self->request_size, error);
    if (status == STENO_OK)
        status = client_init_lock(&self->lock, &self->cond, error);
    if (status < 0)
        return status;
    self->has_lock = true;
    self->options.capture = NULL;
    const call_owner owner = {&self->lock, &self->cond, pull, tell, self};
    return call_create(
        self->client->servers[0].connection, WIRE_WATCH, 0, &owner, &self->call, error);
}

steno_status steno_client_watch_open(steno_client *client,
    const steno_client_watch_options *options, steno_client_watch **out_watch, steno_error *error)
{
    if (client == NULL || options == NULL || options->capture == NULL || out_watch == NULL)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "no client, no name of a capture, or no place for it");
    steno_client_watch *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    atomic_fetch_add(&client->streams, 1);
    self->client = client;
    self->options = *options;
    message_memory_init(&self->memory, 0);
    steno_status status = begin(self, error);
    if (status == STENO_OK)
        *out_watch = self;
    else
        steno_client_watch_destroy(self);
    return status;
}

void steno_client_watch_destroy(steno_client_watch *self)
{
    if (self == NULL)
        return;
    call_destroy(self->call);
    if (self->has_lock) {
        pthread_cond_destroy(&self->cond);
        pthread_mutex_destroy(&self->lock);
    }
    message_memory_finish(&self->memory);
    memory_free(self->request);
    atomic_fetch_sub(&self->client->streams, 1);
    memory_free(self);
}

/* The call is over: in words. */
static void note_end(steno_client_watch *self)
{
    const char *name = self->client->servers[0].address.text;
    int code = call_code(self->call);
    if (code == STATUS_NOT_FOUND)
        error_set(&self->failure, STENO_ERROR_ARGUMENT, "%s: %s", name, call_details(self->call));
    else if (code == STATUS_OK)
        error_set(&self->failure, STENO_ERROR_IO, "%s has ended the captions", name);
    else
        status_explain(
            name, code, call_details(self->call), call_was_opened(self->call), &self->failure);
}

steno_status steno_client_watch_next(
    steno_client_watch *self, const steno_client_caption **out_caption, steno_error *error)
{
    if (self == NULL || out_caption == NULL)
        return error_set(error, STENO_ERROR_ARGUMENT, "no watch, or no place for the caption");
    const uint8_t *bytes;
    size_t size;
    bool has_message = false;
    if (self->failure.status == STENO_OK) {
        pthread_mutex_lock(&self->lock);
        has_message = call_take(self->call, &bytes, &size);
        if (!has_message && call_is_over(self->call))
            note_end(self);
        pthread_mutex_unlock(&self->lock);
    }
    if (has_message)
        wire_read_caption(&self->memory, bytes, size, &self->caption, &self->failure);
    if (self->failure.status < 0)
        return error_set(error, self->failure.status, "%s", self->failure.message);
    if (!has_message)
        return STENO_AGAIN;
    *out_caption = &self->caption;
    return STENO_OK;
}

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ns = now.tv_nsec + (long)(timeout_ms % 1000) * 1000000;
    return (struct timespec){
        .tv_sec = now.tv_sec + timeout_ms / 1000 + ns / 1000000000, .tv_nsec = ns % 1000000000};
}

steno_status steno_client_watch_wait(steno_client_watch *self, int timeout_ms)
{
    if (self == NULL)
        return STENO_ERROR_ARGUMENT;
    if (self->failure.status < 0)
        return STENO_OK;
    struct timespec deadline = deadline_after(timeout_ms > 0 ? timeout_ms : 0);
    int code = 0;
    pthread_mutex_lock(&self->lock);
    while (code != ETIMEDOUT && !call_has_message(self->call) && !call_is_over(self->call))
        code = timeout_ms < 0 ? pthread_cond_wait(&self->cond, &self->lock)
                              : pthread_cond_timedwait(&self->cond, &self->lock, &deadline);
    pthread_mutex_unlock(&self->lock);
    return code == ETIMEDOUT ? STENO_AGAIN : STENO_OK;
}
