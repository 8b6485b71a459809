/*
 * A request is gathered (its headers come first, its body in pieces), offered to the handlers, and
 * answered through libmicrohttpd; what it is made of is freed when libmicrohttpd says that it is
 * over, however it ended.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/private.h"
#include "http/visitors.h"

/* A reader who takes nothing for so long is gone. */
enum { STREAM_TIMEOUT_SECONDS = 60, STREAM_PIECE_BYTES = 4096 };

/* ---- What is asked ---- */

const char *http_path(const http_exchange *self)
{
    return self->path;
}

bool http_is_reading(const http_exchange *self)
{
    return strcmp(self->method, MHD_HTTP_METHOD_GET) == 0 ||
           strcmp(self->method, MHD_HTTP_METHOD_HEAD) == 0;
}

bool http_is_posting(const http_exchange *self)
{
    return strcmp(self->method, MHD_HTTP_METHOD_POST) == 0;
}

static const char *look_up(const http_exchange *self, enum MHD_ValueKind kind, const char *name)
{
    return MHD_lookup_connection_value(self->connection, kind, name);
}

const char *http_header(const http_exchange *self, const char *name)
{
    return look_up(self, MHD_HEADER_KIND, name);
}

const char *http_query(const http_exchange *self, const char *name)
{
    return look_up(self, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_cookie(const http_exchange *self, const char *name)
{
    return look_up(self, MHD_COOKIE_KIND, name);
}

const char *http_body(const http_exchange *self)
{
    if (self->body_is_too_large)
        return NULL;
    return self->body != NULL ? self->body : "";
}

/* ---- What is answered ---- */

void http_add_header(http_exchange *self, const char *name, const char *value)
{
    if (self->values == NULL)
        self->values = memory_allocate(HTTP_HEADERS, sizeof(*self->values));
    if (self->values == NULL || self->value_count == HTTP_HEADERS ||
        strlen(value) >= HTTP_VALUE_BYTES)
        return;
    http_value *entry = &self->values[self->value_count++];
    entry->name = name;
    strcpy(entry->text, value);
}

static void queue(
    http_exchange *self, unsigned code, const char *type, struct MHD_Response *response)
{
    self->is_answered = true;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < self->value_count; i++)
        MHD_add_response_header(response, self->values[i].name, self->values[i].text);
    self->result = MHD_queue_response(self->connection, code, response);
    MHD_destroy_response(response);
}

static void answer(http_exchange *self, unsigned code, const char *type, char *bytes, size_t size,
    enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, bytes, mode);
    if (response != NULL)
        queue(self, code, type, response);
    else if (mode == MHD_RESPMEM_MUST_FREE)
        free(bytes);
}

void http_answer_text(http_exchange *self, unsigned code, const char *text)
{
    answer(
        self, code, "text/plain; charset=utf-8", (char *)text, strlen(text), MHD_RESPMEM_MUST_COPY);
}

void http_answer(http_exchange *self, unsigned code, const char *type, char *bytes, size_t size)
{
    answer(self, code, type, bytes, size, MHD_RESPMEM_MUST_FREE);
}

void http_refuse_method(http_exchange *self, const char *methods)
{
    char text[64] = "";
    strncat(text, methods, sizeof(text) - 8);
    http_add_header(self, MHD_HTTP_HEADER_ALLOW, methods);
    http_answer_text(self, MHD_HTTP_METHOD_NOT_ALLOWED, strcat(text, " alone\n"));
}

/* ---- Streams ---- */

static ssize_t on_more(void *context, uint64_t position, char *bytes, size_t size)
{
    http_exchange *self = context;
    if (self->has_gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    /* Before asking: whoever wakes it from now on means what comes after. */
    atomic_store(&self->is_woken, false);
    size_t written = self->source.fill(self->source.context, bytes, size);
    if (written == HTTP_END || (written == 0 && http_is_ending(self->server)))
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (written == 0)
        http_rest(self->server, self);
    return (ssize_t)written;
}

void http_answer_stream(http_exchange *self, const char *type, const http_source *source)
{
    assert(http_has_room(self));
    self->source = *source;
    self->is_stream = true;
    http_count_stream(self->server, 1);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_PIECE_BYTES, on_more, self, NULL);
    if (response == NULL)
        return;
    MHD_set_connection_option(
        self->connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)STREAM_TIMEOUT_SECONDS);
    queue(self, MHD_HTTP_OK, type, response);
}

void http_wake(http_exchange *self)
{
    if (!atomic_exchange(&self->is_woken, true))
        http_ring(self->server);
}

/* ---- From the first header to the end ---- */

static void gather(http_exchange *self, const char *upload, size_t size)
{
    if (self->body == NULL)
        self->body = memory_allocate(HTTP_BODY_BYTES + 1, 1);
    if (self->body == NULL || size > HTTP_BODY_BYTES - self->body_size) {
        self->body_is_too_large = true;
        return;
    }
    memcpy(self->body + self->body_size, upload, size);
    self->body_size += size;
}

http_result http_exchange_handle(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
    http_exchange *self = *state;
    /* The first time the headers alone are there. */
    if (self == NULL) {
        self = memory_allocate(1, sizeof(*self));
        *state = self;
        return self != NULL ? MHD_YES : MHD_NO;
    }
    if (*upload_size > 0) {
        gather(self, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    self->server = context;
    self->connection = connection;
    self->path = path;
    self->method = method;
    self->result = MHD_NO;
    http_visitors_asked(connection);
    http_offer(self->server, self);
    return self->result;
}

void http_exchange_completed(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code)
{
    http_exchange *self = *state;
    http_visitors_answered(connection);
    if (self == NULL)
        return;
    if (self->is_stream) {
        self->source.close(self->source.context);
        http_count_stream(self->server, -1);
    }
    memory_free(self->values);
    memory_free(self->body);
    memory_free(self);
    *state = NULL;
}
