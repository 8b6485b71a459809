/*
 * The main thread waits for signals, and the work is done on a thread of its own: a server, or a
 * terminal, that does not answer must not keep Ctrl-C from working.
 *
 * The first SIGINT ends the work, and is the usual end; what is left to do is still done.  From
 * then on signals act as usual, so that a second one ends the program at once.
 */
#include "foreground.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "exit_status.h"
#include "live_output.h"

typedef struct foreground {
    session *session;
    const option_values *options;
    foreground_work *work;
    screen screen;
    int suspend_fd; /* SIGTSTP; -1: left to act as usual */
    int done_fd;    /* an eventfd: the thread has ended */
    int exit_status;
} foreground;

static void *work_on_thread(void *context)
{
    foreground *self = context;
    self->exit_status = self->work(self->session, &self->screen, self->options);
    uint64_t one = 1;
    /* A fresh eventfd takes its first 1 always. */
    (void)!write(self->done_fd, &one, sizeof one);
    return NULL;
}

/* Ctrl-Z: gives the terminal to the shell, stops, and takes it back when continued. */
static void suspend(foreground *self)
{
    struct signalfd_siginfo info;
    if (read(self->suspend_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    screen_suspend(&self->screen);
    raise(SIGSTOP);
    screen_resume(&self->screen);
}

static void wait_for_end(foreground *self)
{
    interrupt *signals = &self->session->interrupt;
    for (;;) {
        struct pollfd fds[] = {
            {.fd = self->done_fd, .events = POLLIN},
            /* After the first signal the next ones are not read but act. */
            {.fd = signals->signal != 0 ? -1 : signals->signal_fd, .events = POLLIN},
            {.fd = self->suspend_fd, .events = POLLIN},
        };
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            return;
        if (fds[1].revents != 0) {
            screen_release_keyboard(&self->screen);
            interrupt_take(signals);
        }
        if (fds[2].revents != 0)
            suspend(self);
    }
}

/* Starts the thread and sees it through to its end. */
static int run_thread(foreground *self)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, work_on_thread, self) != 0) {
        screen_say(&self->screen, "can't start a thread: out of memory");
        return EXIT_STATUS_AUDIO;
    }
    wait_for_end(self);
    pthread_join(thread, NULL);
    return self->exit_status;
}

/* Where SIGTSTP is ignored, it stays so. */
static int open_suspend_fd(sigset_t *out_before)
{
    struct sigaction action;
    sigset_t signals;
    sigemptyset(&signals);
    if (sigaction(SIGTSTP, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
        sigaddset(&signals, SIGTSTP);
    pthread_sigmask(SIG_BLOCK, &signals, out_before);
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static screen_kind kind_of_screen(const console *terminal, const option_values *options)
{
    bool text_is_free = options->format == STENO_FORMAT_TEXT || live_output_goes_to_file(options);
    if (terminal->output_is_terminal && text_is_free)
        return SCREEN_LIVE;
    return terminal->errors_are_terminal && !options->quiet ? SCREEN_STATUS : SCREEN_PLAIN;
}

int foreground_run(session *state, const option_values *options, foreground_work *work)
{
    foreground self = {.session = state, .options = options, .work = work};
    console *terminal = &state->console;
    int status = EXIT_STATUS_AUDIO;
    sigset_t before;
    self.done_fd = eventfd(0, EFD_CLOEXEC);
    self.suspend_fd = open_suspend_fd(&before);
    if (self.done_fd >= 0 && self.suspend_fd >= 0) {
        screen_init(&self.screen, terminal, kind_of_screen(terminal, options), !options->quiet);
        status = run_thread(&self);
        screen_finish(&self.screen);
    } else {
        console_error(terminal, NULL, "can't wait for signals: no descriptors left");
    }
    if (self.suspend_fd >= 0)
        close(self.suspend_fd);
    if (self.done_fd >= 0)
        close(self.done_fd);
    /* What is pending, SIGINT that came again for instance, is to be session_close's. */
    sigset_t suspend_only;
    sigemptyset(&suspend_only);
    sigaddset(&suspend_only, SIGTSTP);
    if (sigismember(&before, SIGTSTP) == 0)
        pthread_sigmask(SIG_UNBLOCK, &suspend_only, NULL);
    return status;
}
