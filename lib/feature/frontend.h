/*
 * Streaming log-mel front end: 16 kHz mono samples in, normalised log-mel frames out.
 *
 * Frame t covers samples [hop t, hop t + window): Hann window, zero-padded FFT, power, HTK mel
 * triangles, natural log of max(energy, floor), then (x - mean) * inverse_deviation per bin.
 * A frame depends on its own samples only, so any way of cutting the input gives the same bytes.
 */
#ifndef FEATURE_FRONTEND_H
#define FEATURE_FRONTEND_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct frontend_config {
    uint32_t rate_hz;        /* 16000 */
    uint32_t window_samples; /* 400 */
    uint32_t hop_samples;    /* 160 */
    uint32_t fft_size;       /* 512 */
    uint32_t mel_bins;       /* 80 */
    float low_hz, high_hz;   /* 20, 7600 */
    float floor;             /* 1e-10 */
} frontend_config;

typedef struct frontend frontend;

/* mean, inverse_deviation: [mel_bins], copied.  STENO_ERROR_ARGUMENT for a config that can't be
 * (zero sizes, window > fft_size, odd fft_size, high above half the rate, low >= high, ...). */
steno_status frontend_create(const frontend_config *config, const float *mean,
    const float *inverse_deviation, frontend **out_frontend, steno_error *error);
void frontend_destroy(frontend *frontend);

/* How many frames feeding `count` more samples would complete. */
size_t frontend_frames_after(const frontend *frontend, size_t count);

/* How many further samples complete the next frame (1 or more). */
size_t frontend_samples_wanted(const frontend *frontend);

/* Takes samples in [-1, 1); writes each frame completed to out_frames [frames, mel_bins], which
 * must have room for frontend_frames_after(count); returns how many.  Nothing is allocated. */
size_t frontend_feed(frontend *frontend, const float *samples, size_t count, float *out_frames);

#endif
