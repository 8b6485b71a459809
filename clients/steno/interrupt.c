#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "failure.h"

static sigset_t awaited_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    /* What the caller has us ignore (nohup, a shell's background job) stays ignored. */
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action;
        if (sigismember(&signals, signal) == 1 && sigaction(signal, NULL, &action) == 0 &&
            action.sa_handler == SIG_IGN)
            sigdelset(&signals, signal);
    }
    return signals;
}

steno_status interrupt_init(interrupt *self, steno_error *error)
{
    sigset_t signals = awaited_signals();
    *self = (struct interrupt){.signal_fd = -1, .stop_fd = -1};
    pthread_sigmask(SIG_BLOCK, &signals, &self->before);
    self->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    self->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->signal_fd >= 0 && self->stop_fd >= 0)
        return STENO_OK;
    failure_set(error, STENO_ERROR_IO, "can't wait for signals: %s", strerror(errno));
    interrupt_finish(self);
    return error->status;
}

void interrupt_finish(interrupt *self)
{
    if (self->signal_fd >= 0)
        close(self->signal_fd);
    if (self->stop_fd >= 0)
        close(self->stop_fd);
    pthread_sigmask(SIG_SETMASK, &self->before, NULL);
}

void interrupt_allow(interrupt *self)
{
    pthread_sigmask(SIG_SETMASK, &self->before, NULL);
}

void interrupt_take_over(interrupt *self)
{
    sigset_t signals = awaited_signals();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

void interrupt_take(interrupt *self)
{
    struct signalfd_siginfo info;
    if (read(self->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    self->signal = (int)info.ssi_signo;
    pthread_sigmask(SIG_SETMASK, &self->before, NULL);
    interrupt_stop(self);
}

bool interrupt_stop(interrupt *self)
{
    if (atomic_exchange(&self->stopped, true))
        return false;
    uint64_t one = 1;
    /* A fresh eventfd takes its first 1 always. */
    return write(self->stop_fd, &one, sizeof one) > 0;
}

bool interrupt_stopped(const interrupt *self)
{
    return atomic_load(&self->stopped);
}

void interrupt_pause(const interrupt *self, uint32_t ms)
{
    struct pollfd stop = {.fd = self->stop_fd, .events = POLLIN};
    poll(&stop, 1, (int)ms);
}
