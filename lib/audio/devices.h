/* Which of some devices is meant: pure, no sound system here. */
#ifndef AUDIO_DEVICES_H
#define AUDIO_DEVICES_H

#include <stddef.h>

#include "steno/capture.h"

/* As steno_device_list_find, among devices [count]. */
steno_status devices_find(const steno_device *devices, size_t count, const char *wanted,
    const steno_device **out_device, steno_error *error);

/* The rates worth trying, in order, for a device whose own rate is `own_hz`, if nobody asks for
 * one: its own where it is within the limits of steno/audio.h, then the usual ones, nearest first.
 * out: [STENO_DEVICE_RATES_MAX + 1]; returns how many. */
size_t devices_rates(uint32_t own_hz, uint32_t *out_rates_hz);

/* The usual rates [STENO_DEVICE_RATES_MAX], rising. */
extern const uint32_t devices_usual_rates_hz[STENO_DEVICE_RATES_MAX];

#endif
