#include "services/watching.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "wire/captions.h"

enum { METHOD_LIST, METHOD_WATCH, METHOD_COUNT };

struct watching {
    captions *hub;
    uint32_t max_watchers, watchers;
    call_method methods[METHOD_COUNT];
    const call_method *table[METHOD_COUNT];
};

/* One call of either method. */
typedef struct session {
    watching *watching;
    call *call;
    wire_output output;

    /* Watch, once it has begun. */
    captions_reader *reader;
    bool interim;
} session;

static void *begin(void *service, call *call_begun)
{
    session *self = memory_allocate(1, sizeof(*self));
    if (self == NULL) {
        call_finish(call_begun, CALL_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    self->watching = service;
    self->call = call_begun;
    wire_output_init(&self->output);
    call_read(call_begun);
    return self;
}

static void end(void *session_ended)
{
    session *self = session_ended;
    if (self->reader != NULL) {
        captions_leave(self->reader);
        self->watching->watchers--;
    }
    wire_output_finish(&self->output);
    memory_free(self);
}

static void fail(session *self, const steno_error *error)
{
    bool is_theirs = error->status == STENO_ERROR_ARGUMENT;
    call_finish(
        self->call, is_theirs ? CALL_INVALID_ARGUMENT : CALL_RESOURCE_EXHAUSTED, error->message);
}

/* Writes what is in the output; false: it is not whole, and the call has ended. */
static bool put(session *self)
{
    bool is_whole = !self->output.failed;
    if (is_whole)
        call_write(self->call, self->output.bytes, self->output.size);
    else
        call_finish(self->call, CALL_RESOURCE_EXHAUSTED, "out of memory");
    wire_output_clear(&self->output);
    return is_whole;
}

/* ---- ListCaptures ---- */

static void not_to_be_woken(void *context) {}

/* A reader for a moment has all that there is to say of a status. */
static steno_status add_capture(session *self, captions_source *source, steno_error *error)
{
    captions_counts counts;
    captions_reader *reader;
    captions_event event;
    const captions_from now = {0};
    captions_get_counts(source, &counts);
    steno_status status = captions_join(source, &now, not_to_be_woken, NULL, &reader, error);
    if (status < 0)
        return status;
    if (captions_next(reader, &event) == STENO_OK)
        wire_captions_write_capture(&self->output, source, &event.status, &counts);
    captions_leave(reader);
    return STENO_OK;
}

static void list_message(void *session_called, const uint8_t *bytes, size_t size)
{
    session *self = session_called;
    captions *hub = self->watching->hub;
    steno_error error;
    steno_status status = wire_captions_read_list(bytes, size, &error);
    for (size_t i = 0; i < captions_count(hub) && status == STENO_OK; i++)
        status = add_capture(self, captions_at(hub, i), &error);
    if (status < 0)
        fail(self, &error);
    else if (put(self))
        call_finish(self->call, CALL_OK, "");
}

/* ---- Watch ---- */

/* Says which there are, as far as there is room. */
static void refuse_name(session *self, const char *name)
{
    captions *hub = self->watching->hub;
    char message[480];
    size_t used = (size_t)snprintf(message, sizeof(message), "there is no capture \"%s\"%s", name,
        captions_count(hub) == 0 ? ", nor any other" : "; there are:");
    for (size_t i = 0; i < captions_count(hub) && used < sizeof(message); i++)
        used += (size_t)snprintf(message + used, sizeof(message) - used, "%s %s", i > 0 ? "," : "",
            captions_name(captions_at(hub, i)));
    call_finish(self->call, CALL_NOT_FOUND, message);
}

static void on_caption(void *context)
{
    session *self = context;
    call_wake(self->call);
}

/* Sends what there is, one message at a time: `ready` is called when it is out, too. */
static void send_next(session *self)
{
    while (!call_is_finished(self->call) && call_can_write(self->call)) {
        captions_event event;
        steno_status status = captions_next(self->reader, &event);
        if (status == STENO_END)
            call_finish(self->call, CALL_UNAVAILABLE, "the server is shutting down");
        if (status != STENO_OK)
            return;
        if (event.kind == CAPTIONS_INTERIM && !self->interim)
            continue;
        wire_captions_write_event(&self->output, &event);
        put(self);
    }
}

static void watch_message(void *session_called, const uint8_t *bytes, size_t size)
{
    session *self = session_called;
    watching *all = self->watching;
    wire_watch wanted;
    steno_error error;
    if (wire_captions_read_watch(bytes, size, &wanted, &error) < 0) {
        fail(self, &error);
        return;
    }
    captions_source *source = captions_find(all->hub, wanted.capture);
    if (source == NULL) {
        refuse_name(self, wanted.capture);
    } else if (all->watchers >= all->max_watchers) {
        error_set(&error, STENO_ERROR_LIMIT, "the server's limit of %u watchers at once is reached",
            (unsigned)all->max_watchers);
        fail(self, &error);
    } else if (captions_join(source, &wanted.from, on_caption, self, &self->reader, &error) < 0) {
        fail(self, &error);
    } else {
        all->watchers++;
        self->interim = wanted.interim;
        send_next(self);
    }
}

static void watch_ready(void *session_called)
{
    session *self = session_called;
    if (self->reader != NULL)
        send_next(self);
}

/* ---- Beginning and end ---- */

steno_status watching_create(
    captions *hub, uint32_t max_watchers, watching **out_watching, steno_error *error)
{
    watching *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->hub = hub;
    self->max_watchers = max_watchers;
    self->methods[METHOD_LIST] = (call_method){
        .path = "/steno.v1.Captions/ListCaptures",
        .service = self,
        .begin = begin,
        .message = list_message,
        .end = end,
    };
    self->methods[METHOD_WATCH] = (call_method){
        .path = "/steno.v1.Captions/Watch",
        .lasts = true,
        .writes_singly = true,
        .service = self,
        .begin = begin,
        .message = watch_message,
        .ready = watch_ready,
        .end = end,
    };
    for (size_t i = 0; i < METHOD_COUNT; i++)
        self->table[i] = &self->methods[i];
    *out_watching = self;
    return STENO_OK;
}

void watching_destroy(watching *self)
{
    memory_free(self);
}

size_t watching_methods(watching *self, const call_method *const **out_methods)
{
    *out_methods = self->table;
    return METHOD_COUNT;
}
