/*
 * One recording runs through a job as it does for `steno transcribe`, and its stream is looked on
 * at. All from its beginning is recognised, and some audio behind the part that is shown, so that
 * what is shown is what a transcript of the whole recording says.
 */
#include "inspect/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exit_status.h"
#include "help.h"
#include "input.h"
#include "inspect/pictures.h"
#include "parallel.h"
#include "progress.h"
#include "session.h"

enum {
    LONGEST_MS = 300000, /* of what is shown: a page of about 20 MB */
    BEHIND_MS = 60000,   /* beyond the longest result, recognised and not shown */
};

typedef struct inspection {
    const option_values *options;
    const char *path;
    session session;
    pictures pictures;
    progress progress;
    heard heard;
    steno_audio_info info;
    char format[64];     /* its format, which does not outlive the file otherwise */
    uint64_t audio_ms;   /* UINT64_MAX: unknown */
    steno_error trouble; /* of listeners */
    int exit_status;
} inspection;

static uint64_t part_begin(const option_values *options)
{
    return isnan(options->from_s) ? 0 : (uint64_t)llround(1000 * (double)options->from_s);
}

static uint64_t part_end(const option_values *options)
{
    return isnan(options->to_s) ? part_begin(options) + LONGEST_MS
                                : (uint64_t)llround(1000 * (double)options->to_s);
}

static int check_command_line(inspection *self)
{
    const option_values *options = self->options;
    steno_error error;
    if (options->operand_count != 1)
        return help_usage_error("inspect", options->operand_count == 0
                                               ? "no file given; \"-\" is standard input"
                                               : "one file at a time");
    if (pictures_init(&self->pictures, options, &error) < 0)
        return help_usage_error("inspect", error.message);
    if (part_end(options) <= part_begin(options))
        return help_usage_error("inspect", "--to must be later than --from");
    if (part_end(options) - part_begin(options) > LONGEST_MS) {
        char message[96];
        snprintf(message, sizeof message, "from --from to --to there may be %d seconds at most",
            LONGEST_MS / 1000);
        return help_usage_error("inspect", message);
    }
    return EXIT_STATUS_FINE;
}

/* The listeners. */

static steno_status on_opened(void *context, const steno_audio_info *info)
{
    inspection *self = context;
    self->info = *info;
    snprintf(self->format, sizeof self->format, "%s", info->format);
    self->info.format = self->format;
    self->audio_ms = UINT64_MAX;
    if (info->frames != UINT64_MAX)
        self->audio_ms = info->frames / info->rate_hz * 1000 +
                         info->frames % info->rate_hz * 1000 / info->rate_hz;
    if (self->audio_ms <= part_begin(self->options)) {
        snprintf(self->trouble.message, sizeof self->trouble.message,
            "nothing there from --from on: it is %.2f s long", (double)self->audio_ms / 1000);
        return self->trouble.status = STENO_ERROR_ARGUMENT;
    }
    return pictures_open(&self->pictures, &self->trouble);
}

static steno_status on_result(void *context, const steno_result *result, unsigned channel)
{
    inspection *self = context;
    return result->is_final ? heard_result(&self->heard, result) : STENO_OK;
}

static void on_progress(void *context, uint64_t done_ms, uint64_t total_ms)
{
    inspection *self = context;
    uint64_t limit_ms = self->session.setting.limit_ms;
    bool known = total_ms != UINT64_MAX;
    progress_update(
        &self->progress, 0, done_ms, known && limit_ms < total_ms ? limit_ms : total_ms);
}

static void show_progress(void *context)
{
    inspection *self = context;
    session_show_progress(&self->session, &self->progress);
}

/* What to say and return of a job that failed. */
static int report(inspection *self, steno_status status, const steno_error *error)
{
    console *screen = &self->session.console;
    const char *name = input_name(self->path);
    if (status == STENO_OK)
        return EXIT_STATUS_FINE;
    if (self->trouble.status == STENO_ERROR_ARGUMENT) {
        console_error(screen, name, self->trouble.message);
        return EXIT_STATUS_USAGE;
    }
    if (self->trouble.status < 0) {
        console_error(screen, NULL, self->trouble.message);
        return EXIT_STATUS_OUTPUT;
    }
    console_error(
        screen, name, error->message[0] != '\0' ? error->message : steno_status_name(status));
    return exit_status_of_input(status);
}

static bool is_worth_showing(const inspection *self, steno_status status)
{
    return self->info.rate_hz > 0 && self->trouble.status == STENO_OK &&
           status != STENO_ERROR_MEMORY && status != STENO_ERROR_INTERNAL &&
           status != STENO_ERROR_STATE && status != STENO_ERROR_ARGUMENT;
}

static int write_pictures(inspection *self, uint64_t recognised_ms)
{
    const char *model = self->options->model;
    const char *slash = strrchr(self->path, '/');
    const page_facts facts = {.name = slash != NULL ? slash + 1 : input_name(self->path),
        .path = input_name(self->path),
        .audio_ms = self->audio_ms,
        .recognised_ms = recognised_ms,
        .info = &self->info,
        .model_path = model != NULL ? model : steno_model_default_path(),
        .stream = &self->session.setting.hearing.stream};
    steno_error error;
    heard_end(&self->heard, recognised_ms);
    if (pictures_write(&self->pictures, &self->heard, &facts, &error) == STENO_OK)
        return EXIT_STATUS_FINE;
    console_error(&self->session.console, NULL, error.message);
    return EXIT_STATUS_OUTPUT;
}

/* Says so where not all is shown, and nobody asked for less. */
static void tell_of_rest(inspection *self, uint64_t recognised_ms)
{
    if (!isnan(self->options->to_s) || recognised_ms <= self->heard.to_ms)
        return;
    char message[160];
    snprintf(message, sizeof message,
        "shown is %.0f s to %.0f s; --from and --to choose another part",
        (double)self->heard.from_ms / 1000, (double)self->heard.to_ms / 1000);
    console_error(&self->session.console, input_name(self->path), message);
}

static void run_job(void *context, size_t index)
{
    inspection *self = context;
    job_setting *setting = &self->session.setting;
    steno_stream_options *stream = &setting->hearing.stream;
    stream->trace = &self->heard.trace;
    setting->limit_ms = part_end(self->options) + stream->max_utterance_ms + BEHIND_MS;
    const job_listener listener = {
        .opened = on_opened, .result = on_result, .progress = on_progress, .context = self};
    steno_error error;
    job_report job;
    steno_status status = job_run(setting, self->path, &listener, &job, &error);
    if (status == STENO_OK && self->heard.out_of_memory)
        status = STENO_ERROR_MEMORY;
    self->exit_status = report(self, status, &error);
    bool cut_short = strcmp(self->path, "-") != 0 && interrupt_stopped(&self->session.interrupt);
    if (is_worth_showing(self, status) && !cut_short) {
        tell_of_rest(self, job.duration_ms);
        self->exit_status =
            exit_status_worse(self->exit_status, write_pictures(self, job.duration_ms));
    }
    progress_complete(&self->progress, 0);
}

static int run_session(inspection *self)
{
    steno_error error;
    if (progress_init(&self->progress, &self->path, 1, &error) < 0) {
        console_error(&self->session.console, NULL, error.message);
        return EXIT_STATUS_AUDIO;
    }
    heard_init(
        &self->heard, self->session.model, part_begin(self->options), part_end(self->options));
    /* In a thread of its own, so that this one takes signals also while input is waited for. */
    parallel work = {.count = 1,
        .threads = 1,
        .work = run_job,
        .tick = show_progress,
        .context = self,
        .interrupt = &self->session.interrupt};
    if (parallel_run(&work, &error) < 0) {
        console_error(&self->session.console, NULL, error.message);
        self->exit_status = EXIT_STATUS_AUDIO;
    }
    console_progress(&self->session.console, "");
    heard_finish(&self->heard);
    progress_finish(&self->progress);
    return self->exit_status;
}

int inspect(const option_values *options)
{
    inspection self = {.options = options};
    int status = check_command_line(&self);
    if (status != EXIT_STATUS_FINE)
        return status;
    self.path = options->operands[0];
    status = session_open(&self.session, options);
    if (status == EXIT_STATUS_FINE)
        status = run_session(&self);
    pictures_finish(&self.pictures);
    return session_close(&self.session, status);
}
