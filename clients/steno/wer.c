/*
 * Runs every recording of a manifest through a job, counts its word errors where it ends, and
 * prints sums by group.  A recording that fails is reported and counted nowhere.
 */
#include "wer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit_status.h"
#include "growing.h"
#include "help.h"
#include "job.h"
#include "manifest.h"
#include "output.h"
#include "parallel.h"
#include "progress.h"
#include "session.h"
#include "wer_report.h"
#include "words.h"

typedef struct wer_run {
    session session;
    const option_values *options;
    manifest manifest;
    progress progress;
    wer_recording *recordings; /* [manifest.count] */
    int *exit_statuses;        /* [manifest.count] */
} wer_run;

typedef struct wer_task {
    wer_run *run;
    size_t index;
    growing text; /* what was heard so far */
} wer_task;

static steno_status on_result(void *context, const steno_result *result, unsigned channel)
{
    wer_task *task = context;
    const char *text = result->alternatives[0].text;
    steno_status status = STENO_OK;
    if (task->text.size > 0)
        status = growing_add(&task->text, " ", 1);
    return status == STENO_OK ? growing_add(&task->text, text, strlen(text)) : status;
}

static void on_progress(void *context, uint64_t done_ms, uint64_t total_ms)
{
    wer_task *task = context;
    progress_update(&task->run->progress, task->index, done_ms, total_ms);
}

static steno_status count_errors(wer_recording *recording)
{
    words reference, hypothesis;
    steno_status status = words_split(recording->entry->text, &reference);
    if (status < 0)
        return status;
    status = words_split(recording->hypothesis != NULL ? recording->hypothesis : "", &hypothesis);
    if (status == STENO_OK) {
        recording->words = reference.count;
        status = alignment_count(
            reference.list, reference.count, hypothesis.list, hypothesis.count, &recording->errors);
        words_finish(&hypothesis);
    }
    words_finish(&reference);
    return status;
}

static void run_task(void *context, size_t index)
{
    wer_run *run = context;
    wer_recording *recording = &run->recordings[index];
    wer_task task = {.run = run, .index = index};
    job_listener listener = {.result = on_result, .progress = on_progress, .context = &task};
    uint64_t start_ms = progress_clock_ms();
    steno_error error;
    job_report job;
    steno_status status =
        job_run(&run->session.setting, recording->entry->path, &listener, &job, &error);
    recording->audio_ms = job.duration_ms;
    recording->work_ms = progress_clock_ms() - start_ms;
    recording->hypothesis = task.text.bytes;
    if (status == STENO_OK)
        status = count_errors(recording);
    if (status < 0) {
        console_error(&run->session.console, recording->entry->path,
            error.message[0] != '\0' ? error.message : steno_status_name(status));
        run->exit_statuses[index] = session_exit_status(&run->session, status, &job);
    }
    recording->measured = status == STENO_OK;
    progress_complete(&run->progress, index);
}

static void show_progress(void *context)
{
    wer_run *run = context;
    session_show_progress(&run->session, &run->progress);
}

/* Takes the text. */
static steno_status write_text(output *details, char *text)
{
    steno_status status = STENO_ERROR_MEMORY;
    if (text != NULL)
        status = output_write(details, text, strlen(text));
    free(text);
    return status;
}

static int write_details(wer_run *run)
{
    output *details;
    steno_error error;
    if (output_open(run->options->details, &details, &error) < 0) {
        console_error(&run->session.console, NULL, error.message);
        return EXIT_STATUS_OUTPUT;
    }
    steno_status status = write_text(details, wer_report_details_header());
    for (size_t i = 0; i < run->manifest.count && status == STENO_OK; i++)
        if (run->recordings[i].measured)
            status = write_text(details, wer_report_details(&run->recordings[i]));
    if (status == STENO_ERROR_MEMORY) {
        output_discard(details);
        console_error(&run->session.console, run->options->details, "out of memory");
        return EXIT_STATUS_OUTPUT;
    }
    if (output_commit(details, &error) == STENO_OK)
        return EXIT_STATUS_FINE;
    console_error(&run->session.console, NULL, error.message);
    return EXIT_STATUS_OUTPUT;
}

static int print_report(wer_run *run, uint64_t elapsed_ms)
{
    wer_report report = {0};
    char *text = NULL;
    if (wer_report_init(&report, run->recordings, run->manifest.count, elapsed_ms) == STENO_OK)
        text = run->options->json ? wer_report_json(&report) : wer_report_table(&report);
    wer_report_finish(&report);
    if (text == NULL) {
        console_error(&run->session.console, NULL, "out of memory");
        return EXIT_STATUS_AUDIO;
    }
    steno_status status = console_write(&run->session.console, text, strlen(text));
    free(text);
    if (status == STENO_OK)
        return EXIT_STATUS_FINE;
    session_output_failed(&run->session);
    return EXIT_STATUS_OUTPUT;
}

static int measure(wer_run *run)
{
    parallel work = {
        .count = run->manifest.count,
        .threads = run->session.jobs,
        .work = run_task,
        .tick = show_progress,
        .context = run,
        .interrupt = &run->session.interrupt,
    };
    steno_error error;
    uint64_t start_ms = progress_clock_ms();
    if (parallel_run(&work, &error) < 0) {
        console_error(&run->session.console, NULL, error.message);
        return EXIT_STATUS_AUDIO;
    }
    uint64_t elapsed_ms = progress_clock_ms() - start_ms;
    console_progress(&run->session.console, "");
    if (interrupt_stopped(&run->session.interrupt))
        return EXIT_STATUS_FINE; /* nothing was measured whole; the signal is the exit status */
    int status = EXIT_STATUS_FINE;
    for (size_t i = 0; i < run->manifest.count; i++)
        status = exit_status_worse(status, run->exit_statuses[i]);
    if (run->options->details != NULL)
        status = exit_status_worse(status, write_details(run));
    return exit_status_worse(status, print_report(run, elapsed_ms));
}

/* With the session open and the manifest read. */
static int run_session(wer_run *run)
{
    size_t count = run->manifest.count;
    const char **paths = calloc(count, sizeof *paths);
    run->recordings = calloc(count, sizeof *run->recordings);
    run->exit_statuses = calloc(count, sizeof *run->exit_statuses);
    int status = EXIT_STATUS_AUDIO;
    steno_error error = {.message = "out of memory"};
    if (paths != NULL && run->recordings != NULL && run->exit_statuses != NULL) {
        for (size_t i = 0; i < count; i++) {
            run->recordings[i].entry = &run->manifest.entries[i];
            paths[i] = run->manifest.entries[i].path;
        }
        if (progress_init(&run->progress, paths, count, &error) == STENO_OK) {
            status = measure(run);
            error.message[0] = '\0';
        }
        for (size_t i = 0; i < count; i++)
            free(run->recordings[i].hypothesis);
    }
    if (error.message[0] != '\0')
        console_error(&run->session.console, NULL, error.message);
    progress_finish(&run->progress);
    free(run->exit_statuses);
    free(run->recordings);
    free(paths);
    return status;
}

int wer(const option_values *options)
{
    if (options->operand_count != 1)
        return help_usage_error(
            "wer", options->operand_count == 0 ? "no manifest given" : "more than one manifest");
    wer_run run = {.options = options};
    steno_error error;
    steno_status read = manifest_read(options->operands[0], &run.manifest, &error);
    int status;
    if (read < 0) {
        fprintf(stderr, "steno: %s\n", error.message);
        status = exit_status_of_input(read);
    } else {
        status = session_open(&run.session, options);
        if (status == EXIT_STATUS_FINE)
            status = run_session(&run);
        status = session_close(&run.session, status);
    }
    manifest_finish(&run.manifest);
    return status;
}
