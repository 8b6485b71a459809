/*
 * A request is gathered (its headers come first, its body in pieces), offered to the handlers, and
 * answered (answer.c); what it is made of is freed when libmicrohttpd says that it is over, however
 * it ended.
 */
#include <string.h>

#include "base/memory.h"
#include "http/private.h"
#include "http/visitors.h"

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
