/*
 * Opening a model: map the file, let nn_weights check every byte of its structure, read the
 * metadata, then build the stages, which ask for their tensors by name and exact shape.
 *
 * The file is mapped, not read: pages that were only needed to prepare the layers can leave
 * memory again, and several processes share them.  A file that is made shorter while it is mapped
 * raises SIGBUS in whoever touches it; replace a model by renaming a new file over it, never by
 * writing into it.
 */
#include "recognizer/model.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

#define FORMAT_FAMILY "steno-"
#define FORMAT_KNOWN "steno-1"

static const char *const precision_names[] = {
    [STENO_PRECISION_AUTO] = "auto",
    [STENO_PRECISION_F32] = "f32",
    [STENO_PRECISION_BF16] = "bf16",
    [STENO_PRECISION_INT8] = "int8",
};

enum { PRECISIONS = sizeof precision_names / sizeof *precision_names };

steno_status steno_precision_parse(const char *name, steno_precision *out_precision)
{
    for (size_t i = 0; name && out_precision && i < PRECISIONS; i++) {
        if (strcmp(name, precision_names[i]) == 0) {
            *out_precision = (steno_precision)i;
            return STENO_OK;
        }
    }
    return STENO_ERROR_ARGUMENT;
}

const char *steno_precision_name(steno_precision precision)
{
    return (size_t)precision < PRECISIONS ? precision_names[precision] : "unknown";
}

const char *steno_model_default_path(void)
{
    const char *chosen = getenv("STENO_MODEL");
    if (chosen && *chosen)
        return chosen;
    static const char *const places[] = {STENO_MODEL_INSTALLED, STENO_MODEL_SOURCE};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return NULL;
}

static steno_status map_descriptor(steno_model *model, int descriptor, steno_error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return error_errno(error, model->path, errno);
    if (!S_ISREG(status.st_mode))
        return error_set(error, STENO_ERROR_IO, "%s: %s", model->path,
            S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file");
    if (status.st_size == 0)
        return error_set(error, STENO_ERROR_FORMAT, "%s: the file is empty", model->path);
    model->size = (size_t)status.st_size;
    void *bytes = mmap(NULL, model->size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        return error_errno(error, model->path, errno);
    model->bytes = bytes;
    return STENO_OK;
}

static steno_status map_file(steno_model *model, steno_error *error)
{
    /* O_NONBLOCK: opening a pipe must answer "not a regular file", not wait for its writer. */
    int descriptor = open(model->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_errno(error, model->path, errno);
    steno_status status = map_descriptor(model, descriptor, error);
    close(descriptor);
    return status;
}

static steno_status check_format(const steno_model *model, steno_error *error)
{
    const char *format = nn_weights_metadata(model->weights, "format");
    if (!format || strncmp(format, FORMAT_FAMILY, strlen(FORMAT_FAMILY)) != 0)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: a safetensors file, but not a model of Steno: its metadata has no \"format\" "
            "\"" FORMAT_KNOWN "\"",
            model->path);
    if (strcmp(format, FORMAT_KNOWN) != 0)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: its format is \"%.32s\", this version reads \"" FORMAT_KNOWN "\"", model->path,
            format);
    return STENO_OK;
}

static steno_status choose_operators(
    steno_model *model, steno_operators operators, steno_error *error)
{
    const nn_ops *fast = nn_ops_onednn();
    switch (operators) {
    case STENO_OPERATORS_AUTO:
        model->ops = fast ? fast : nn_ops_reference();
        return STENO_OK;
    case STENO_OPERATORS_REFERENCE:
        model->ops = nn_ops_reference();
        return STENO_OK;
    case STENO_OPERATORS_ONEDNN:
        model->ops = fast;
        return fast ? STENO_OK
                    : error_set(error, STENO_ERROR_UNSUPPORTED,
                          "operators: this build is without oneDNN");
    }
    return error_set(error, STENO_ERROR_ARGUMENT, "operators: %d is none of them", (int)operators);
}

/* int8 with a scale for each row is as accurate as the others and the fastest of all
 * (docs/measurements.md). */
static nn_precision fastest_precision(const nn_ops *ops)
{
    if (ops->supports(NN_PRECISION_INT8))
        return NN_PRECISION_INT8;
    return ops->supports(NN_PRECISION_BF16) ? NN_PRECISION_BF16 : NN_PRECISION_F32;
}

static steno_status choose_precision(
    steno_model *model, steno_precision precision, steno_error *error)
{
    switch (precision) {
    case STENO_PRECISION_AUTO:
        model->precision = fastest_precision(model->ops);
        return STENO_OK;
    case STENO_PRECISION_F32:
        model->precision = NN_PRECISION_F32;
        break;
    case STENO_PRECISION_BF16:
        model->precision = NN_PRECISION_BF16;
        break;
    case STENO_PRECISION_INT8:
        model->precision = NN_PRECISION_INT8;
        break;
    default:
        return error_set(
            error, STENO_ERROR_ARGUMENT, "precision: %d is none of them", (int)precision);
    }
    if (!model->ops->supports(model->precision))
        return error_set(error, STENO_ERROR_UNSUPPORTED,
            "precision %s: the %s operators lack it on this processor",
            steno_precision_name(precision), model->ops->name);
    return STENO_OK;
}

static steno_status read_features(steno_model *model, steno_error *error)
{
    const size_t shape[] = {model->config.frontend.mel_bins};
    steno_status status =
        nn_weights_floats(model->weights, "feature.mean", 1, shape, &model->mean, error);
    if (status != STENO_OK)
        return status;
    status = nn_weights_floats(
        model->weights, "feature.inverse_deviation", 1, shape, &model->inverse_deviation, error);
    if (status != STENO_OK)
        return status;

    /* Made once for its checks: a stream's own can then fail only for want of memory. */
    frontend *trial;
    status = frontend_create(
        &model->config.frontend, model->mean, model->inverse_deviation, &trial, error);
    if (status == STENO_OK)
        frontend_destroy(trial);
    return status;
}

static steno_status read_vocabulary(steno_model *model, steno_error *error)
{
    const char *tokens = nn_weights_metadata(model->weights, "tokens");
    if (!tokens)
        return error_set(error, STENO_ERROR_FORMAT, "the metadata has no \"tokens\"");
    steno_status status =
        vocabulary_create(tokens, model->config.decoder.tokens, &model->vocabulary, error);
    if (status != STENO_OK)
        return status;
    for (size_t i = 1; i < model->config.decoder.tokens; i++) {
        size_t bytes = strlen(vocabulary_text(model->vocabulary, (uint32_t)i));
        if (bytes > MODEL_MAX_TOKEN_BYTES)
            return error_set(error, STENO_ERROR_FORMAT, "token %zu is %zu bytes long, %d at most",
                i, bytes, (int)MODEL_MAX_TOKEN_BYTES);
        if (bytes > model->token_bytes)
            model->token_bytes = bytes;
    }
    return STENO_OK;
}

static void count_parameters(steno_model *model)
{
    for (size_t i = 0; i < nn_weights_count(model->weights); i++) {
        const nn_tensor *tensor = nn_weights_at(model->weights, i);
        const char *dot = strrchr(tensor->name, '.');
        bool is_scale = dot && strcmp(dot, ".scale") == 0;
        bool is_lm = strncmp(tensor->name, "lm.", 3) == 0;
        if (!is_scale && !is_lm)
            model->parameters += nn_tensor_elements(tensor);
    }
}

static steno_status build_stages(steno_model *model, steno_error *error)
{
    steno_status status = read_features(model, error);
    if (status == STENO_OK)
        status = read_vocabulary(model, error);
    if (status == STENO_OK)
        status = encoder_create(&model->config.encoder, model->weights, model->ops,
            model->precision, MODEL_MAX_ROWS, &model->encoder, error);
    if (status == STENO_OK)
        status = decoder_create(&model->config.decoder, model->weights, model->ops,
            model->precision, MODEL_MAX_ROWS, &model->decoder, error);
    if (status == STENO_OK && model->config.lm.order > 0)
        status = ngram_create(
            &model->config.lm, model->config.decoder.tokens, model->weights, &model->lm, error);
    /* To a stage its config is an argument; here it came from the file. */
    return status == STENO_ERROR_ARGUMENT ? STENO_ERROR_FORMAT : status;
}

/* Puts the file's name before what a stage said about its contents. */
static steno_status name_file(
    const steno_model *model, steno_status status, const steno_error *inner, steno_error *error)
{
    if (status == STENO_OK)
        return STENO_OK;
    if (status == STENO_ERROR_MEMORY)
        return error_memory(error);
    return error_set(error, status, "%.200s: %.300s", model->path, inner->message);
}

static steno_status load(steno_model *model, const steno_model_options *options, steno_error *error)
{
    steno_status status = choose_operators(model, options->operators, error);
    if (status == STENO_OK)
        status = choose_precision(model, options->precision, error);
    if (status == STENO_OK)
        status = map_file(model, error);
    if (status != STENO_OK)
        return status;

    steno_error inner;
    status = nn_weights_open(model->bytes, model->size, &model->weights, &inner);
    if (status != STENO_OK)
        return name_file(model, status, &inner, error);
    status = check_format(model, error);
    if (status == STENO_OK)
        status = model_config_read(model->path, model->weights, &model->config, error);
    if (status != STENO_OK)
        return status;
    status = build_stages(model, &inner);
    count_parameters(model);
    return name_file(model, status, &inner, error);
}

steno_status steno_model_open(const char *path, const steno_model_options *options,
    steno_model **out_model, steno_error *error)
{
    if (!path || !out_model)
        return error_set(error, STENO_ERROR_ARGUMENT, "steno_model_open: %s is NULL",
            path ? "out_model" : "path");
    steno_model *model = memory_allocate(1, sizeof *model);
    if (!model)
        return error_memory(error);
    atomic_init(&model->references, 1);
    steno_status status = STENO_OK;
    model->path = memory_duplicate(path);
    if (!model->path)
        status = error_memory(error);
    else
        status = load(model, options ? options : &(steno_model_options){0}, error);
    if (status != STENO_OK) {
        steno_model_unref(model);
        return status;
    }
    *out_model = model;
    return STENO_OK;
}

steno_model *steno_model_ref(steno_model *model)
{
    /* Relaxed: whoever holds a reference already sees the model whole. */
    if (model)
        atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    return model;
}

void steno_model_unref(steno_model *model)
{
    /* Acquire and release: all uses on all threads happen before the last one frees. */
    if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) > 1)
        return;
    ngram_destroy(model->lm);
    vocabulary_destroy(model->vocabulary);
    decoder_destroy(model->decoder);
    encoder_destroy(model->encoder);
    memory_free(model->inverse_deviation);
    memory_free(model->mean);
    nn_weights_close(model->weights);
    if (model->bytes)
        munmap(model->bytes, model->size);
    memory_free(model->path);
    memory_free(model);
}

static const char *text_of(const steno_model *model, const char *key)
{
    const char *text = nn_weights_metadata(model->weights, key);
    return text ? text : "";
}

void steno_model_get_info(const steno_model *model, steno_model_info *out_info)
{
    static const steno_precision precisions[] = {
        [NN_PRECISION_F32] = STENO_PRECISION_F32,
        [NN_PRECISION_BF16] = STENO_PRECISION_BF16,
        [NN_PRECISION_INT8] = STENO_PRECISION_INT8,
    };
    assert(model && out_info);
    *out_info = (steno_model_info){
        .name = text_of(model, "name"),
        .language = text_of(model, "language"),
        .licence = text_of(model, "licence"),
        .training_data = text_of(model, "training_data"),
        .trained_with = text_of(model, "trained_with"),
        .word_error_rate = text_of(model, "word_error_rate"),
        .file_bytes = model->size,
        .parameters = model->parameters,
        .lm_ngrams = model->lm ? ngram_count(model->lm) : 0,
        .tokens = (uint32_t)(model->config.decoder.tokens - 1),
        .rate_hz = model->config.frontend.rate_hz,
        .encoding_ms = model->config.encoding_ms,
        .ctc_frame_ms = model->config.frame_ms,
        .max_chunk_ms = (uint32_t)model->config.encoder.max_chunk * model->config.encoding_ms,
        .precision = precisions[model->precision],
        .operators = model->ops->name,
    };
}

const char *steno_model_token(const steno_model *model, uint32_t token)
{
    assert(model);
    return vocabulary_text(model->vocabulary, token);
}
