/*
 * One recording through a recogniser, on the calling thread: opens it, feeds, and hands on each
 * result.  The recognising happens elsewhere, in the engine's workers or on a server; this thread
 * reads and waits.
 */
#ifndef STENO_JOB_H
#define STENO_JOB_H

#include <stdbool.h>

#include "interrupt.h"
#include "options.h"
#include "recogniser.h"

/* What all jobs share; immutable while they run. */
typedef struct job_setting {
    recogniser *recogniser;
    const interrupt *interrupt; /* ends the audio early */
    hearing_setting hearing;
    const steno_raw_format *raw; /* NULL: recordings have headers */
    uint64_t limit_ms;           /* no more audio than that is read; 0: all */
    uint32_t full_wait_ms;       /* how long to wait for a place on a server that is full */
} job_setting;

/* Told on the thread of job_run. */
typedef struct job_listener {
    /* The recording is open. May be NULL. */
    steno_status (*opened)(void *context, const steno_audio_info *info);
    /* A result, valid during the call; channel 0: the mix. */
    steno_status (*result)(void *context, const steno_result *result, unsigned channel);
    /* Now and then. total_ms UINT64_MAX: unknown. */
    void (*progress)(void *context, uint64_t done_ms, uint64_t total_ms);
    void *context;
} job_listener;

/* How it went. */
typedef struct job_report {
    uint64_t duration_ms;   /* the audio recognised, also when something failed later */
    bool recogniser_failed; /* not the recording, nor a listener: what follows is missing */
} job_report;

/* The setting that the command line asks for, without recogniser and interrupt. */
void job_setting_init(job_setting *setting, const option_values *options, steno_raw_format *raw);

/* Of damaged audio all that comes before is recognised, then the error is returned.  What a
 * listener returns but STENO_OK ends the job and is returned.  A server that is full is tried
 * again, as long as nothing was heard and the recording can be opened again. */
steno_status job_run(const job_setting *setting, const char *path, const job_listener *listener,
    job_report *out_report, steno_error *error);

#endif
