#include "system/inherited.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "system/listen.h"

/* Out of descriptors: how long until the next try. */
enum { PAUSE_MS = 100 };

struct inherited {
    struct pollfd *places; /* [count + 1]: the sockets, then the eventfd that ends it */
    unsigned count;
    void (*adopt)(void *context, int fd);
    void *context;
    pthread_t thread;
    bool runs;
};

/* ---- What a socket is ---- */

static void name_unix(const struct sockaddr_un *address, socklen_t length, char *out, size_t size)
{
    size_t used = length - offsetof(struct sockaddr_un, sun_path);
    /* A name that begins with a zero is abstract: no file. */
    if (used > 0 && address->sun_path[0] == '\0')
        snprintf(out, size, "unix:@%.*s", (int)used - 1, address->sun_path + 1);
    else
        snprintf(out, size, "unix:%.*s", (int)used, address->sun_path);
}

static bool name_ip(const struct sockaddr *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
    snprintf(out, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    return true;
}

steno_status inherited_check(
    int fd, bool plaintext_is_fine, char *out_name, size_t size, steno_error *error)
{
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage room;
    } address;
    socklen_t length = sizeof(address);
    if (getsockname(fd, &address.any, &length) != 0)
        return error_set(error, STENO_ERROR_IO, "descriptor %d: %s", fd, strerror(errno));
    if (address.any.sa_family == AF_UNIX) {
        name_unix(&address.local, length, out_name, size);
        return STENO_OK;
    }
    listen_address parsed;
    if (!name_ip(&address.any, out_name, size) || listen_parse(out_name, &parsed, error) < 0)
        return error_set(
            error, STENO_ERROR_ARGUMENT, "descriptor %d: neither a Unix nor an IP socket", fd);
    if (!plaintext_is_fine && !listen_is_local(&parsed))
        return error_set(error, STENO_ERROR_ARGUMENT,
            "%s, from the service manager: other machines could reach it and listen in, and such a "
            "socket can't have TLS; --allow-plaintext-beyond-loopback if the network is safe",
            out_name);
    return STENO_OK;
}

/* ---- Accepting ---- */

static void accept_from(inherited *self, int listening)
{
    int one = 1;
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        /* Fails for Unix sockets, which don't delay anyway. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        self->adopt(self->context, fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        poll(&self->places[self->count], 1, PAUSE_MS);
    }
}

static void *run(void *argument)
{
    inherited *self = argument;
    for (;;) {
        if (poll(self->places, self->count + 1, -1) < 0)
            continue;
        if (self->places[self->count].revents != 0)
            return NULL;
        for (unsigned i = 0; i < self->count; i++)
            if (self->places[i].revents != 0)
                accept_from(self, self->places[i].fd);
    }
}

steno_status inherited_create(int first, unsigned count, void (*adopt)(void *context, int fd),
    void *context, inherited **out_inherited, steno_error *error)
{
    inherited *self = memory_allocate(1, sizeof(*self));
    struct pollfd *places = memory_allocate(count + 1, sizeof(*places));
    int end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self == NULL || places == NULL || end_fd < 0) {
        int code = errno;
        bool poor = self == NULL || places == NULL;
        if (end_fd >= 0)
            close(end_fd);
        memory_free(self);
        memory_free(places);
        return poor ? error_memory(error)
                    : error_set(
                          error, STENO_ERROR_IO, "can't create an eventfd: %s", strerror(code));
    }
    for (unsigned i = 0; i < count; i++) {
        int fd = first + (int)i;
        /* Others may accept from it, too: what poll has seen may be gone. */
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        places[i] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    places[count] = (struct pollfd){.fd = end_fd, .events = POLLIN};
    *self = (inherited){.places = places, .count = count, .adopt = adopt, .context = context};
    int code = pthread_create(&self->thread, NULL, run, self);
    if (code != 0) {
        close(end_fd);
        memory_free(places);
        memory_free(self);
        return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
    }
    self->runs = true;
    *out_inherited = self;
    return STENO_OK;
}

void inherited_stop(inherited *self)
{
    if (self == NULL || !self->runs)
        return;
    self->runs = false;
    eventfd_write(self->places[self->count].fd, 1);
    pthread_join(self->thread, NULL);
}

void inherited_destroy(inherited *self)
{
    if (self == NULL)
        return;
    inherited_stop(self);
    for (unsigned i = 0; i <= self->count; i++)
        close(self->places[i].fd);
    memory_free(self->places);
    memory_free(self);
}
