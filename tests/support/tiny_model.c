/*
 * Two growing buffers, the JSON header and the data, joined at the end.  Weights of linear layers
 * are drawn so that a unit-variance input gives about unit variance, which keeps activations of
 * any depth in the range a trained network has.
 */
#include "support/tiny_model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steno/status.h"

typedef struct buffer {
    char *bytes;
    size_t size, room;
} buffer;

typedef struct writer {
    const tiny_model_config *config;
    buffer header, data;
} writer;

/* What a tensor is decides how its values are drawn and stored. */
typedef enum contents { MATRIX, CONVOLUTION, TABLE, BIAS, GAIN } contents;

static void buffer_append(buffer *b, const void *bytes, size_t size)
{
    if (b->size + size > b->room) {
        b->room = 2 * (b->size + size);
        b->bytes = realloc(b->bytes, b->room);
        if (!b->bytes)
            abort();
    }
    memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

STENO_PRINTF(2, 3) static void buffer_print(buffer *b, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text)
        abort();
    buffer_append(b, text, (size_t)length);
}

/* A JSON string; quotes and backslashes are all that a test's metadata holds of special things. */
static void buffer_quote(buffer *b, const char *string)
{
    buffer_append(b, "\"", 1);
    for (; *string; string++) {
        if (*string == '"' || *string == '\\')
            buffer_append(b, "\\", 1);
        buffer_append(b, string, 1);
    }
    buffer_append(b, "\"", 1);
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void tiny_model_noise(uint64_t seed, float scale, size_t count, float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = scale * ((float)(next_random(&seed) >> 40) * 0x1p-23f - 1.0f);
}

static uint64_t name_seed(uint64_t seed, const char *name)
{
    for (; *name; name++) {
        seed ^= (unsigned char)*name;
        next_random(&seed);
    }
    return seed;
}

static void entry(writer *w, const char *name, const char *type, size_t rank, const size_t *shape,
    const void *bytes, size_t size)
{
    buffer_print(&w->header, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", name, type);
    for (size_t i = 0; i < rank; i++)
        buffer_print(&w->header, i ? ",%zu" : "%zu", shape[i]);
    buffer_print(&w->header, "],\"data_offsets\":[%zu,%zu]}", w->data.size, w->data.size + size);
    buffer_append(&w->data, bytes, size);
}

static void store_bf16(writer *w, const char *name, size_t rank, const size_t *shape,
    const float *values, size_t count)
{
    uint16_t *halves = calloc(count, sizeof *halves);
    if (!halves)
        abort();
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        halves[i] = (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
    entry(w, name, "BF16", rank, shape, halves, count * sizeof *halves);
    free(halves);
}

/* One scale per row: the row's largest magnitude is 127. */
static void store_i8(writer *w, const char *name, const size_t *shape, const float *values)
{
    size_t rows = shape[0], columns = shape[1];
    int8_t *bytes = calloc(rows, columns);
    float *scales = calloc(rows, sizeof *scales);
    if (!bytes || !scales)
        abort();
    for (size_t r = 0; r < rows; r++) {
        float most = 1e-9f;
        for (size_t c = 0; c < columns; c++)
            most = fmaxf(most, fabsf(values[r * columns + c]));
        scales[r] = most / 127;
        for (size_t c = 0; c < columns; c++)
            bytes[r * columns + c] = (int8_t)lrintf(values[r * columns + c] / scales[r]);
    }
    char scale_name[160];
    snprintf(scale_name, sizeof scale_name, "%s.scale", name);
    entry(w, name, "I8", 2, shape, bytes, rows * columns);
    entry(w, scale_name, "F32", 1, &rows, scales, rows * sizeof *scales);
    free(bytes);
    free(scales);
}

static void tensor(writer *w, contents kind, const char *name, size_t rank, const size_t *shape)
{
    size_t count = 1, inputs = 1;
    for (size_t i = 0; i < rank; i++) {
        count *= shape[i];
        inputs *= i ? shape[i] : 1;
    }
    float *values = calloc(count, sizeof *values);
    if (!values)
        abort();
    float scale = kind == MATRIX || kind == CONVOLUTION ? sqrtf(3.0f / (float)inputs)
                  : kind == TABLE                       ? 1.0f
                                                        : 0.2f;
    tiny_model_noise(name_seed(w->config->seed, name), scale, count, values);
    for (size_t i = 0; kind == GAIN && i < count; i++)
        values[i] += 1;
    nn_type type = kind == MATRIX ? w->config->matrix_type : w->config->other_type;
    if (type == NN_I8)
        store_i8(w, name, shape, values);
    else if (type == NN_BF16)
        store_bf16(w, name, rank, shape, values, count);
    else
        entry(w, name, "F32", rank, shape, values, count * sizeof *values);
    free(values);
}

static void tensor_1(writer *w, contents kind, const char *name, size_t a)
{
    tensor(w, kind, name, 1, (size_t[]){a});
}

static void tensor_2(writer *w, contents kind, const char *name, size_t a, size_t b)
{
    tensor(w, kind, name, 2, (size_t[]){a, b});
}

/* PREFIX.LAYER.weight [out, in] and PREFIX.LAYER.bias [out] */
static void linear(writer *w, const char *prefix, const char *layer, size_t out, size_t in)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s.weight", prefix, layer);
    tensor_2(w, MATRIX, name, out, in);
    snprintf(name, sizeof name, "%s.%s.bias", prefix, layer);
    tensor_1(w, BIAS, name, out);
}

static void norm(writer *w, const char *prefix, const char *layer, size_t d)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s.weight", prefix, layer);
    tensor_1(w, GAIN, name, d);
    snprintf(name, sizeof name, "%s.%s.bias", prefix, layer);
    tensor_1(w, BIAS, name, d);
}

static void subsampling(writer *w)
{
    const tiny_model_config *c = w->config;
    size_t channels = c->subsampling_channels, bins = c->mel_bins / 2;
    size_t kernel[] = {channels, 1, 3, 3};
    tensor(w, CONVOLUTION, "encoder.subsampling.0.weight", 4, kernel);
    tensor_1(w, BIAS, "encoder.subsampling.0.bias", channels);
    for (size_t stage = 1; (size_t)1 << (stage + 1) <= c->subsampling; stage++) {
        char prefix[64], name[96];
        snprintf(prefix, sizeof prefix, "encoder.subsampling.%zu", stage);
        snprintf(name, sizeof name, "%s.depthwise.weight", prefix);
        tensor(w, CONVOLUTION, name, 4, kernel);
        snprintf(name, sizeof name, "%s.depthwise.bias", prefix);
        tensor_1(w, BIAS, name, channels);
        linear(w, prefix, "pointwise", channels, channels);
        bins = (bins + 1) / 2;
    }
    linear(w, "encoder.subsampling", "linear", c->dimension, bins * channels);
}

static void feed_forward(writer *w, const char *block, const char *which)
{
    char prefix[96];
    snprintf(prefix, sizeof prefix, "%s.%s", block, which);
    norm(w, prefix, "norm", w->config->dimension);
    linear(w, prefix, "in", w->config->feed_forward, w->config->dimension);
    linear(w, prefix, "out", w->config->dimension, w->config->feed_forward);
}

static void block(writer *w, size_t number)
{
    const tiny_model_config *c = w->config;
    size_t d = c->dimension;
    char prefix[64], part[96], name[128];
    snprintf(prefix, sizeof prefix, "encoder.blocks.%zu", number);
    feed_forward(w, prefix, "feed_forward_1");

    snprintf(part, sizeof part, "%s.attention", prefix);
    norm(w, part, "norm", d);
    linear(w, part, "qkv", 3 * d, d);
    linear(w, part, "out", d, d);
    snprintf(name, sizeof name, "%s.relative_bias", part);
    tensor_2(w, TABLE, name, c->heads, c->left_context + 2 * c->max_chunk - 1);

    snprintf(part, sizeof part, "%s.convolution", prefix);
    norm(w, part, "norm", d);
    linear(w, part, "in", 2 * d, d);
    snprintf(name, sizeof name, "%s.depthwise.weight", part);
    tensor_2(w, CONVOLUTION, name, d, c->kernel);
    snprintf(name, sizeof name, "%s.depthwise.bias", part);
    tensor_1(w, BIAS, name, d);
    norm(w, part, "depthwise_norm", d);
    linear(w, part, "out", d, d);

    feed_forward(w, prefix, "feed_forward_2");
    norm(w, prefix, "norm", d);
}

static void decoder(writer *w)
{
    const tiny_model_config *c = w->config;
    size_t d = c->dimension, h = c->decoder_lstm, a = c->decoder_attention;
    tensor_2(w, MATRIX, "ctc.weight", c->ctc_frames * c->tokens, d);
    tensor_1(w, BIAS, "ctc.bias", c->ctc_frames * c->tokens);
    tensor_2(w, TABLE, "decoder.embedding.weight", c->tokens, c->decoder_embedding);
    tensor_2(w, MATRIX, "decoder.lstm.weight", 4 * h, c->decoder_embedding + d);
    tensor_2(w, MATRIX, "decoder.lstm.recurrent", 4 * h, h);
    tensor_1(w, BIAS, "decoder.lstm.bias", 4 * h);
    tensor_2(w, MATRIX, "decoder.attention.query.weight", a, h);
    tensor_2(w, MATRIX, "decoder.attention.key.weight", a, d);
    tensor_1(w, BIAS, "decoder.attention.bias", a);
    tensor_2(w, MATRIX, "decoder.attention.location.weight", a, c->location_filters);
    tensor_2(w, TABLE, "decoder.attention.filters.weight", c->location_filters, c->location_width);
    tensor_1(w, TABLE, "decoder.attention.energy.weight", a);
    linear(w, "decoder", "output", c->tokens, h + d);
}

static void language_model(writer *w)
{
    tiny_tensor tensors[TINY_NGRAM_MAX_TENSORS];
    size_t count = tiny_ngram_tensors(w->config->lm, tensors);
    for (size_t i = 0; i < count; i++)
        entry(w, tensors[i].name, tensors[i].type, 1, &tensors[i].count, tensors[i].bytes,
            tensors[i].size);
}

/* Names made of letters, every other one beginning a word. */
static void default_tokens(buffer *json, size_t tokens)
{
    buffer_print(json, "[");
    for (size_t token = 1; token < tokens; token++) {
        char letters[16];
        size_t length = 0;
        for (size_t rest = token; rest; rest /= 26)
            letters[length++] = (char)('a' + rest % 26);
        letters[length] = 0;
        buffer_print(json, "%s\"%s%s\"", token > 1 ? "," : "", token % 2 ? "\u2581" : "", letters);
    }
    buffer_print(json, "]");
}

static void config_json(buffer *json, const tiny_model_config *c)
{
    const struct {
        const char *name;
        size_t value;
    } fields[] = {
        {"mel_bins", c->mel_bins},
        {"subsampling", c->subsampling},
        {"subsampling_channels", c->subsampling_channels},
        {"dimension", c->dimension},
        {"blocks", c->blocks},
        {"heads", c->heads},
        {"feed_forward", c->feed_forward},
        {"kernel", c->kernel},
        {"left_context", c->left_context},
        {"max_chunk", c->max_chunk},
        {"tokens", c->tokens},
        {"ctc_frames", c->ctc_frames},
        {"decoder_embedding", c->decoder_embedding},
        {"decoder_lstm", c->decoder_lstm},
        {"decoder_attention", c->decoder_attention},
        {"location_filters", c->location_filters},
        {"location_width", c->location_width},
        {"look_ahead", c->look_ahead},
        {"attention_window", c->attention_window},
    };
    buffer_print(json, "{\"sample_rate_hz\":16000,\"window_samples\":400,\"hop_samples\":160,"
                       "\"fft_size\":512,\"mel_low_hz\":20,\"mel_high_hz\":7600,"
                       "\"mel_floor\":1e-10");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        buffer_print(json, ",\"%s\":%zu", fields[i].name, fields[i].value);
    buffer_print(json, "}");
}

static void metadata(writer *w)
{
    buffer config = {0}, tokens = {0};
    config_json(&config, w->config);
    buffer_append(&config, "", 1);
    if (!w->config->token_list)
        default_tokens(&tokens, w->config->tokens);
    else
        buffer_append(&tokens, w->config->token_list, strlen(w->config->token_list));
    buffer_append(&tokens, "", 1);

    buffer_print(&w->header, "{\"__metadata__\":{\"format\":\"steno-1\",\"config\":");
    buffer_quote(&w->header, config.bytes);
    buffer_print(&w->header, ",\"tokens\":");
    buffer_quote(&w->header, tokens.bytes);
    for (const char *const *pair = w->config->metadata; pair && *pair; pair += 2) {
        buffer_print(&w->header, ",");
        buffer_quote(&w->header, pair[0]);
        buffer_print(&w->header, ":");
        buffer_quote(&w->header, pair[1]);
    }
    if (w->config->lm) {
        char description[128];
        tiny_ngram_describe(w->config->lm, description, sizeof description);
        buffer_print(&w->header, ",\"lm\":");
        buffer_quote(&w->header, description);
    }
    buffer_print(&w->header, "}");
    free(config.bytes);
    free(tokens.bytes);
}

tiny_model_config tiny_model_default(void)
{
    return (tiny_model_config){
        .mel_bins = 80,
        .subsampling = 8,
        .subsampling_channels = 8,
        .dimension = 32,
        .blocks = 2,
        .heads = 4,
        .feed_forward = 48,
        .kernel = 5,
        .left_context = 12,
        .max_chunk = 16,
        .tokens = 12,
        .ctc_frames = 1,
        .decoder_embedding = 10,
        .decoder_lstm = 24,
        .decoder_attention = 14,
        .location_filters = 4,
        .location_width = 7,
        .look_ahead = 2,
        .attention_window = 16,
        .seed = 1,
        .matrix_type = NN_F32,
        .other_type = NN_F32,
    };
}

void *tiny_model_write(const tiny_model_config *config, size_t *out_size)
{
    writer w = {.config = config};
    metadata(&w);
    tensor_1(&w, TABLE, "feature.mean", config->mel_bins);
    tensor_1(&w, GAIN, "feature.inverse_deviation", config->mel_bins);
    subsampling(&w);
    for (size_t i = 0; i < config->blocks; i++)
        block(&w, i);
    decoder(&w);
    if (config->lm)
        language_model(&w);
    buffer_print(&w.header, "}");
    while (w.header.size % 8)
        buffer_append(&w.header, " ", 1);

    buffer file = {0};
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)w.header.size >> (8 * i));
    buffer_append(&file, length, sizeof length);
    buffer_append(&file, w.header.bytes, w.header.size);
    buffer_append(&file, w.data.bytes, w.data.size);
    free(w.header.bytes);
    free(w.data.bytes);
    *out_size = file.size;
    return file.bytes;
}
