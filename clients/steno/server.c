/*
 * Recognition on a server, by libsteno-client.  Samples go there as they are in the file: as 16
 * bits where they are 16 bits, else as floats, at the file's rate and with all its channels, so
 * that the server makes the same words of them as an engine here would.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "text_file.h"

typedef struct server_recogniser {
    recogniser base;
    steno_client *client;
} server_recogniser;

typedef struct server_hearing {
    hearing base;
    steno_client_stream *stream;
} server_hearing;

/* ---- The client ---- */

/* The token of --token-file, without the line's end, or of $STENO_TOKEN; NULL: none. */
static steno_status read_token(
    const option_values *options, growing *file, const char **out_token, steno_error *error)
{
    *out_token = getenv("STENO_TOKEN");
    if (*out_token != NULL && **out_token == '\0')
        *out_token = NULL;
    if (options->token_file == NULL)
        return STENO_OK;
    steno_status status = text_file_read(options->token_file, file, error);
    if (status < 0)
        return status;
    size_t size = strlen(file->bytes);
    while (size > 0 && strchr(" \t\r\n", file->bytes[size - 1]) != NULL)
        file->bytes[--size] = '\0';
    *out_token = file->bytes;
    return STENO_OK;
}

steno_status server_create_client(
    const option_values *options, steno_client **out_client, steno_error *error)
{
    /* What gRPC would write to standard error, messages say; whoever wants it sets this. */
    setenv("GRPC_VERBOSITY", "NONE", 0);
    steno_client_options client;
    steno_client_options_init(&client);
    static const char *const preset = "127.0.0.1:50051";
    bool is_named = options->servers.count > 0;
    client.addresses = is_named ? options->servers.items : &preset;
    client.address_count = is_named ? options->servers.count : 1;
    client.ca_file = options->ca_file;
    client.certificate_file = options->certificate_file;
    client.key_file = options->key_file;
    client.server_name = options->server_name;
    if (options->connect_timeout_s != 0)
        client.connect_timeout_ms = options->connect_timeout_s * 1000;
    growing file = {.bytes = NULL};
    steno_status status = read_token(options, &file, &client.token, error);
    if (status == STENO_OK)
        status = steno_client_create(&client, out_client, error);
    growing_finish(&file);
    return status;
}

steno_status server_get_model(const option_values *options,
    void (*use)(void *context, const steno_client_model *model), void *context, steno_error *error)
{
    steno_client *client;
    steno_status status = server_create_client(options, &client, error);
    if (status < 0)
        return status;
    steno_client_model *model;
    status = steno_client_get_model(client, &model, error);
    if (status == STENO_OK) {
        use(context, model);
        steno_client_model_destroy(model);
    }
    steno_client_destroy(client);
    return status;
}

static void destroy(recogniser *base)
{
    server_recogniser *self = (server_recogniser *)base;
    steno_client_destroy(self->client);
    free(self);
}

/* Whether somebody is there; what it thinks of the setting, each stream is told. */
static steno_status check(recogniser *base, const hearing_setting *setting, steno_error *error)
{
    steno_client_model *model;
    steno_status status =
        steno_client_get_model(((server_recogniser *)base)->client, &model, error);
    if (status == STENO_OK)
        steno_client_model_destroy(model);
    return status;
}

/* ---- A hearing ---- */

static void fill_options(
    const hearing_setting *setting, const steno_audio_info *info, steno_client_stream_options *out)
{
    const steno_stream_options *stream = &setting->stream;
    steno_client_stream_options_init(out);
    out->rate_hz = info->rate_hz;
    out->channels = info->channels;
    out->encoding = info->fits_16_bits ? STENO_ENCODING_S16 : STENO_ENCODING_F32;
    out->per_channel = setting->per_channel;
    out->channel = setting->per_channel ? 0 : stream->channel;
    out->chunk_ms = stream->chunk_ms;
    out->interim = stream->interim;
    out->interim_word_times = stream->interim;
    out->endpointing = stream->endpointing;
    out->endpoint_ms = stream->endpoint_ms;
    out->max_utterance_ms = stream->max_utterance_ms;
    out->max_alternatives = stream->max_alternatives;
    out->activity = stream->activity;
    out->phrases = stream->phrases;
    out->phrase_count = stream->phrase_count;
    out->ready = stream->ready;
    out->ready_context = stream->ready_context;
}

static steno_status open_hearing(recogniser *base, const hearing_setting *setting,
    const steno_audio_info *info, hearing **out_hearing, steno_error *error)
{
    server_hearing *self = calloc(1, sizeof *self);
    if (self == NULL)
        return failure_memory(error);
    self->base.kind = base->kind;
    steno_client_stream_options options;
    fill_options(setting, info, &options);
    steno_status status = steno_client_stream_open(
        ((server_recogniser *)base)->client, &options, &self->stream, error);
    if (status < 0)
        free(self);
    else
        *out_hearing = &self->base;
    return status;
}

static steno_client_stream *stream_of(const hearing *base)
{
    return ((const server_hearing *)base)->stream;
}

static void close_hearing(hearing *base)
{
    steno_client_stream_destroy(stream_of(base));
    free(base);
}

static steno_status feed(
    hearing *base, const float *samples, size_t frames, size_t *out_taken, steno_error *error)
{
    return steno_client_stream_feed(stream_of(base), samples, frames, out_taken, error);
}

static void finish(hearing *base)
{
    steno_client_stream_finish(stream_of(base));
}

static steno_status next(
    hearing *base, const steno_result **out_result, unsigned *out_channel, steno_error *error)
{
    return steno_client_stream_next(stream_of(base), out_result, out_channel, error);
}

static steno_status wait(hearing *base, int timeout_ms)
{
    return steno_client_stream_wait(stream_of(base), timeout_ms);
}

static uint64_t fed_ms(const hearing *base)
{
    return steno_client_stream_fed_ms(stream_of(base));
}

static uint64_t done_ms(const hearing *base)
{
    return steno_client_stream_done_ms(stream_of(base));
}

static const recogniser_kind server_kind = {
    .is_remote = true,
    .destroy = destroy,
    .check = check,
    .open = open_hearing,
    .close = close_hearing,
    .feed = feed,
    .finish = finish,
    .next = next,
    .wait = wait,
    .fed_ms = fed_ms,
    .done_ms = done_ms,
};

steno_status recogniser_create_server(
    const option_values *options, recogniser **out_recogniser, steno_error *error)
{
    server_recogniser *self = calloc(1, sizeof *self);
    if (self == NULL)
        return failure_memory(error);
    self->base.kind = &server_kind;
    steno_status status = server_create_client(options, &self->client, error);
    if (status < 0) {
        free(self);
        return status;
    }
    *out_recogniser = &self->base;
    return STENO_OK;
}
