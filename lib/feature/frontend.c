/*
 * The front end keeps the last samples that a later frame still needs (less than one window) in
 * `pending`, always starting at the next frame's first sample.  Feeding fills it; each time it
 * holds a whole window one frame is computed and the samples of one hop are dropped.  Every frame
 * therefore runs through the same code on the same values however the input was cut, which makes
 * chunking exact bit for bit.  Moving window - hop samples per frame costs less than one percent
 * of the FFT; a ring would save that and need two code paths.
 *
 * The mel triangles are stored sparsely: a filter is its first FFT bin and its weights (in all
 * about two per FFT bin instead of mel_bins).
 */
#include "feature/frontend.h"

#include <assert.h>
#include <kiss_fftr.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Larger than any sensible front end, small enough that no size below can overflow. */
enum {
    FFT_SIZE_MAX = 1 << 16,
    MEL_BINS_MAX = 1024,
};

struct mel_filter {
    uint32_t first; /* FFT bin of the first weight */
    uint32_t count;
    uint32_t offset; /* of the first weight in mel_weights */
};

struct frontend {
    /* Constant after create. */
    frontend_config config;
    size_t bins;                /* of the FFT: fft_size / 2 + 1 */
    float *window;              /* [window_samples] */
    struct mel_filter *filters; /* [mel_bins] */
    float *mel_weights;         /* of all filters, one after the other */
    float *mean;                /* [mel_bins] */
    float *inverse_deviation;   /* [mel_bins] */

    /* Work space of one frame; carries nothing to the next. */
    kiss_fftr_cfg fft;
    float *padded;          /* [fft_size]; beyond window_samples always zero */
    kiss_fft_cpx *spectrum; /* [bins] */
    float *power;           /* [bins] */

    /* What is carried. */
    float *pending; /* [window_samples]: the samples from the next frame's first on */
    size_t held;    /* valid samples in it, < window_samples between calls */
};

static double mel_from_hz(double hz)
{
    return 2595.0 * log10(1.0 + hz / 700.0);
}

/* kissfft transforms other factors through a temporary block from the heap. */
static bool has_small_factors(uint32_t size)
{
    static const uint32_t factors[] = {2, 3, 5};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        while (size % factors[i] == 0)
            size /= factors[i];
    return size == 1;
}

static steno_status check_config(const frontend_config *config, steno_error *error)
{
    const char *wrong = NULL;
    if (config->rate_hz == 0)
        wrong = "the rate is zero";
    else if (config->window_samples == 0 || config->hop_samples == 0)
        wrong = "window or hop is zero";
    else if (config->hop_samples > config->window_samples)
        wrong = "the hop is longer than the window";
    else if (config->fft_size < config->window_samples)
        wrong = "the window is longer than the FFT";
    else if (config->fft_size % 2 != 0 || config->fft_size > FFT_SIZE_MAX)
        wrong = "the FFT size is odd or too large";
    else if (!has_small_factors(config->fft_size))
        wrong = "the FFT size has a prime factor above 5";
    else if (config->mel_bins == 0 || config->mel_bins > MEL_BINS_MAX)
        wrong = "the number of mel bins is zero or too large";
    else if (!(config->low_hz >= 0.0f && config->low_hz < config->high_hz))
        wrong = "the lowest frequency is not below the highest";
    else if (!((double)config->high_hz <= config->rate_hz / 2.0))
        wrong = "the highest frequency is above half the rate";
    else if (!(config->floor > 0.0f && isfinite(config->floor)))
        wrong = "the floor is not a positive number";
    if (wrong)
        return error_set(error, STENO_ERROR_ARGUMENT, "front end: %s", wrong);
    return STENO_OK;
}

/* The periodic Hann window, as its frames are pieces of a longer signal: of the symmetric form
 * of one sample more, all but the last. */
static void fill_window(frontend *self)
{
    size_t size = self->config.window_samples;
    for (size_t i = 0; i < size; i++)
        self->window[i] = (float)(0.5 - 0.5 * cos(2.0 * M_PI * (double)i / (double)size));
}

/* Weight of FFT bin `bin` in filter `filter`: triangles that rise and fall linearly in mel between
 * mel_bins + 2 points equally spaced in mel, peak 1, no normalisation of their area. */
static double mel_weight(const frontend_config *config, size_t filter, size_t bin)
{
    double low = mel_from_hz(config->low_hz);
    double step = (mel_from_hz(config->high_hz) - low) / (config->mel_bins + 1.0);
    double mel = mel_from_hz((double)bin * config->rate_hz / config->fft_size);
    double position = (mel - low) / step - (double)filter; /* 0: left foot, 1: peak, 2: right */
    return fmax(0.0, fmin(position, 2.0 - position));
}

/* Finds each filter's run of non-zero bins and, unless weights is NULL, writes its weights there;
 * returns how many weights there are in all. */
static size_t fill_filters(
    const frontend_config *config, struct mel_filter *filters, float *weights)
{
    size_t bins = config->fft_size / 2 + 1;
    size_t total = 0;
    for (size_t m = 0; m < config->mel_bins; m++) {
        struct mel_filter filter = {.offset = (uint32_t)total};
        for (size_t bin = 0; bin < bins; bin++) {
            double weight = mel_weight(config, m, bin);
            if (weight <= 0.0)
                continue;
            if (filter.count == 0)
                filter.first = (uint32_t)bin;
            if (weights)
                weights[total] = (float)weight;
            filter.count++;
            total++;
        }
        filters[m] = filter;
    }
    return total;
}

static bool allocate_fft(frontend *self)
{
    int size = (int)self->config.fft_size;
    size_t bytes = 0;
    kiss_fftr_alloc(size, 0, NULL, &bytes);
    void *block = memory_allocate(bytes, 1);
    if (block)
        self->fft = kiss_fftr_alloc(size, 0, block, &bytes);
    assert(!block || self->fft == block);
    return block != NULL;
}

static bool allocate_tables(frontend *self)
{
    const frontend_config *config = &self->config;
    self->window = memory_allocate(config->window_samples, sizeof(float));
    self->pending = memory_allocate(config->window_samples, sizeof(float));
    self->padded = memory_allocate(config->fft_size, sizeof(float));
    self->spectrum = memory_allocate(self->bins, sizeof(kiss_fft_cpx));
    self->power = memory_allocate(self->bins, sizeof(float));
    self->mean = memory_allocate(config->mel_bins, sizeof(float));
    self->inverse_deviation = memory_allocate(config->mel_bins, sizeof(float));
    self->filters = memory_allocate(config->mel_bins, sizeof(struct mel_filter));
    if (!self->window || !self->pending || !self->padded || !self->spectrum || !self->power ||
        !self->mean || !self->inverse_deviation || !self->filters)
        return false;

    size_t weights = fill_filters(config, self->filters, NULL);
    self->mel_weights = memory_allocate(weights, sizeof(float));
    return self->mel_weights && allocate_fft(self);
}

steno_status frontend_create(const frontend_config *config, const float *mean,
    const float *inverse_deviation, frontend **out_frontend, steno_error *error)
{
    if (!mean || !inverse_deviation)
        return error_set(error, STENO_ERROR_ARGUMENT, "front end: no mean or deviation given");
    steno_status status = check_config(config, error);
    if (status < 0)
        return status;

    frontend *self = memory_allocate(1, sizeof *self);
    if (!self)
        return error_memory(error);
    self->config = *config;
    self->bins = config->fft_size / 2 + 1;
    if (!allocate_tables(self)) {
        frontend_destroy(self);
        return error_memory(error);
    }
    fill_window(self);
    fill_filters(config, self->filters, self->mel_weights);
    memcpy(self->mean, mean, config->mel_bins * sizeof(float));
    memcpy(self->inverse_deviation, inverse_deviation, config->mel_bins * sizeof(float));
    *out_frontend = self;
    return STENO_OK;
}

void frontend_destroy(frontend *self)
{
    if (!self)
        return;
    memory_free(self->window);
    memory_free(self->filters);
    memory_free(self->mel_weights);
    memory_free(self->mean);
    memory_free(self->inverse_deviation);
    memory_free(self->fft);
    memory_free(self->padded);
    memory_free(self->spectrum);
    memory_free(self->power);
    memory_free(self->pending);
    memory_free(self);
}

size_t frontend_frames_after(const frontend *self, size_t count)
{
    size_t window = self->config.window_samples;
    size_t missing = window - self->held;
    return count < missing ? 0 : (count - missing) / self->config.hop_samples + 1;
}

size_t frontend_samples_wanted(const frontend *self)
{
    return self->config.window_samples - self->held;
}

/* One frame of the window in `pending` to out [mel_bins]. */
static void compute_frame(frontend *self, float *out)
{
    const frontend_config *config = &self->config;
    for (size_t i = 0; i < config->window_samples; i++)
        self->padded[i] = self->pending[i] * self->window[i];
    kiss_fftr(self->fft, self->padded, self->spectrum);
    for (size_t i = 0; i < self->bins; i++) {
        kiss_fft_cpx value = self->spectrum[i];
        self->power[i] = value.r * value.r + value.i * value.i;
    }
    for (size_t m = 0; m < config->mel_bins; m++) {
        struct mel_filter filter = self->filters[m];
        const float *weights = self->mel_weights + filter.offset;
        const float *power = self->power + filter.first;
        float energy = 0.0f;
        for (size_t i = 0; i < filter.count; i++)
            energy += weights[i] * power[i];
        float value = logf(fmaxf(energy, config->floor));
        out[m] = (value - self->mean[m]) * self->inverse_deviation[m];
    }
}

/* Drops the samples that no later frame covers; `pending` holds a whole window. */
static void advance_one_hop(frontend *self)
{
    size_t hop = self->config.hop_samples;
    size_t kept = self->config.window_samples - hop;
    memmove(self->pending, self->pending + hop, kept * sizeof(float));
    self->held = kept;
}

size_t frontend_feed(frontend *self, const float *samples, size_t count, float *out_frames)
{
    size_t frames = 0;
    while (count > 0) {
        size_t room = self->config.window_samples - self->held;
        size_t taken = count < room ? count : room;
        memcpy(self->pending + self->held, samples, taken * sizeof(float));
        self->held += taken;
        samples += taken;
        count -= taken;
        if (taken == room) {
            compute_frame(self, out_frames + frames++ * self->config.mel_bins);
            advance_one_hop(self);
        }
    }
    return frames;
}
