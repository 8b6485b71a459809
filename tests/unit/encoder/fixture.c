#include "fixture.h"

#include <check.h>
#include <stdlib.h>

encoder_config fixture_config(const tiny_model_config *model)
{
    return (encoder_config){
        .mel_bins = model->mel_bins,
        .subsampling = model->subsampling,
        .subsampling_channels = model->subsampling_channels,
        .dimension = model->dimension,
        .blocks = model->blocks,
        .heads = model->heads,
        .feed_forward = model->feed_forward,
        .kernel = model->kernel,
        .left_context = model->left_context,
        .max_chunk = model->max_chunk,
    };
}

void fixture_open(fixture *f, const tiny_model_config *model, const nn_ops *ops,
    nn_precision precision, size_t max_rows)
{
    size_t size;
    steno_error error = {0};
    *f = (fixture){.config = fixture_config(model)};
    f->bytes = tiny_model_write(model, &size);
    ck_assert_msg(
        nn_weights_open(f->bytes, size, &f->weights, &error) == STENO_OK, "%s", error.message);
    ck_assert_msg(encoder_create(&f->config, f->weights, ops, precision, max_rows, &f->encoder,
                      &error) == STENO_OK,
        "%s", error.message);
    ck_assert_int_eq(nn_scratch_create(encoder_scratch(f->encoder), &f->scratch, &error), STENO_OK);
}

void fixture_close(fixture *f)
{
    ck_assert_uint_eq(nn_scratch_mark(f->scratch), 0);
    nn_scratch_destroy(f->scratch);
    encoder_destroy(f->encoder);
    nn_weights_close(f->weights);
    free(f->bytes);
}

encoder_state *fixture_state(const fixture *f, size_t chunk)
{
    encoder_state *state = NULL;
    ck_assert_int_eq(encoder_state_create(f->encoder, chunk, &state, NULL), STENO_OK);
    return state;
}

float *fixture_frames(const fixture *f, uint64_t seed, size_t count)
{
    float *frames = calloc(count * f->config.mel_bins + 1, sizeof *frames);
    tiny_model_noise(seed, 2.0f, count * f->config.mel_bins, frames);
    return frames;
}

size_t fixture_forward(
    const fixture *f, encoder_state *state, const float *frames, size_t count, float *out)
{
    size_t rows = encoder_encodings_after(state, count);
    encoder_item item = {state, frames, count, out};
    encoder_forward(f->encoder, f->scratch, &item, 1);
    return rows;
}

size_t fixture_feed(const fixture *f, encoder_state *state, const float *frames, size_t count,
    size_t chunks_per_call, float *out)
{
    size_t rows = 0;
    for (size_t done = 0; done < count;) {
        size_t wanted = encoder_frames_wanted(state, chunks_per_call);
        if (wanted > count - done)
            wanted = count - done;
        rows += fixture_forward(
            f, state, frames + done * f->config.mel_bins, wanted, out + rows * f->config.dimension);
        done += wanted;
    }
    return rows;
}
