#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

enum {
    BLOCKS_PER_SECOND = 10, /* audio is read in pieces of a tenth of a second */
    PROGRESS_MS = 200,      /* how often progress is told while waiting for the last results */
};

typedef struct job_state {
    const job_setting *setting;
    const job_listener *listener;
    input input;
    const steno_audio_info *info;
    float *samples; /* [block_frames, channels] */
    size_t block_frames;
    steno_stream *streams[STENO_CHANNELS_MAX];
    unsigned stream_count; /* 1: of the mix, or of each channel */
} job_state;

void job_setting_init(job_setting *setting, const option_values *options, steno_raw_format *raw)
{
    *setting = (job_setting){.per_channel = options->per_channel};
    steno_stream_options *stream = &setting->stream;
    steno_stream_options_init(stream);
    if (options->chunk_ms != 0)
        stream->chunk_ms = options->chunk_ms;
    if (options->endpoint_ms != 0)
        stream->endpoint_ms = options->endpoint_ms;
    if (options->max_utterance_ms != 0)
        stream->max_utterance_ms = options->max_utterance_ms;
    if (options->alternatives != 0)
        stream->max_alternatives = options->alternatives;
    if (options->beam != 0)
        stream->beam = options->beam;
    stream->search = (steno_search)options->search;
    stream->lm_weight = options->lm_weight;
    stream->attention_weight = options->attention_weight;
    stream->token_bonus = options->token_bonus;
    stream->interim = options->interim;
    stream->endpointing = !options->no_endpointing;

    if (!options->raw && options->encoding == OPTIONS_UNSET && options->rate_hz == 0 &&
        options->channels == 0)
        return;
    *raw = (steno_raw_format){
        .encoding = options->encoding != OPTIONS_UNSET ? (steno_encoding)options->encoding
                                                       : STENO_ENCODING_S16,
        .rate_hz = options->rate_hz != 0 ? options->rate_hz : 16000,
        .channels = options->channels != 0 ? options->channels : 1,
    };
    setting->raw = raw;
}

static steno_status out_of_memory(steno_error *error)
{
    error->status = STENO_ERROR_MEMORY;
    snprintf(error->message, sizeof error->message, "out of memory");
    return error->status;
}

static steno_status open_streams(job_state *job, steno_error *error)
{
    steno_stream_options options = job->setting->stream;
    options.rate_hz = job->info->rate_hz;
    options.channels = job->info->channels;
    unsigned wanted = job->setting->per_channel ? job->info->channels : 1;
    while (job->stream_count < wanted) {
        options.channel = job->setting->per_channel ? job->stream_count + 1 : 0;
        steno_status status = steno_stream_create(job->setting->engine, job->setting->model,
            &options, &job->streams[job->stream_count], error);
        if (status < 0)
            return status;
        job->stream_count++;
    }
    return STENO_OK;
}

static steno_status open_job(job_state *job, const char *path, steno_error *error)
{
    steno_status status =
        input_open(&job->input, path, job->setting->raw, job->setting->interrupt, error);
    if (status < 0)
        return status;
    job->info = steno_audio_get_info(job->input.file);
    job->block_frames = job->info->rate_hz / BLOCKS_PER_SECOND;
    job->samples = calloc(job->block_frames * job->info->channels, sizeof(float));
    if (job->samples == NULL)
        return out_of_memory(error);
    status = open_streams(job, error);
    if (status < 0 || job->listener->opened == NULL)
        return status;
    return job->listener->opened(job->listener->context, job->info);
}

static void close_job(job_state *job)
{
    for (unsigned i = 0; i < job->stream_count; i++)
        steno_stream_destroy(job->streams[i]);
    free(job->samples);
    input_close(&job->input);
}

static uint64_t total_ms(const job_state *job)
{
    if (job->info->frames == UINT64_MAX)
        return UINT64_MAX;
    return job->info->frames / job->info->rate_hz * 1000 +
           job->info->frames % job->info->rate_hz * 1000 / job->info->rate_hz;
}

static void tell_progress(const job_state *job)
{
    uint64_t done = UINT64_MAX;
    for (unsigned i = 0; i < job->stream_count; i++) {
        uint64_t one = steno_stream_done_ms(job->streams[i]);
        done = one < done ? one : done;
    }
    job->listener->progress(job->listener->context, done, total_ms(job));
}

/* Hands on what there is: STENO_AGAIN when there is no more now, STENO_END after the last. */
static steno_status take_results(const job_state *job, unsigned index, steno_error *error)
{
    for (;;) {
        const steno_result *result;
        steno_status status = steno_stream_next(job->streams[index], &result, error);
        if (status != STENO_OK)
            return status;
        unsigned channel = job->setting->per_channel ? index + 1 : 0;
        status = job->listener->result(job->listener->context, result, channel);
        if (status < 0)
            return status;
    }
}

/* Feeds a block to one stream, waiting where its backlog is full. */
static steno_status feed(const job_state *job, unsigned index, size_t frames, steno_error *error)
{
    steno_stream *stream = job->streams[index];
    size_t offset = 0;
    for (;;) {
        size_t taken = 0;
        steno_status status = steno_stream_feed(
            stream, job->samples + offset * job->info->channels, frames - offset, &taken);
        if (status < 0) {
            error->status = status;
            snprintf(error->message, sizeof error->message, "feeding the recogniser failed: %s",
                steno_status_name(status));
            return status;
        }
        offset += taken;
        steno_status results = take_results(job, index, error);
        if (results < 0 || status == STENO_OK)
            return results < 0 ? results : STENO_OK;
        steno_stream_wait(stream, -1);
    }
}

/* Reads and feeds until the audio ends (STENO_END), is damaged, or a stop is asked for. */
static steno_status feed_all(const job_state *job, steno_error *error, bool *out_streams_failed)
{
    *out_streams_failed = false;
    uint64_t limit_ms = job->setting->limit_ms;
    while (!interrupt_stopped(job->setting->interrupt)) {
        if (limit_ms > 0 && steno_stream_fed_ms(job->streams[0]) >= limit_ms)
            return STENO_END;
        size_t frames = 0;
        steno_status read =
            steno_audio_read(job->input.file, job->samples, job->block_frames, &frames, error);
        for (unsigned i = 0; frames > 0 && i < job->stream_count; i++) {
            steno_error feed_error;
            steno_status status = feed(job, i, frames, &feed_error);
            if (status < 0) {
                *out_streams_failed = true;
                *error = feed_error;
                return status;
            }
        }
        if (read != STENO_OK)
            return read;
        tell_progress(job);
    }
    return STENO_END;
}

/* Waits for the last results of a finished stream and hands them on. */
static steno_status take_rest(const job_state *job, unsigned index, steno_error *error)
{
    for (;;) {
        steno_status status = take_results(job, index, error);
        if (status != STENO_AGAIN)
            return status < 0 ? status : STENO_OK;
        steno_stream_wait(job->streams[index], PROGRESS_MS);
        tell_progress(job);
    }
}

static steno_status recognise(const job_state *job, uint64_t *out_duration_ms, steno_error *error)
{
    bool streams_failed;
    steno_status read = feed_all(job, error, &streams_failed);
    if (streams_failed)
        return read;
    for (unsigned i = 0; i < job->stream_count; i++)
        steno_stream_finish(job->streams[i]);
    *out_duration_ms = steno_stream_fed_ms(job->streams[0]);
    for (unsigned i = 0; i < job->stream_count; i++) {
        steno_error rest_error;
        steno_status status = take_rest(job, i, &rest_error);
        if (status < 0) {
            *error = rest_error;
            return status;
        }
    }
    return read < 0 ? read : STENO_OK;
}

steno_status job_run(const job_setting *setting, const char *path, const job_listener *listener,
    uint64_t *out_duration_ms, steno_error *error)
{
    job_state job = {.setting = setting, .listener = listener};
    *out_duration_ms = 0;
    *error = (steno_error){0};
    steno_status status = open_job(&job, path, error);
    if (status == STENO_OK)
        status = recognise(&job, out_duration_ms, error);
    close_job(&job);
    return status;
}
