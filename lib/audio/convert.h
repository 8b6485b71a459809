/*
 * Any rate and channel count to 16 kHz mono, streaming: channel choice or mix, then soxr.
 * Feeding in any pieces gives the same samples.
 */
#ifndef AUDIO_CONVERT_H
#define AUDIO_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct converter converter;

/* channel: 0 mixes all (their mean), 1..channels takes that one.  At rate_hz == out_rate_hz
 * samples pass unchanged. */
steno_status converter_create(uint32_t rate_hz, uint32_t channels, uint32_t channel,
    uint32_t out_rate_hz, converter **out_converter, steno_error *error);
void converter_destroy(converter *converter);

/* An upper bound on what feeding `frames` frames, or flushing (frames = 0), can give. */
size_t converter_bound(const converter *converter, size_t frames);

/* samples: interleaved [frames, channels].  Writes up to converter_bound(frames) samples to out,
 * returns how many.  A resampler that fails gives STENO_ERROR_INTERNAL. */
steno_status converter_feed(
    converter *converter, const float *samples, size_t frames, float *out, size_t *out_count);
/* The end of the input: the resampler's tail.  n input frames have then given
 * round(n * out_rate / rate) samples in all. */
steno_status converter_flush(converter *converter, float *out, size_t *out_count);

#endif
