/*
 * How loud a microphone is: a level and a peak that fall slowly enough to be seen, whether it is
 * too loud, and for how long it has given nothing at all.  Goes by the audio's own time.
 */
#ifndef STENO_METER_H
#define STENO_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the meter shows for nothing at all. */
#define METER_FLOOR_DB -90.0f

typedef struct meter {
    uint32_t rate_hz, channels;

    /* the running window */
    size_t frames;
    double squares; /* of all channels */
    float largest;  /* magnitude */

    float level_db; /* of the loudness (root mean square), 0: full scale */
    float peak_db;  /* of the largest sample lately */
    uint64_t peak_age_ms;
    uint64_t loud_age_ms; /* since a sample was at full scale */
    uint64_t silent_ms;   /* nothing above METER_FLOOR_DB but rounding */
    bool heard;           /* something, once */
} meter;

void meter_init(meter *self, uint32_t rate_hz, uint32_t channels);

/* samples: interleaved [frames, channels]. */
void meter_feed(meter *self, const float *samples, size_t frames);

/* A sample was at full scale during the last second. */
bool meter_is_too_loud(const meter *self);

#endif
