/*
 * The main thread waits for signals, and the listening is done on a thread of its own: a sound
 * system that does not answer must not keep Ctrl-C from working.
 *
 * The first SIGINT ends the audio, and is the usual end; the words said before it are still
 * recognised.  From then on signals act as usual, so that a second one ends the program at once.
 */
#include "listen.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "exit_status.h"
#include "failure.h"
#include "help.h"
#include "live.h"
#include "live_output.h"
#include "noise.h"
#include "plan.h"
#include "screen.h"
#include "session.h"
#include "steno/capture.h"
#include "steno/recording.h"

typedef struct listen_run {
    const option_values *options;
    session session;
    screen screen;
    int suspend_fd; /* SIGTSTP; -1: left to act as usual */
    int done_fd;    /* an eventfd: the listening thread has ended */
    int exit_status;
} listen_run;

static steno_status check_options(const option_values *options, steno_error *error)
{
    if (options->operand_count > 0)
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "listen takes no argument: the microphone is --device, \"steno transcribe\" takes "
            "files");
    steno_status status = plan_check_interim(options, error);
    if (status < 0 || options->save_audio == NULL)
        return status;
    if (options->output != NULL && strcmp(options->output, options->save_audio) == 0)
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "--output and --save-audio name the same file");
    return steno_recording_check_path(options->save_audio, error);
}

static void *listen_on_thread(void *context)
{
    listen_run *run = context;
    run->exit_status = live_run(&run->session, &run->screen, run->options);
    uint64_t one = 1;
    /* A fresh eventfd takes its first 1 always. */
    (void)!write(run->done_fd, &one, sizeof one);
    return NULL;
}

/* Ctrl-Z: gives the terminal to the shell, stops, and takes it back when continued. */
static void suspend(listen_run *run)
{
    struct signalfd_siginfo info;
    if (read(run->suspend_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    screen_suspend(&run->screen);
    raise(SIGSTOP);
    screen_resume(&run->screen);
}

static void wait_for_end(listen_run *run)
{
    interrupt *signals = &run->session.interrupt;
    for (;;) {
        struct pollfd fds[] = {
            {.fd = run->done_fd, .events = POLLIN},
            /* After the first signal the next ones are not read but act. */
            {.fd = signals->signal != 0 ? -1 : signals->signal_fd, .events = POLLIN},
            {.fd = run->suspend_fd, .events = POLLIN},
        };
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[0].revents != 0)
            return;
        if (fds[1].revents != 0) {
            screen_release_keyboard(&run->screen);
            interrupt_take(signals);
        }
        if (fds[2].revents != 0)
            suspend(run);
    }
}

/* Starts the thread and sees it through to its end. */
static int run_thread(listen_run *run)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, listen_on_thread, run) != 0) {
        screen_say(&run->screen, "can't start a thread: out of memory");
        return EXIT_STATUS_AUDIO;
    }
    wait_for_end(run);
    pthread_join(thread, NULL);
    return run->exit_status;
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

/* With the session open. */
static int run_session(listen_run *run)
{
    console *terminal = &run->session.console;
    int status = EXIT_STATUS_AUDIO;
    sigset_t before;
    run->done_fd = eventfd(0, EFD_CLOEXEC);
    run->suspend_fd = open_suspend_fd(&before);
    noise_hide(terminal);
    if (run->done_fd >= 0 && run->suspend_fd >= 0) {
        screen_init(
            &run->screen, terminal, kind_of_screen(terminal, run->options), !run->options->quiet);
        status = run_thread(run);
        screen_finish(&run->screen);
    } else {
        console_error(terminal, NULL, "can't wait for signals: no descriptors left");
    }
    noise_restore(terminal);
    if (run->suspend_fd >= 0)
        close(run->suspend_fd);
    if (run->done_fd >= 0)
        close(run->done_fd);
    /* What is pending, SIGINT that came again for instance, is to be session_close's. */
    sigset_t suspend_only;
    sigemptyset(&suspend_only);
    sigaddset(&suspend_only, SIGTSTP);
    if (sigismember(&before, SIGTSTP) == 0)
        pthread_sigmask(SIG_UNBLOCK, &suspend_only, NULL);
    return status;
}

int listen_command(const option_values *options)
{
    listen_run run = {.options = options};
    steno_error error;
    if (check_options(options, &error) < 0)
        return help_usage_error("listen", error.message);
    if (!steno_capture_is_supported()) {
        fprintf(stderr, "steno: this build has no microphone: it was made without PortAudio\n");
        return EXIT_STATUS_INPUT;
    }
    int status = session_open(&run.session, options);
    if (status == EXIT_STATUS_FINE)
        status = run_session(&run);
    int ended = session_close(&run.session, status);
    /* Ctrl-C is how one stops listening. */
    return ended == EXIT_STATUS_SIGNAL + SIGINT ? status : ended;
}
