#include "http/visitors.h"

#include <sys/socket.h>

#include "base/memory.h"
#include "system/alarms.h"

struct http_visitor {
    http_visitor *next, *before;
    int fd;
    uint64_t end_at_ms; /* UINT64_MAX: is being answered */
};

static void come(http_visitors *self, struct MHD_Connection *connection, void **state)
{
    http_visitor *one = memory_allocate(1, sizeof(*one));
    *state = one;
    /* Then it has the time that it takes. */
    if (one == NULL)
        return;
    one->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    one->end_at_ms = alarms_now_ms() + HTTP_ASK_MS;
    one->next = self->first;
    if (one->next != NULL)
        one->next->before = one;
    self->first = one;
}

static void go(http_visitors *self, http_visitor *one)
{
    if (one == NULL)
        return;
    if (one->before != NULL)
        one->before->next = one->next;
    else
        self->first = one->next;
    if (one->next != NULL)
        one->next->before = one->before;
    memory_free(one);
}

void http_visitors_notify(void *context, struct MHD_Connection *connection, void **state,
    enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        come(context, connection, state);
    else
        go(context, *state);
}

static void set_end(struct MHD_Connection *connection, uint64_t end_at_ms)
{
    http_visitor *one =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (one != NULL)
        one->end_at_ms = end_at_ms;
}

void http_visitors_asked(struct MHD_Connection *connection)
{
    set_end(connection, UINT64_MAX);
}

void http_visitors_answered(struct MHD_Connection *connection)
{
    set_end(connection, alarms_now_ms() + HTTP_ASK_MS);
}

uint64_t http_visitors_end_late(http_visitors *self, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    for (http_visitor *one = self->first; one != NULL; one = one->next) {
        if (now_ms >= one->end_at_ms) {
            shutdown(one->fd, SHUT_RDWR);
            one->end_at_ms = now_ms + HTTP_ASK_MS;
        }
        if (one->end_at_ms < next_ms)
            next_ms = one->end_at_ms;
    }
    return next_ms;
}
