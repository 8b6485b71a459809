#include "session.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "exit_status.h"

/* Files side by side on a server, whose cores nobody here knows. */
enum { REMOTE_JOBS = 4 };

int session_open_model(
    console *screen, const option_values *options, const char *path, steno_model **out_model)
{
    if (path == NULL)
        path = steno_model_default_path();
    if (path == NULL) {
        console_error(screen, NULL, "no model found: name one, or set STENO_MODEL");
        return EXIT_STATUS_MODEL;
    }
    steno_model_options model_options = {
        .precision = (steno_precision)options->precision,
        .operators = (steno_operators)options->operators,
    };
    steno_error error = {0};
    if (steno_model_open(path, &model_options, out_model, &error) == STENO_OK)
        return EXIT_STATUS_FINE;
    console_error(screen, path, error.message);
    return EXIT_STATUS_MODEL;
}

/* Options that only a recogniser can check, against the model or each other; and a server must be
 * there. */
static bool needs_check(const session *self, const option_values *options)
{
    return self->phrases.count > 0 || !isnan(options->lm_weight) ||
           !isnan(options->attention_weight) || recogniser_is_remote(self->recogniser);
}

/* Reads the phrases into the setting, and has it checked before any file is begun. */
static int check_setting(session *self, const option_values *options)
{
    steno_error error = {0};
    hearing_setting *wanted = &self->setting.hearing;
    steno_status status = phrases_read(options, &self->phrases, &error);
    wanted->stream.phrases = self->phrases.phrases;
    wanted->stream.phrase_count = self->phrases.count;
    if (status == STENO_OK && !needs_check(self, options))
        return EXIT_STATUS_FINE;
    bool found = status == STENO_OK;
    if (found) {
        interrupt_allow(&self->interrupt);
        status = recogniser_check(self->recogniser, wanted, &error);
        interrupt_take_over(&self->interrupt);
    }
    if (status == STENO_OK)
        return EXIT_STATUS_FINE;
    console_error(&self->console, NULL, error.message);
    if (found && recogniser_is_remote(self->recogniser))
        return EXIT_STATUS_SERVER;
    bool usage = status == STENO_ERROR_ARGUMENT || status == STENO_ERROR_LIMIT ||
                 status == STENO_ERROR_FORMAT || status == STENO_ERROR_UNSUPPORTED;
    return usage ? EXIT_STATUS_USAGE : exit_status_of_input(status);
}

static int open_engine(session *self, const option_values *options)
{
    steno_error error = {0};
    steno_status status =
        recogniser_create_engine(self->model, options->threads, &self->recogniser, &error);
    if (status == STENO_OK)
        return EXIT_STATUS_FINE;
    console_error(&self->console, NULL, error.message);
    return EXIT_STATUS_AUDIO;
}

static int open_server(session *self, const option_values *options)
{
    steno_error error = {0};
    steno_status status = recogniser_create_server(options, &self->recogniser, &error);
    if (status == STENO_OK)
        return EXIT_STATUS_FINE;
    console_error(&self->console, NULL, error.message);
    /* Nothing has been asked of a server yet: it is the options, or the files they name. */
    int input = exit_status_of_input(status);
    return input == EXIT_STATUS_INPUT ? input : EXIT_STATUS_USAGE;
}

int session_open(session *self, const option_values *options)
{
    *self = (struct session){0};
    console_init(&self->console);
    bool is_remote = options->servers.count > 0;
    if (!is_remote) {
        int opened = session_open_model(&self->console, options, options->model, &self->model);
        if (opened != EXIT_STATUS_FINE)
            return opened;
    }
    /* Before there are any threads. */
    steno_error error = {0};
    steno_status status = interrupt_init(&self->interrupt, &error);
    self->interrupt_ready = status == STENO_OK;
    int exit_status = EXIT_STATUS_AUDIO;
    if (status < 0)
        console_error(&self->console, NULL, error.message);
    else
        exit_status = is_remote ? open_server(self, options) : open_engine(self, options);
    if (exit_status != EXIT_STATUS_FINE)
        return exit_status;
    job_setting_init(&self->setting, options, &self->raw);
    self->setting.recogniser = self->recogniser;
    self->setting.interrupt = &self->interrupt;
    exit_status = check_setting(self, options);
    if (exit_status != EXIT_STATUS_FINE)
        return exit_status;
    self->jobs = options->jobs != 0 ? options->jobs
                 : is_remote        ? REMOTE_JOBS
                                    : steno_engine_cores();
    /* Forming text on the same screen would fight with the progress line. */
    bool wanted = self->console.errors_are_terminal &&
                  !(options->interim && self->console.output_is_terminal);
    if (options->progress != OPTIONS_PROGRESS_AUTO)
        wanted = options->progress == OPTIONS_PROGRESS_ALWAYS;
    self->show_progress = wanted && !options->quiet;
    return EXIT_STATUS_FINE;
}

int session_close(session *self, int status)
{
    phrases_finish(&self->phrases);
    recogniser_destroy(self->recogniser);
    steno_model_unref(self->model);
    if (self->interrupt_ready) {
        interrupt_take(&self->interrupt);
        if (self->interrupt.signal != 0)
            status = EXIT_STATUS_SIGNAL + self->interrupt.signal;
        interrupt_finish(&self->interrupt);
    }
    if (console_write_errno(&self->console) == EPIPE)
        status = EXIT_STATUS_SIGNAL + SIGPIPE;
    console_finish(&self->console);
    return status;
}

int session_exit_status(const session *self, steno_status status, const job_report *report)
{
    if (status < 0 && report->recogniser_failed && recogniser_is_remote(self->recogniser))
        return EXIT_STATUS_SERVER;
    return exit_status_of_input(status);
}

void session_show_progress(session *self, const progress *work)
{
    if (!self->show_progress)
        return;
    char line[160];
    progress_line(work, line, sizeof line);
    console_progress(&self->console, line);
}

void session_output_failed(session *self)
{
    /* Several jobs may find out; the first tells. */
    bool first = interrupt_stop(&self->interrupt);
    int code = console_write_errno(&self->console);
    if (first && code != EPIPE)
        console_error(&self->console, "standard output", strerror(code));
}
