/*
 * Each input is a task: its recording runs through a job, whose final results go through a
 * formatter to a file of its own or to its place in the order of standard output.
 *
 * What becomes of a task that ends early: of damaged audio the transcript so far is written and
 * the damage reported; where the recogniser fails (a server that goes away) what standard output
 * has got stays, and an unfinished file is dropped; on a signal standard output gets what was
 * recognised, and so does the transcript of standard input (the signal is the end of the
 * recording), but the unfinished file of a file is dropped, since a whole one is what its name
 * promises.
 */
#include "transcribe.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "exit_status.h"
#include "help.h"
#include "input.h"
#include "job.h"
#include "kept.h"
#include "ordered.h"
#include "output.h"
#include "parallel.h"
#include "plan.h"
#include "progress.h"
#include "session.h"
#include "steno/format.h"

typedef struct transcribe_run transcribe_run;

typedef struct transcribe_task {
    transcribe_run *run;
    size_t index;
    const char *path;
    const char *output_path;    /* NULL: standard output */
    ordered_item *shown;        /* its place on standard output, or NULL */
    output *file;               /* its file once open, or NULL */
    steno_formatter *formatter; /* once the recording is open */
    kept kept;                  /* with --per-channel: results until the end */
    steno_status write_status;  /* negative: the result could not be written */
    steno_error open_error;     /* why its file could not be opened */
    int exit_status;
} transcribe_task;

struct transcribe_run {
    session session;
    const option_values *options;
    plan plan;
    progress progress;
    ordered ordered;
    transcribe_task *tasks; /* [plan.count] */
};

/* Notes it if writing failed, and passes the status on. */
static steno_status written(transcribe_task *task, steno_status status)
{
    if (status < 0)
        task->write_status = status;
    return status;
}

static steno_status write_header(transcribe_task *task)
{
    char line[PATH_MAX + 32];
    int size = snprintf(line, sizeof line, "==> %s <==\n", input_name(task->path));
    size_t length = (size_t)size < sizeof line ? (size_t)size : sizeof line - 1;
    return ordered_write(task->shown, line, length);
}

static steno_status on_opened(void *context, const steno_audio_info *info)
{
    transcribe_task *task = context;
    const option_values *options = task->run->options;
    steno_write write = output_write;
    void *target;
    if (task->output_path != NULL) {
        steno_status status = output_open(task->output_path, &task->file, &task->open_error);
        if (status < 0)
            return written(task, status);
        target = task->file;
    } else {
        write = ordered_write;
        target = task->shown;
        if (options->format == STENO_FORMAT_TEXT && options->operand_count > 1) {
            steno_status status = written(task, write_header(task));
            if (status < 0)
                return status;
        }
    }
    const char *source = strcmp(task->path, "-") == 0 ? "stdin" : task->path;
    steno_status status = steno_formatter_create(
        (steno_format)options->format, source, write, target, &task->formatter, &task->open_error);
    if (status == STENO_OK && task->shown != NULL)
        status = ordered_flush(task->shown);
    return written(task, status);
}

static steno_status add_result(transcribe_task *task, const steno_result *result, unsigned channel)
{
    steno_status status = steno_formatter_add(task->formatter, result, channel);
    if (status == STENO_OK && task->shown != NULL)
        status = ordered_flush(task->shown);
    return written(task, status);
}

static steno_status on_result(void *context, const steno_result *result, unsigned channel)
{
    transcribe_task *task = context;
    if (!result->is_final) {
        if (task->shown == NULL)
            return STENO_OK;
        return written(task, ordered_interim(task->shown, result->alternatives[0].text));
    }
    if (task->run->options->per_channel)
        return kept_add(&task->kept, result, channel);
    return add_result(task, result, channel);
}

static void on_progress(void *context, uint64_t done_ms, uint64_t total_ms)
{
    transcribe_task *task = context;
    progress_update(&task->run->progress, task->index, done_ms, total_ms);
}

/* Writes what --per-channel kept, and what the format puts at the end. */
static void finish_text(transcribe_task *task, uint64_t duration_ms)
{
    kept_sort(&task->kept);
    for (size_t i = 0; i < task->kept.count && task->write_status == STENO_OK; i++)
        add_result(task, task->kept.results[i].result, task->kept.results[i].channel);
    if (task->write_status == STENO_OK)
        written(task, steno_formatter_finish(task->formatter, duration_ms));
}

/* True where what was recognised before the job failed is worth giving. */
static bool is_worth_giving(steno_status status)
{
    return status != STENO_ERROR_MEMORY && status != STENO_ERROR_INTERNAL &&
           status != STENO_ERROR_STATE && status != STENO_ERROR_ARGUMENT;
}

static void finish_file(transcribe_task *task, bool whole)
{
    if (task->file == NULL)
        return;
    bool is_recording = strcmp(task->path, "-") != 0;
    bool cut_short = is_recording && interrupt_stopped(&task->run->session.interrupt);
    steno_error error;
    if (!whole || cut_short || task->write_status == STENO_ERROR_MEMORY) {
        output_discard(task->file);
    } else if (output_commit(task->file, &error) < 0) {
        console_error(&task->run->session.console, NULL, error.message);
        task->exit_status = exit_status_worse(task->exit_status, EXIT_STATUS_OUTPUT);
    }
    task->file = NULL;
}

static void finish_shown(transcribe_task *task)
{
    if (task->shown == NULL)
        return;
    steno_status status = ordered_done(task->shown);
    if (status == STENO_ERROR_IO || task->write_status == STENO_ERROR_IO) {
        session_output_failed(&task->run->session);
        task->exit_status = EXIT_STATUS_OUTPUT;
    }
}

/* Says what ended the job early, if something did. */
static void report(
    transcribe_task *task, steno_status status, const job_report *job, const steno_error *error)
{
    session *state = &task->run->session;
    if (task->open_error.status < 0) {
        console_error(&state->console, NULL, task->open_error.message);
        task->exit_status = EXIT_STATUS_OUTPUT;
    } else if (task->write_status == STENO_ERROR_MEMORY) {
        console_error(&state->console, input_name(task->path), "out of memory");
        task->exit_status = EXIT_STATUS_AUDIO;
    } else if (task->write_status < 0) {
        return; /* told where the output is finished */
    } else if (status < 0) {
        const char *message =
            error->message[0] != '\0' ? error->message : steno_status_name(status);
        console_error(&state->console, input_name(task->path), message);
        task->exit_status = session_exit_status(state, status, job);
    }
}

static void run_task(void *context, size_t index)
{
    transcribe_run *run = context;
    transcribe_task *task = &run->tasks[index];
    job_listener listener = {
        .opened = on_opened, .result = on_result, .progress = on_progress, .context = task};
    steno_error error;
    job_report job;
    steno_status status = job_run(&run->session.setting, task->path, &listener, &job, &error);
    bool whole = is_worth_giving(status) && !job.recogniser_failed;
    if (task->formatter != NULL && whole && task->write_status == STENO_OK)
        finish_text(task, job.duration_ms);
    report(task, status, &job, &error);
    finish_file(task, whole);
    finish_shown(task);
    steno_formatter_destroy(task->formatter);
    kept_finish(&task->kept);
    progress_complete(&run->progress, index);
}

static void show_progress(void *context)
{
    transcribe_run *run = context;
    session_show_progress(&run->session, &run->progress);
}

static int make_output_folder(transcribe_run *run)
{
    const char *folder = run->options->output_dir;
    if (folder == NULL || mkdir(folder, 0777) == 0)
        return EXIT_STATUS_FINE;
    int code = errno;
    struct stat status;
    if (code == EEXIST && stat(folder, &status) == 0)
        code = S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    if (code == 0)
        return EXIT_STATUS_FINE;
    console_error(&run->session.console, folder, strerror(code));
    return EXIT_STATUS_OUTPUT;
}

static int run_tasks(transcribe_run *run)
{
    size_t count = run->plan.count;
    for (size_t i = 0; i < count; i++) {
        run->tasks[i] = (transcribe_task){
            .run = run,
            .index = i,
            .path = run->options->operands[i],
            .output_path = run->plan.outputs[i],
            .shown = run->plan.outputs[i] == NULL ? &run->ordered.items[i] : NULL,
        };
    }
    parallel work = {
        .count = count,
        .threads = run->session.jobs,
        .work = run_task,
        .tick = show_progress,
        .context = run,
        .interrupt = &run->session.interrupt,
    };
    steno_error error;
    if (parallel_run(&work, &error) < 0) {
        console_error(&run->session.console, NULL, error.message);
        return EXIT_STATUS_AUDIO;
    }
    console_progress(&run->session.console, "");
    int status = EXIT_STATUS_FINE;
    for (size_t i = 0; i < count; i++)
        status = exit_status_worse(status, run->tasks[i].exit_status);
    return status;
}

/* With the session open. */
static int run_session(transcribe_run *run)
{
    int status = make_output_folder(run);
    if (status != EXIT_STATUS_FINE)
        return status;
    size_t count = run->plan.count;
    const char *separator = run->options->format == STENO_FORMAT_TEXT ? "\n" : "";
    steno_error error;
    if (progress_init(&run->progress, run->options->operands, count, &error) < 0) {
        console_error(&run->session.console, NULL, error.message);
        return EXIT_STATUS_AUDIO;
    }
    status = EXIT_STATUS_AUDIO;
    run->tasks = calloc(count, sizeof *run->tasks);
    if (run->tasks == NULL) {
        console_error(&run->session.console, NULL, "out of memory");
    } else if (ordered_init(&run->ordered, &run->session.console, count, separator, &error) < 0) {
        console_error(&run->session.console, NULL, error.message);
    } else {
        status = run_tasks(run);
        ordered_finish(&run->ordered);
    }
    free(run->tasks);
    progress_finish(&run->progress);
    return status;
}

int transcribe(const option_values *options)
{
    transcribe_run run = {.options = options};
    steno_error error;
    steno_status planned = plan_init(&run.plan, options, &error);
    int status;
    if (planned == STENO_ERROR_ARGUMENT) {
        status = help_usage_error("transcribe", error.message);
    } else if (planned < 0) {
        fprintf(stderr, "steno: %s\n", error.message);
        status = EXIT_STATUS_AUDIO;
    } else {
        status = session_open(&run.session, options);
        if (status == EXIT_STATUS_FINE)
            status = run_session(&run);
        status = session_close(&run.session, status);
    }
    plan_finish(&run.plan);
    return status;
}
