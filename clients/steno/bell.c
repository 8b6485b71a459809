#include "bell.h"

#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

steno_status bell_init(bell *self)
{
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return self->fd >= 0 ? STENO_OK : STENO_ERROR_IO;
}

void bell_finish(bell *self)
{
    if (self->fd >= 0)
        close(self->fd);
}

void bell_ring(void *context)
{
    const bell *self = context;
    uint64_t one = 1;
    /* Fails only where as many rings wait as 64 bits count. */
    (void)!write(self->fd, &one, sizeof one);
}

void bell_wait(const bell *self, int one_fd, int other_fd, int timeout_ms)
{
    struct pollfd fds[] = {
        {.fd = self->fd, .events = POLLIN},
        {.fd = one_fd, .events = POLLIN},
        {.fd = other_fd, .events = POLLIN},
    };
    if (poll(fds, 3, timeout_ms) > 0 && fds[0].revents != 0) {
        uint64_t rings;
        (void)!read(self->fd, &rings, sizeof rings);
    }
}
