/*
 * An answer: its headers, those that every answer has among them, and its body: a line of text,
 * what is written to a file in memory, or a stream.  Handlers say what is answered and to whom;
 * how it goes out is here alone.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "http/private.h"

/* A reader who takes nothing for so long is gone. */
enum { STREAM_TIMEOUT_SECONDS = 60, STREAM_PIECE_BYTES = 4096 };

/* What is answered is of this moment and is what its type says; other sites get nothing of it into
 * their pages, and where links lead to them do not hear from where. */
static const struct {
    const char *name, *text;
} of_all[] = {
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
};

/* What `write` writes, of the C library's allocation, terminated.  False: it can't be had. */
static bool write_all(http_writer *write, const void *context, char **out_text, size_t *out_size)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL)
        return false;
    steno_status status = write(context, file);
    if (fclose(file) != 0 || status < 0) {
        free(text);
        return false;
    }
    *out_text = text;
    *out_size = size;
    return true;
}

/* ---- Headers ---- */

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

void http_add_written_header(
    http_exchange *self, const char *name, http_writer *write, const void *context)
{
    char *value;
    size_t size;
    if (!write_all(write, context, &value, &size))
        return;
    http_add_header(self, name, value);
    free(value);
}

static void queue(
    http_exchange *self, unsigned code, const char *type, struct MHD_Response *response)
{
    self->is_answered = true;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (size_t i = 0; i < sizeof(of_all) / sizeof(of_all[0]); i++)
        MHD_add_response_header(response, of_all[i].name, of_all[i].text);
    for (size_t i = 0; i < self->value_count; i++)
        MHD_add_response_header(response, self->values[i].name, self->values[i].text);
    self->result = MHD_queue_response(self->connection, code, response);
    MHD_destroy_response(response);
}

/* ---- Bodies ---- */

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

void http_answer_written(
    http_exchange *self, unsigned code, const char *type, http_writer *write, const void *context)
{
    char *bytes;
    size_t size;
    if (write_all(write, context, &bytes, &size)) {
        answer(self, code, type, bytes, size, MHD_RESPMEM_MUST_FREE);
        return;
    }
    /* What they say is of the answer that can't be had. */
    self->value_count = 0;
    http_answer_text(self, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
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
