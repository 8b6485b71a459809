/*
 * Connections that have not asked yet, or not again: whoever sends a request byte by byte is shown
 * out, or a few of them would keep everybody else from asking.  That nothing comes at all
 * libmicrohttpd sees by itself.
 *
 * The HTTP thread's.
 */
#ifndef HTTP_VISITORS_H
#define HTTP_VISITORS_H

#include <microhttpd.h>
#include <stdint.h>

/* How long a request may take to come, from its connection or the answer before on. */
enum { HTTP_ASK_MS = 10000 };

typedef struct http_visitor http_visitor;

/* {0}: none. */
typedef struct http_visitors {
    http_visitor *first; /* a list */
} http_visitors;

/* For MHD_OPTION_NOTIFY_CONNECTION; context: the http_visitors. */
void http_visitors_notify(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_ConnectionNotificationCode what);

/* A request has come whole; and has been answered. */
void http_visitors_asked(struct MHD_Connection *connection);
void http_visitors_answered(struct MHD_Connection *connection);

/* Ends what has taken too long, of which libmicrohttpd then hears.  When to do so next, by
 * alarms_now_ms; UINT64_MAX: nobody is waited for. */
uint64_t http_visitors_end_late(http_visitors *self, uint64_t now_ms);

#endif
