#include "fixture.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

tiny_model_config fixture_model(void)
{
    tiny_model_config model = tiny_model_default();
    model.blocks = 1;
    model.dimension = FIXTURE_DIMENSION;
    model.heads = 2;
    model.tokens = FIXTURE_TOKENS;
    model.look_ahead = 2;
    model.attention_window = 7;
    model.location_filters = 3;
    model.location_width = 5;
    return model;
}

decoder_config fixture_config(const tiny_model_config *model)
{
    return (decoder_config){
        .dimension = model->dimension,
        .tokens = model->tokens,
        .ctc_frames = model->ctc_frames,
        .embedding = model->decoder_embedding,
        .lstm = model->decoder_lstm,
        .attention = model->decoder_attention,
        .location_filters = model->location_filters,
        .location_width = model->location_width,
        .look_ahead = model->look_ahead,
        .window = model->attention_window,
    };
}

void fixture_identity_ctc(const nn_weights *weights, const decoder_config *config)
{
    const nn_tensor *weight = NULL, *bias = NULL;
    size_t n = config->ctc_frames * config->tokens;
    ck_assert_uint_eq(n, config->dimension);
    ck_assert_int_eq(
        nn_weights_find(weights, "ctc.weight", 2, (size_t[]){n, n}, &weight, NULL), STENO_OK);
    ck_assert_int_eq(nn_weights_find(weights, "ctc.bias", 1, (size_t[]){n}, &bias, NULL), STENO_OK);
    /* The views are of the test's own bytes, of any alignment. */
    char *values = (char *)(uintptr_t)weight->data;
    for (size_t i = 0; i < n * n; i++)
        memcpy(values + i * sizeof(float), &(float){i % (n + 1) == 0}, sizeof(float));
    memset((void *)(uintptr_t)bias->data, 0, n * sizeof(float));
}

static void open_lm(fixture *f)
{
    size_t size;
    steno_error error = {0};
    f->trie = tiny_ngram_random(FIXTURE_TOKENS, 4, 11);
    f->lm_bytes = tiny_ngram_write(f->trie, &size);
    ck_assert_msg(nn_weights_open(f->lm_bytes, size, &f->lm_weights, &error) == STENO_OK, "%s",
        error.message);
    const ngram_config config = {
        f->trie->order, f->trie->probability_scale, f->trie->backoff_scale};
    ck_assert_msg(ngram_create(&config, FIXTURE_TOKENS, f->lm_weights, &f->lm, &error) == STENO_OK,
        "%s", error.message);
}

static void open_model(
    fixture *f, tiny_model_config model, const nn_ops *ops, nn_precision precision)
{
    size_t size;
    steno_error error = {0};
    *f = (fixture){.config = fixture_config(&model)};
    f->bytes = tiny_model_write(&model, &size);
    ck_assert_msg(
        nn_weights_open(f->bytes, size, &f->weights, &error) == STENO_OK, "%s", error.message);
    fixture_identity_ctc(f->weights, &f->config);
    ck_assert_msg(decoder_create(&f->config, f->weights, ops, precision, FIXTURE_MAX_ROWS,
                      &f->decoder, &error) == STENO_OK,
        "%s", error.message);
    ck_assert_int_eq(nn_scratch_create(decoder_scratch(f->decoder), &f->scratch, &error), STENO_OK);
    open_lm(f);
}

void fixture_open_with(fixture *f, const nn_ops *ops, nn_precision precision)
{
    open_model(f, fixture_model(), ops, precision);
}

void fixture_open_frames(fixture *f, size_t ctc_frames)
{
    tiny_model_config model = fixture_model();
    model.ctc_frames = ctc_frames;
    model.dimension = ctc_frames * FIXTURE_DIMENSION;
    open_model(f, model, nn_ops_reference(), NN_PRECISION_F32);
}

void fixture_open(fixture *f)
{
    fixture_open_with(f, nn_ops_reference(), NN_PRECISION_F32);
}

void fixture_close(fixture *f)
{
    ck_assert_uint_eq(nn_scratch_mark(f->scratch), 0);
    nn_scratch_destroy(f->scratch);
    decoder_destroy(f->decoder);
    nn_weights_close(f->weights);
    free(f->bytes);
    ngram_destroy(f->lm);
    nn_weights_close(f->lm_weights);
    free(f->lm_bytes);
    tiny_ngram_destroy(f->trie);
}

search_options fixture_options(void)
{
    return (search_options){
        .beam = 6,
        .token_threshold = 0.001f,
        .attention_weight = 0.3f,
        .ctc_weight = 0.7f,
        .token_bonus = 0.4f,
        .segment_blanks = 4,
        .segment_max = 60,
    };
}

search_options fixture_options_lm(const fixture *f, int use)
{
    search_options options = fixture_options();
    if (use) {
        options.lm = f->lm;
        options.lm_weight = 0.5f;
    }
    return options;
}

float *fixture_encodings(const char *script, uint64_t seed)
{
    size_t count = strlen(script);
    float *encodings = calloc(count * FIXTURE_DIMENSION + 1, sizeof *encodings);
    tiny_model_noise(seed, 0.8f, count * FIXTURE_DIMENSION, encodings);
    for (size_t t = 0; t < count; t++) {
        float *row = encodings + t * FIXTURE_DIMENSION;
        char c = script[t];
        if (c == '.')
            row[0] += 6;
        else if (c == ',')
            row[0] += 12;
        else if (islower((unsigned char)c))
            row[c - 'a' + 1] += 7;
        else
            row[c - 'A' + 1] += 4;
    }
    return encodings;
}
