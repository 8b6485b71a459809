/*
 * The server's thread: libmicrohttpd runs on it (its epoll from outside), so that all of streams
 * but waking happens on one thread and needs no lock.
 *
 *     poll   libmicrohttpd's epoll: requests, room in sockets
 *            an eventfd: some stream has been woken, or the end
 *            sockets of resting streams: readers that go away
 *
 * A stream that has nothing to send is suspended, which costs nothing, and is resumed when woken.
 * libmicrohttpd does not look at suspended connections; their sockets are polled here, so that a
 * reader that has gone makes room at once and not when there is something to tell it.
 *
 * What takes too long to ask is ended from here, too (visitors.h).
 *
 * Rejected: libmicrohttpd's own thread, which nobody can make wake up for what is due in between;
 * a thread for each stream.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "http/private.h"
#include "http/visitors.h"
#include "system/alarms.h"
#include "system/connections.h"
#include "system/listen.h"

/* Beside streams: monitors and pages, which are few and quick. */
enum { CONNECTIONS = 32, TIMEOUT_SECONDS = 10, BACKLOG = 32 };
/* What readers get in the end to take what there still is for them. */
enum { END_MS = 1000 };

struct http {
    /* Constant. */
    http_setting setting;
    struct MHD_Daemon *daemon;
    int fd, port, bell;
    int epoll; /* libmicrohttpd's */
    pthread_t thread;
    bool has_thread;

    /* The HTTP thread. */
    http_exchange *resting; /* a list */
    http_visitors visitors;
    unsigned streams;
    struct pollfd *polled; /* [2 + max_streams] */
    uint64_t ask_at_ms;    /* all that rest */
    uint64_t late_at_ms;   /* when the next of the visitors is; UINT64_MAX: there is none */
    uint64_t end_at_ms;    /* 0: not yet */

    /* Any thread. */
    _Atomic bool is_ending;
};

/* ---- Streams ---- */

bool http_has_room(const http_exchange *exchange)
{
    return exchange->server->streams < exchange->server->setting.max_streams;
}

void http_count_stream(http *self, int change)
{
    self->streams = (unsigned)((int)self->streams + change);
}

bool http_is_ending(const http *self)
{
    return atomic_load(&self->is_ending);
}

void http_ring(http *self)
{
    eventfd_write(self->bell, 1);
}

void http_rest(http *self, http_exchange *exchange)
{
    MHD_suspend_connection(exchange->connection);
    exchange->before = NULL;
    exchange->next = self->resting;
    if (self->resting != NULL)
        self->resting->before = exchange;
    self->resting = exchange;
}

static void resume(http *self, http_exchange *exchange)
{
    if (exchange->before != NULL)
        exchange->before->next = exchange->next;
    else
        self->resting = exchange->next;
    if (exchange->next != NULL)
        exchange->next->before = exchange->before;
    MHD_resume_connection(exchange->connection);
}

static int socket_of(const http_exchange *exchange)
{
    return MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

/* ---- The thread ---- */

/* Until libmicrohttpd, a stream or somebody who asks too slowly is due at the latest. */
static int patience_ms(const http *self)
{
    uint64_t now = alarms_now_ms(), patience = HTTP_REST_MS;
    if (self->end_at_ms > 0)
        patience = self->end_at_ms > now ? self->end_at_ms - now : 0;
    else if (self->resting != NULL)
        patience = self->ask_at_ms > now ? self->ask_at_ms - now : 0;
    if (self->late_at_ms < now + patience)
        patience = self->late_at_ms > now ? self->late_at_ms - now : 0;
    MHD_UNSIGNED_LONG_LONG due;
    if (MHD_get_timeout(self->daemon, &due) == MHD_YES && due < patience)
        patience = due;
    return (int)patience;
}

/* Waits; the streams that rest are then in polled[2..] in the order of the list. */
static void wait_for_something(http *self)
{
    nfds_t count = 2;
    self->polled[0] = (struct pollfd){.fd = self->epoll, .events = POLLIN};
    self->polled[1] = (struct pollfd){.fd = self->bell, .events = POLLIN};
    for (const http_exchange *one = self->resting; one != NULL; one = one->next)
        self->polled[count++] = (struct pollfd){.fd = socket_of(one), .events = POLLRDHUP};
    if (poll(self->polled, count, patience_ms(self)) < 0)
        for (nfds_t i = 0; i < count; i++)
            self->polled[i].revents = 0;
}

/* Has those asked again that are woken or due, or whose reader has gone, which sending finds out.
 */
static void wake_those_due(http *self)
{
    eventfd_t number;
    if (self->polled[1].revents != 0)
        eventfd_read(self->bell, &number);
    uint64_t now = alarms_now_ms();
    bool all = now >= self->ask_at_ms || http_is_ending(self);
    if (now >= self->ask_at_ms)
        self->ask_at_ms = now + HTTP_REST_MS;
    const struct pollfd *polled = self->polled + 2;
    for (http_exchange *one = self->resting, *next; one != NULL; one = next, polled++) {
        next = one->next;
        one->has_gone = polled->revents != 0;
        if (all || one->has_gone || atomic_load(&one->is_woken))
            resume(self, one);
    }
}

static unsigned connections_of(const http *self)
{
    return MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/* libmicrohttpd stops listening while it has all the connections that it may have, and listens
 * again at the beginning of a run only: once some have gone it is run once more, or nobody would
 * ever wake it. */
static void run_daemon(http *self)
{
    unsigned before;
    do {
        before = connections_of(self);
        MHD_run(self->daemon);
    } while (connections_of(self) < before);
}

static void run_once(http *self)
{
    run_daemon(self);
    self->late_at_ms = http_visitors_end_late(&self->visitors, alarms_now_ms());
    wait_for_something(self);
    wake_those_due(self);
}

static void *run(void *argument)
{
    http *self = argument;
    while (!http_is_ending(self))
        run_once(self);
    /* Streams end when they have nothing more. */
    self->end_at_ms = alarms_now_ms() + END_MS;
    while (self->streams > 0 && alarms_now_ms() < self->end_at_ms)
        run_once(self);
    return NULL;
}

void http_offer(http *self, http_exchange *exchange)
{
    for (size_t i = 0; i < self->setting.handler_count; i++) {
        const http_handler *handler = &self->setting.handlers[i];
        if (handler->answer(handler->context, exchange))
            return;
    }
    if (http_is_reading(exchange))
        http_answer_text(exchange, MHD_HTTP_NOT_FOUND, "there is nothing here\n");
    else
        http_refuse_method(exchange, "GET, HEAD");
}

/* ---- Beginning and end ---- */

static int bind_first(const struct addrinfo *found, int *out_code)
{
    for (; found != NULL; found = found->ai_next) {
        int one = 1;
        int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
            found->ai_protocol);
        if (fd < 0) {
            *out_code = errno;
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
            return fd;
        *out_code = errno;
        close(fd);
    }
    return -1;
}

static int port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length = sizeof(address);
    if (getsockname(fd, &address.any, &length) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static steno_status listen_on(http *self, const char *text, steno_error *error)
{
    listen_address address;
    /* What has no names to look up and a port to bind is refused with the reason. */
    steno_status status = listen_parse(text, &address, error);
    if (status == STENO_OK)
        status = listen_probe(&address, text, error);
    if (status < 0)
        return status;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    int code = 0;
    snprintf(port, sizeof(port), "%u", address.port);
    if (getaddrinfo(address.host, port, &hints, &found) == 0) {
        self->fd = bind_first(found, &code);
        freeaddrinfo(found);
    }
    if (self->fd < 0)
        return error_set(error, STENO_ERROR_IO, "can't listen on %s: %s", text, strerror(code));
    self->port = port_of(self->fd);
    return STENO_OK;
}

static steno_status start(http *self, steno_error *error)
{
    const unsigned most = CONNECTIONS + self->setting.max_streams;
    connections_leave_room(most);
    self->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        http_exchange_handle, self, MHD_OPTION_LISTEN_SOCKET, self->fd, MHD_OPTION_NOTIFY_COMPLETED,
        http_exchange_completed, self, MHD_OPTION_NOTIFY_CONNECTION, http_visitors_notify,
        &self->visitors, MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)TIMEOUT_SECONDS, MHD_OPTION_END);
    if (self->daemon == NULL)
        return error_set(error, STENO_ERROR_IO, "can't serve HTTP on %s", self->setting.address);
    self->epoll = MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int code = pthread_create(&self->thread, NULL, run, self);
    if (code != 0)
        return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
    self->has_thread = true;
    return STENO_OK;
}

steno_status http_create(const http_setting *setting, http **out_http, steno_error *error)
{
    http *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->setting = *setting;
    self->fd = -1;
    self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->polled = memory_allocate(2 + (size_t)setting->max_streams, sizeof(*self->polled));
    steno_status status = STENO_OK;
    if (self->polled == NULL)
        status = error_memory(error);
    else if (self->bell < 0)
        status = error_set(error, STENO_ERROR_IO, "can't create an eventfd: %s", strerror(errno));
    else
        status = listen_on(self, setting->address, error);
    if (status == STENO_OK) {
        connections_spare_listener(self->fd);
        status = start(self, error);
    }
    if (status < 0) {
        http_destroy(self);
        return status;
    }
    *out_http = self;
    return STENO_OK;
}

int http_port(const http *self)
{
    return self->port;
}

void http_destroy(http *self)
{
    if (self == NULL)
        return;
    connections_spare_listener(-1);
    atomic_store(&self->is_ending, true);
    if (self->has_thread) {
        http_ring(self);
        pthread_join(self->thread, NULL);
    }
    /* It may not be stopped with connections suspended. */
    while (self->resting != NULL)
        resume(self, self->resting);
    if (self->daemon != NULL) {
        /* Closes the socket, too, once it is its own. */
        MHD_stop_daemon(self->daemon);
    } else if (self->fd >= 0) {
        close(self->fd);
    }
    if (self->bell >= 0)
        close(self->bell);
    memory_free(self->polled);
    memory_free(self);
}
