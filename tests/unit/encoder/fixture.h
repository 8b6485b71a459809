/* A tiny encoder with all that its tests need around it. */
#ifndef UNIT_ENCODER_FIXTURE_H
#define UNIT_ENCODER_FIXTURE_H

#include "encoder/encoder.h"
#include "support/tiny_model.h"

typedef struct fixture {
    void *bytes;
    nn_weights *weights;
    encoder_config config;
    encoder *encoder;
    nn_scratch *scratch; /* exactly encoder_scratch bytes */
} fixture;

encoder_config fixture_config(const tiny_model_config *model);

/* Fails the running test when anything does. */
void fixture_open(fixture *f, const tiny_model_config *model, const nn_ops *ops,
    nn_precision precision, size_t max_rows);
void fixture_close(fixture *f);

encoder_state *fixture_state(const fixture *f, size_t chunk);

/* New frames of noise [count, mel_bins]; free(). */
float *fixture_frames(const fixture *f, uint64_t seed, size_t count);

/* Feeds all frames, in calls of `chunks_per_call` chunks each, the last cut short where it must
 * be; returns the encodings written to out. */
size_t fixture_feed(const fixture *f, encoder_state *state, const float *frames, size_t count,
    size_t chunks_per_call, float *out);

/* One call. */
size_t fixture_forward(
    const fixture *f, encoder_state *state, const float *frames, size_t count, float *out);

#endif
