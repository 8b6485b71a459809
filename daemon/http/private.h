/* What http.c (the server: socket, thread, streams at rest), exchange.c (requests) and answer.c
 * know of each other. */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "http/http.h"

#if MHD_VERSION < 0x00097002
typedef int http_result;
#else
typedef enum MHD_Result http_result;
#endif

typedef struct http_value {
    const char *name; /* static */
    char text[HTTP_VALUE_BYTES];
} http_value;

struct http_exchange {
    /* The HTTP thread. */
    http *server;
    struct MHD_Connection *connection;
    const char *path, *method;
    char *body; /* [HTTP_BODY_BYTES + 1], owned; NULL: nothing came */
    size_t body_size;
    bool body_is_too_large;
    http_value *values; /* [HTTP_HEADERS], owned; NULL: none yet */
    size_t value_count;
    bool is_answered;
    http_result result;

    /* A stream. */
    http_source source;
    bool is_stream;
    http_exchange *next, *before; /* of those at rest */
    bool has_gone;                /* its reader */

    /* Any thread. */
    _Atomic bool is_woken;
};

/* ---- http.c ---- */

void http_count_stream(http *self, int change);
bool http_is_ending(const http *self);
/* Not to be asked on, until it is woken. */
void http_rest(http *self, http_exchange *exchange);
/* Somebody has been woken.  Any thread. */
void http_ring(http *self);

/* ---- exchange.c: libmicrohttpd's callbacks; context is the http ---- */

http_result http_exchange_handle(void *context, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *upload, size_t *upload_size, void **state);
void http_exchange_completed(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code);

/* The handlers, in http.c. */
void http_offer(http *self, http_exchange *exchange);

#endif
