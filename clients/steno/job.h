/*
 * One recording through the engine, on the calling thread: opens it, makes a stream (one for each
 * channel if they are wanted apart), feeds, and hands on each result.  The engine's workers do the
 * recognising; this thread reads and waits.
 */
#ifndef STENO_JOB_H
#define STENO_JOB_H

#include <stdbool.h>

#include "interrupt.h"
#include "options.h"
#include "steno/audio.h"
#include "steno/stream.h"

/* What all jobs share; immutable while they run. */
typedef struct job_setting {
    steno_engine *engine;
    steno_model *model;
    const interrupt *interrupt;  /* ends the audio early */
    steno_stream_options stream; /* but rate and channels, which the recording says */
    const steno_raw_format *raw; /* NULL: recordings have headers */
    bool per_channel;
    uint64_t limit_ms; /* no more audio than that is read; 0: all */
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

/* The setting that the command line asks for, without engine, model and interrupt. */
void job_setting_init(job_setting *setting, const option_values *options, steno_raw_format *raw);

/* *out_duration_ms: the audio recognised, also when something failed later.  Of damaged audio all
 * that comes before is recognised, then the error is returned.  What a listener returns but
 * STENO_OK ends the job and is returned. */
steno_status job_run(const job_setting *setting, const char *path, const job_listener *listener,
    uint64_t *out_duration_ms, steno_error *error);

#endif
