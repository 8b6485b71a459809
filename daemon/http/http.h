/*
 * A small HTTP server: for those who watch over the daemon (monitoring/monitor.h) and for readers
 * of captions (captions/page.h).  It is by libmicrohttpd; absent.c stands for it in a build
 * without.
 *
 * One thread of its own serves all.  Each request is offered to the handlers in their order, and
 * the first that takes it answers: at once, or with a stream, which goes on for as long as the
 * reader stays and holds no thread meanwhile.
 *
 *     http thread                                      any thread
 *     handler: http_answer_stream(exchange, ...)
 *     fill: bytes, as far as there are any, else 0
 *           ... the exchange rests ...                 http_wake(exchange)
 *     fill: again, when woken, after HTTP_REST_MS at the latest
 *     close: the reader has gone, or fill has said HTTP_END, or the server ends
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "steno/status.h"

/* How long a stream rests at most; what comes with a request at most; headers of an answer, and
 * the longest of their values with its end. */
enum { HTTP_REST_MS = 5000, HTTP_BODY_BYTES = 2048, HTTP_HEADERS = 8, HTTP_VALUE_BYTES = 512 };

#define HTTP_END ((size_t)-1)

typedef struct http http;
/* One request and its answer. */
typedef struct http_exchange http_exchange;

/* On the HTTP thread.  Answers and returns true, or leaves the request to others. */
typedef struct http_handler {
    bool (*answer)(void *context, http_exchange *exchange);
    void *context;
} http_handler;

typedef struct http_setting {
    const char *address;          /* HOST:PORT; borrowed during create */
    const http_handler *handlers; /* [handler_count]; borrowed until destroy */
    size_t handler_count;
    unsigned max_streams; /* what is answered at once beside them is bounded, too */
} http_setting;

/* Errors name the address: ARGUMENT, NOT_FOUND, STATE (somebody listens there), PERMISSION, IO,
 * MEMORY; UNSUPPORTED in a build without libmicrohttpd. */
steno_status http_create(const http_setting *setting, http **out_http, steno_error *error);
/* What port 0 has become. */
int http_port(const http *self);
/* Ends all streams.  NULL is fine. */
void http_destroy(http *self);

/* ---- What is asked: texts live as long as the exchange ---- */

const char *http_path(const http_exchange *self); /* decoded, without the query */
/* GET or HEAD; otherwise POST, or something else. */
bool http_is_reading(const http_exchange *self);
bool http_is_posting(const http_exchange *self);
/* NULL: there is none.  Names without regard to case, but for the query's. */
const char *http_header(const http_exchange *self, const char *name);
const char *http_query(const http_exchange *self, const char *name); /* decoded */
const char *http_cookie(const http_exchange *self, const char *name);
/* What came with it, "" if nothing did; NULL: more than HTTP_BODY_BYTES. */
const char *http_body(const http_exchange *self);
/* Whether it may be answered with a stream: max_streams are not there yet. */
bool http_has_room(const http_exchange *self);

/* ---- What is answered: headers first, then one of the answers ---- */

/* Every answer has headers that keep it out of caches, and out of other sites' pages (answer.c). */

/* Writes a header's value, or a body, to a file in memory.  On an error, or one of the file's, the
 * header is left out, and the answer is 500. */
typedef steno_status http_writer(const void *context, FILE *file);

/* Copied; what is beyond the limits above is left out.  The name is static. */
void http_add_header(http_exchange *self, const char *name, const char *value);
void http_add_written_header(
    http_exchange *self, const char *name, http_writer *write, const void *context);
/* One line of text; copied. */
void http_answer_text(http_exchange *self, unsigned code, const char *text);
/* type: for the header Content-Type. */
void http_answer_written(
    http_exchange *self, unsigned code, const char *type, http_writer *write, const void *context);
/* 405: these methods alone, as "GET, HEAD". */
void http_refuse_method(http_exchange *self, const char *methods);

typedef struct http_source {
    /* Writes what is to be sent next, `size` bytes at most, and says how much it was; 0: nothing
     * now; HTTP_END: that was all.  On the HTTP thread, as is close, which comes once. */
    size_t (*fill)(void *context, char *bytes, size_t size);
    void (*close)(void *context);
    void *context;
} http_source;

/* A body without a length, where there is room.  source: copied; closed in any case, also if only
 * headers are asked for. */
void http_answer_stream(http_exchange *self, const char *type, const http_source *source);
/* Its source is to be asked again.  Any thread, until `close` has returned. */
void http_wake(http_exchange *self);

#endif
