/* A build without libmicrohttpd: there never is a server, nor an exchange. */
#include "base/error.h"
#include "http/http.h"

steno_status http_create(const http_setting *setting, http **out_http, steno_error *error)
{
    return error_set(error, STENO_ERROR_UNSUPPORTED,
        "%s: this build has no HTTP: it was built without libmicrohttpd", setting->address);
}

int http_port(const http *self)
{
    return 0;
}

void http_destroy(http *self) {}

const char *http_path(const http_exchange *self)
{
    return "";
}

bool http_is_reading(const http_exchange *self)
{
    return false;
}

bool http_is_posting(const http_exchange *self)
{
    return false;
}

bool http_has_room(const http_exchange *self)
{
    return false;
}

const char *http_header(const http_exchange *self, const char *name)
{
    return NULL;
}

const char *http_query(const http_exchange *self, const char *name)
{
    return NULL;
}

const char *http_cookie(const http_exchange *self, const char *name)
{
    return NULL;
}

const char *http_body(const http_exchange *self)
{
    return "";
}

void http_add_header(http_exchange *self, const char *name, const char *value) {}

void http_answer_text(http_exchange *self, unsigned code, const char *text) {}

void http_add_written_header(
    http_exchange *self, const char *name, http_writer *write, const void *context)
{
}

void http_answer_written(
    http_exchange *self, unsigned code, const char *type, http_writer *write, const void *context)
{
}

void http_refuse_method(http_exchange *self, const char *methods) {}

void http_answer_stream(http_exchange *self, const char *type, const http_source *source)
{
    source->close(source->context);
}

void http_wake(http_exchange *self) {}
