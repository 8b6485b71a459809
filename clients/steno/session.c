#include "session.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "exit_status.h"

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

/* Options that only a stream can check: against the model, or against each other. */
static bool needs_probe(const session *self, const option_values *options)
{
    return self->phrases.count > 0 || !isnan(options->lm_weight) ||
           !isnan(options->attention_weight);
}

/* Reads the phrases into the setting, and has a stream check it before any file is begun. */
static int check_setting(session *self, const option_values *options)
{
    steno_error error = {0};
    steno_status status = phrases_read(options, &self->phrases, &error);
    self->setting.stream.phrases = self->phrases.phrases;
    self->setting.stream.phrase_count = self->phrases.count;
    if (status == STENO_OK && !needs_probe(self, options))
        return EXIT_STATUS_FINE;
    steno_stream *probe = NULL;
    if (status == STENO_OK)
        status =
            steno_stream_create(self->engine, self->model, &self->setting.stream, &probe, &error);
    steno_stream_destroy(probe);
    if (status == STENO_OK)
        return EXIT_STATUS_FINE;
    console_error(&self->console, NULL, error.message);
    bool usage = status == STENO_ERROR_ARGUMENT || status == STENO_ERROR_LIMIT ||
                 status == STENO_ERROR_FORMAT || status == STENO_ERROR_UNSUPPORTED;
    return usage ? EXIT_STATUS_USAGE : exit_status_of_input(status);
}

int session_open(session *self, const option_values *options)
{
    *self = (struct session){0};
    console_init(&self->console);
    int exit_status = session_open_model(&self->console, options, options->model, &self->model);
    if (exit_status != EXIT_STATUS_FINE)
        return exit_status;

    steno_error error = {0};
    steno_status status = interrupt_init(&self->interrupt, &error);
    self->interrupt_ready = status == STENO_OK;
    steno_engine_options engine_options = {.threads = options->threads};
    if (status == STENO_OK)
        status = steno_engine_create(&engine_options, &self->engine, &error);
    if (status < 0) {
        console_error(&self->console, NULL, error.message);
        return EXIT_STATUS_AUDIO;
    }
    job_setting_init(&self->setting, options, &self->raw);
    self->setting.engine = self->engine;
    self->setting.model = self->model;
    self->setting.interrupt = &self->interrupt;
    exit_status = check_setting(self, options);
    if (exit_status != EXIT_STATUS_FINE)
        return exit_status;
    self->jobs = options->jobs != 0 ? options->jobs : steno_engine_cores();
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
    steno_engine_destroy(self->engine);
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

void session_output_failed(session *self)
{
    /* Several jobs may find out; the first tells. */
    bool first = interrupt_stop(&self->interrupt);
    int code = console_write_errno(&self->console);
    if (first && code != EPIPE)
        console_error(&self->console, "standard output", strerror(code));
}
