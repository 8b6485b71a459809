/* The engine, and the model and settings that what begins now is recognised with. */
#include "speech/speech.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"

struct speech {
    steno_engine *engine;
    pthread_mutex_t mutex;
    session_setting setting; /* under the mutex; `ready` is each session's own */
    struct stat model_file;  /* what was opened; speech_prepare's caller's thread */
    steno_precision precision;
    char model_id[FINGERPRINT_BYTES]; /* under the mutex */
};

/* ---- The model, and others in its place ---- */

struct speech_change {
    session_setting setting;
    struct stat model_file;
    steno_precision precision;
    char model_id[FINGERPRINT_BYTES];
};

/* The largest chunk there is, where none was chosen. */
static uint32_t choose_chunk(const steno_model *model, uint32_t wanted_ms)
{
    if (wanted_ms != 0)
        return wanted_ms;
    steno_model_info info;
    steno_model_get_info(model, &info);
    uint32_t chunk_ms = 1280;
    while (chunk_ms > 160 && chunk_ms > info.max_chunk_ms)
        chunk_ms /= 2;
    return chunk_ms;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The model of the options: the one in use if it is the same, with a reference for the caller. */
static steno_status open_model(
    speech *self, const speech_options *options, speech_change *change, steno_error *error)
{
    const char *path =
        options->model_path != NULL ? options->model_path : steno_model_default_path();
    if (path == NULL)
        return error_set(
            error, STENO_ERROR_NOT_FOUND, "no model found: name one, or set STENO_MODEL");
    change->precision = options->precision;
    /* Before opening: should it change between the two, the next reload opens it again. */
    bool is_there = stat(path, &change->model_file) == 0;
    if (self->setting.model != NULL && is_there && change->precision == self->precision &&
        is_same_file(&change->model_file, &self->model_file)) {
        change->setting.model = speech_identify(self, change->model_id);
        return STENO_OK;
    }
    fingerprint_file(path, change->model_id);
    steno_model_options model_options = {.precision = options->precision};
    return steno_model_open(path, &model_options, &change->setting.model, error);
}

/* Options that no stream could be made with are better refused before the first one. */
static steno_status try_stream(const session_setting *setting, steno_error *error)
{
    steno_stream_options options;
    steno_stream *stream;
    steno_stream_options_init(&options);
    options.chunk_ms = setting->chunk_ms;
    options.beam = setting->beam;
    if (setting->backlog_ms > 2 * options.chunk_ms)
        options.backlog_ms = setting->backlog_ms;
    steno_status status =
        steno_stream_create(setting->engine, setting->model, &options, &stream, error);
    if (status == STENO_OK)
        steno_stream_destroy(stream);
    return status;
}

steno_status speech_prepare(
    speech *self, const speech_options *options, speech_change **out_change, steno_error *error)
{
    speech_change *change = memory_allocate(1, sizeof *change);
    if (change == NULL)
        return error_memory(error);
    steno_status status = open_model(self, options, change, error);
    if (status == STENO_OK) {
        change->setting.engine = self->engine;
        change->setting.chunk_ms = choose_chunk(change->setting.model, options->chunk_ms);
        change->setting.beam = options->beam;
        change->setting.backlog_ms = options->backlog_ms;
        change->setting.log = options->log;
        status = try_stream(&change->setting, error);
    }
    if (status == STENO_OK)
        *out_change = change;
    else
        speech_abandon(change);
    return status;
}

void speech_commit(speech *self, speech_change *change)
{
    pthread_mutex_lock(&self->mutex);
    steno_model *before = self->setting.model;
    self->setting = change->setting;
    memcpy(self->model_id, change->model_id, sizeof self->model_id);
    pthread_mutex_unlock(&self->mutex);
    self->model_file = change->model_file;
    self->precision = change->precision;
    steno_model_unref(before);
    memory_free(change);
}

void speech_abandon(speech_change *change)
{
    if (change != NULL)
        steno_model_unref(change->setting.model);
    memory_free(change);
}

/* The settings of this moment, with a reference to the model. */
static session_setting take_setting(speech *self)
{
    pthread_mutex_lock(&self->mutex);
    session_setting setting = self->setting;
    steno_model_ref(setting.model);
    pthread_mutex_unlock(&self->mutex);
    return setting;
}

steno_model *speech_model(speech *self)
{
    return take_setting(self).model;
}

steno_model *speech_identify(speech *self, char out_id[FINGERPRINT_BYTES])
{
    pthread_mutex_lock(&self->mutex);
    steno_model *model = steno_model_ref(self->setting.model);
    memcpy(out_id, self->model_id, FINGERPRINT_BYTES);
    pthread_mutex_unlock(&self->mutex);
    return model;
}

steno_status speech_begin_session(speech *self, const wire_config *config,
    void (*ready)(void *context), void *context, session **out_session, steno_error *error)
{
    session_setting setting = take_setting(self);
    setting.ready = ready;
    setting.context = context;
    steno_status status = session_create(&setting, config, out_session, error);
    steno_model_unref(setting.model);
    return status;
}

steno_status speech_begin_stream(speech *self, steno_stream_options *options,
    steno_stream **out_stream, const steno_model **out_model, steno_error *error)
{
    session_setting setting = take_setting(self);
    if (options->chunk_ms == 0)
        options->chunk_ms = setting.chunk_ms;
    options->beam = setting.beam;
    steno_status status =
        steno_stream_create(self->engine, setting.model, options, out_stream, error);
    if (status == STENO_OK)
        *out_model = setting.model;
    steno_model_unref(setting.model);
    return status;
}

bool speech_has_other_model(speech *self, const steno_model *model)
{
    pthread_mutex_lock(&self->mutex);
    bool has_other = self->setting.model != model;
    pthread_mutex_unlock(&self->mutex);
    return has_other;
}

const steno_engine *speech_engine(const speech *self)
{
    return self->engine;
}

/* ---- Beginning and end ---- */

static steno_status start_engine(speech *self, const speech_options *options, steno_error *error)
{
    steno_engine_options engine_options = {.threads = options->threads};
    steno_status status = steno_engine_create(&engine_options, &self->engine, error);
    if (status != STENO_OK)
        return status;
    speech_change *change;
    status = speech_prepare(self, options, &change, error);
    if (status == STENO_OK)
        speech_commit(self, change);
    return status;
}

steno_status speech_create(const speech_options *options, speech **out_speech, steno_error *error)
{
    speech *self = memory_allocate(1, sizeof *self);
    if (self == NULL)
        return error_memory(error);
    pthread_mutex_init(&self->mutex, NULL);
    steno_status status = start_engine(self, options, error);
    if (status != STENO_OK) {
        speech_destroy(self);
        return status;
    }
    *out_speech = self;
    return STENO_OK;
}

void speech_destroy(speech *self)
{
    if (self == NULL)
        return;
    steno_engine_destroy(self->engine);
    steno_model_unref(self->setting.model);
    pthread_mutex_destroy(&self->mutex);
    memory_free(self);
}
