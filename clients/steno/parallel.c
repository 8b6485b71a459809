#include "parallel.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "failure.h"

enum { TICK_MS = 100 };

typedef struct crew {
    const parallel *order;
    atomic_size_t next;  /* item not yet begun */
    atomic_uint running; /* threads that have not ended */
    int ended_fd;        /* readable when the last thread has ended */
} crew;

static void *work(void *argument)
{
    crew *self = argument;
    const parallel *order = self->order;
    while (!interrupt_stopped(order->interrupt)) {
        size_t item = atomic_fetch_add(&self->next, 1);
        if (item >= order->count)
            break;
        order->work(order->context, item);
    }
    if (atomic_fetch_sub(&self->running, 1) == 1) {
        uint64_t one = 1;
        if (write(self->ended_fd, &one, sizeof one) < 0)
            return NULL; /* watch looks at `running` with each tick, too */
    }
    return NULL;
}

static void watch(crew *self)
{
    const parallel *order = self->order;
    for (;;) {
        struct pollfd fds[] = {
            {.fd = self->ended_fd, .events = POLLIN},
            {.fd = order->interrupt->signal_fd, .events = POLLIN},
        };
        poll(fds, 2, TICK_MS);
        if (fds[1].revents != 0)
            interrupt_take(order->interrupt);
        if (atomic_load(&self->running) == 0)
            return;
        order->tick(order->context);
    }
}

steno_status parallel_run(const parallel *self, steno_error *error)
{
    size_t wanted = self->threads < self->count ? self->threads : self->count;
    if (wanted == 0)
        return STENO_OK;
    struct crew team = {.order = self, .ended_fd = eventfd(0, EFD_CLOEXEC)};
    pthread_t *threads = calloc(wanted, sizeof *threads);
    size_t started = 0;
    if (team.ended_fd >= 0 && threads != NULL) {
        /* One more than is running, so that threads that end early do not look like the last. */
        atomic_init(&team.running, 1);
        for (; started < wanted; started++) {
            atomic_fetch_add(&team.running, 1);
            if (pthread_create(&threads[started], NULL, work, &team) != 0) {
                atomic_fetch_sub(&team.running, 1);
                break;
            }
        }
        /* Fewer threads than wanted do the work as well. */
        if (atomic_fetch_sub(&team.running, 1) > 1)
            watch(&team);
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    if (team.ended_fd >= 0)
        close(team.ended_fd);
    if (started > 0) {
        self->tick(self->context); /* all is done: also short work is seen to its end */
        return STENO_OK;
    }
    return failure_set(error, STENO_ERROR_MEMORY, "can't start a thread");
}
