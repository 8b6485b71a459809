#include "job.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "input.h"

enum {
    BLOCKS_PER_SECOND = 10, /* audio is read in pieces of a tenth of a second */
    PROGRESS_MS = 200,      /* how often progress is told while waiting for the last results */
    /* How long a server may be silent once the work is to come to an end. */
    STOP_PATIENCE_MS = 5000,
    FULL_RETRY_MS = 250, /* how often a full server is asked for a place */
    FULL_WAIT_S = 10,    /* and how long, unless --connect-timeout says */
};

typedef struct job_state {
    const job_setting *setting;
    const job_listener *listener;
    input input;
    const steno_audio_info *info;
    float *samples; /* [block_frames, channels] */
    size_t block_frames;
    hearing *hearing;
    bool opened;       /* the listener knows */
    bool heard;        /* a result was handed on */
    bool failed;       /* the recogniser has */
    uint32_t quiet_ms; /* since a stop was asked for and nothing has come */
} job_state;

void job_setting_init(job_setting *setting, const option_values *options, steno_raw_format *raw)
{
    *setting = (job_setting){.hearing.per_channel = options->per_channel};
    steno_stream_options *stream = &setting->hearing.stream;
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
    setting->full_wait_ms =
        1000 * (options->connect_timeout_s != 0 ? options->connect_timeout_s : FULL_WAIT_S);

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

static steno_status open_job(job_state *job, const char *path, steno_error *error)
{
    const job_setting *setting = job->setting;
    steno_status status = input_open(&job->input, path, setting->raw, setting->interrupt, error);
    if (status < 0)
        return status;
    job->info = steno_audio_get_info(job->input.file);
    job->block_frames = job->info->rate_hz / BLOCKS_PER_SECOND;
    job->samples = calloc(job->block_frames * job->info->channels, sizeof(float));
    if (job->samples == NULL)
        return failure_memory(error);
    status = hearing_open(setting->recogniser, &setting->hearing, job->info, &job->hearing, error);
    job->failed = status < 0;
    if (status < 0 || job->listener->opened == NULL || job->opened)
        return status;
    job->opened = true;
    return job->listener->opened(job->listener->context, job->info);
}

static void close_job(job_state *job)
{
    hearing_destroy(job->hearing);
    free(job->samples);
    input_close(&job->input);
    job->hearing = NULL;
    job->samples = NULL;
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
    job->listener->progress(job->listener->context, hearing_done_ms(job->hearing), total_ms(job));
}

/* Hands on what there is: STENO_AGAIN when there is no more now, STENO_END after the last. */
static steno_status take_results(job_state *job, steno_error *error)
{
    for (;;) {
        const steno_result *result;
        unsigned channel;
        steno_status status = hearing_next(job->hearing, &result, &channel, error);
        job->failed = status < 0;
        if (status != STENO_OK)
            return status;
        job->heard = true;
        job->quiet_ms = 0;
        status = job->listener->result(job->listener->context, result, channel);
        if (status < 0)
            return status;
    }
}

/* Waits for the recogniser.  Whoever wants to stop shall not wait for a server that says nothing.
 */
static steno_status wait(job_state *job, steno_error *error)
{
    uint64_t before_ms = hearing_done_ms(job->hearing);
    hearing_wait(job->hearing, PROGRESS_MS);
    bool stopping = interrupt_stopped(job->setting->interrupt);
    if (!stopping || hearing_done_ms(job->hearing) > before_ms)
        job->quiet_ms = 0;
    else
        job->quiet_ms += PROGRESS_MS;
    if (job->quiet_ms < STOP_PATIENCE_MS || !recogniser_is_remote(job->setting->recogniser))
        return STENO_OK;
    job->failed = true;
    return failure_set(error, STENO_ERROR_IO, "the server does not come to an end");
}

/* Feeds a block, waiting where the recogniser's backlog is full. */
static steno_status feed(job_state *job, size_t frames, steno_error *error)
{
    size_t offset = 0;
    for (;;) {
        size_t taken = 0;
        steno_status fed = hearing_feed(job->hearing, job->samples + offset * job->info->channels,
            frames - offset, &taken, error);
        job->failed = fed < 0;
        if (fed < 0)
            return fed;
        offset += taken;
        steno_status results = take_results(job, error);
        if (results < 0 || fed == STENO_OK)
            return results < 0 ? results : STENO_OK;
        steno_status waited = wait(job, error);
        if (waited < 0)
            return waited;
    }
}

/* Reads and feeds until the audio ends (STENO_END), is damaged, or a stop is asked for. */
static steno_status feed_all(job_state *job, steno_error *error, bool *out_feeding_failed)
{
    *out_feeding_failed = false;
    uint64_t limit_ms = job->setting->limit_ms;
    while (!interrupt_stopped(job->setting->interrupt)) {
        if (limit_ms > 0 && hearing_fed_ms(job->hearing) >= limit_ms)
            return STENO_END;
        size_t frames = 0;
        steno_status read =
            steno_audio_read(job->input.file, job->samples, job->block_frames, &frames, error);
        if (frames > 0) {
            steno_error feed_error;
            steno_status status = feed(job, frames, &feed_error);
            if (status < 0) {
                *out_feeding_failed = true;
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

/* Waits for the last results of the finished audio and hands them on. */
static steno_status take_rest(job_state *job, steno_error *error)
{
    for (;;) {
        steno_status status = take_results(job, error);
        if (status == STENO_AGAIN)
            status = wait(job, error);
        else
            return status < 0 ? status : STENO_OK;
        if (status < 0)
            return status;
        tell_progress(job);
    }
}

static steno_status recognise(job_state *job, uint64_t *out_duration_ms, steno_error *error)
{
    bool feeding_failed;
    steno_status read = feed_all(job, error, &feeding_failed);
    if (feeding_failed)
        return read;
    hearing_finish(job->hearing);
    *out_duration_ms = hearing_fed_ms(job->hearing);
    steno_error rest_error;
    steno_status status = take_rest(job, &rest_error);
    if (status < 0) {
        *error = rest_error;
        return status;
    }
    return read < 0 ? read : STENO_OK;
}

/* Whether a server has refused for want of room, and may be asked again. */
static bool may_retry(const job_state *job, const char *path, steno_status status)
{
    return status == STENO_ERROR_LIMIT && job->failed && !job->heard && strcmp(path, "-") != 0 &&
           recogniser_is_remote(job->setting->recogniser) &&
           !interrupt_stopped(job->setting->interrupt);
}

steno_status job_run(const job_setting *setting, const char *path, const job_listener *listener,
    job_report *out_report, steno_error *error)
{
    job_state job = {.setting = setting, .listener = listener};
    steno_status status;
    for (uint32_t waited_ms = 0;; waited_ms += FULL_RETRY_MS) {
        *out_report = (job_report){.duration_ms = 0};
        *error = (steno_error){0};
        status = open_job(&job, path, error);
        if (status == STENO_OK)
            status = recognise(&job, &out_report->duration_ms, error);
        close_job(&job);
        if (!may_retry(&job, path, status) || waited_ms >= setting->full_wait_ms)
            break;
        interrupt_pause(setting->interrupt, FULL_RETRY_MS);
    }
    out_report->recogniser_failed = job.failed;
    return status;
}
