/*
 * What wakes the thread is an operation of nothing, on a channel that leads nowhere.  Signal
 * handlers can't start it themselves (gRPC takes locks), and polling a flag would wake an idle
 * machine for nothing: so a thread of its own, the ringer, waits for an eventfd and starts it.
 */
#include "server/bell.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

static void on_strike(void *owner, bool success)
{
    bell *self = owner;
    atomic_store(&self->is_struck, false);
}

static void *run_ringer(void *argument)
{
    bell *self = argument;
    while (!atomic_load(&self->is_closing)) {
        eventfd_t count;
        if (eventfd_read(self->fd, &count) != 0)
            continue;
        if (!atomic_load(&self->is_closing) && !atomic_exchange(&self->is_struck, true))
            grpc_call_start_batch(self->call, NULL, 0, &self->strike, NULL);
    }
    return NULL;
}

steno_status bell_init(bell *self, grpc_completion_queue *queue, steno_error *error)
{
    *self = (bell){.strike = {on_strike, self}};
    self->fd = eventfd(0, EFD_CLOEXEC);
    if (self->fd < 0)
        return error_set(error, STENO_ERROR_IO, "can't create an eventfd: %s", strerror(errno));
    self->nowhere =
        grpc_lame_client_channel_create("nowhere", GRPC_STATUS_UNAVAILABLE, "leads nowhere");
    self->call = grpc_channel_create_call(self->nowhere, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
        grpc_slice_from_static_string("/"), NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    int code = pthread_create(&self->ringer, NULL, run_ringer, self);
    if (code != 0)
        return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
    self->has_ringer = true;
    return STENO_OK;
}

void bell_ring(bell *self)
{
    int kept = errno;
    eventfd_write(self->fd, 1);
    errno = kept;
}

void bell_finish(bell *self)
{
    if (self->has_ringer) {
        atomic_store(&self->is_closing, true);
        bell_ring(self);
        pthread_join(self->ringer, NULL);
    }
    if (self->nowhere == NULL)
        return;
    grpc_call_unref(self->call);
    grpc_channel_destroy(self->nowhere);
    close(self->fd);
}
