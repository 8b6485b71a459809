#include "meter.h"

#include <math.h>

enum {
    WINDOWS_PER_SECOND = 20,
    WINDOW_MS = 1000 / WINDOWS_PER_SECOND,
    PEAK_HOLD_MS = 1000,
    LOUD_HOLD_MS = 1000,
};

/* A level falls no faster, so that the pauses between syllables don't make it flicker. */
#define LEVEL_FALL_DB (40.0f / WINDOWS_PER_SECOND)
#define PEAK_FALL_DB (20.0f / WINDOWS_PER_SECOND)

/* Full scale of 16-bit samples, which never reach 1. */
#define FULL_SCALE 0.999f

/* One step of 16-bit samples, and a little: what a muted microphone may give. */
#define SILENCE 4e-5f

void meter_init(meter *self, uint32_t rate_hz, uint32_t channels)
{
    *self = (struct meter){
        .rate_hz = rate_hz,
        .channels = channels,
        .level_db = METER_FLOOR_DB,
        .peak_db = METER_FLOOR_DB,
        .loud_age_ms = LOUD_HOLD_MS,
    };
}

static float decibels(double magnitude)
{
    float level = magnitude > 0 ? (float)(20 * log10(magnitude)) : METER_FLOOR_DB;
    return fminf(0, fmaxf(METER_FLOOR_DB, level));
}

static void end_window(meter *self)
{
    double mean = self->squares / (double)(self->frames * self->channels);
    self->level_db = fmaxf(decibels(sqrt(mean)), self->level_db - LEVEL_FALL_DB);
    float peak = decibels(self->largest);
    self->peak_age_ms += WINDOW_MS;
    if (self->peak_age_ms > PEAK_HOLD_MS)
        self->peak_db -= PEAK_FALL_DB;
    if (peak >= self->peak_db) {
        self->peak_db = peak;
        self->peak_age_ms = 0;
    }
    self->loud_age_ms = self->largest >= FULL_SCALE ? 0 : self->loud_age_ms + WINDOW_MS;
    self->silent_ms = self->largest <= SILENCE ? self->silent_ms + WINDOW_MS : 0;
    self->heard = self->heard || self->largest > SILENCE;
    self->frames = 0;
    self->squares = 0;
    self->largest = 0;
}

void meter_feed(meter *self, const float *samples, size_t frames)
{
    for (size_t i = 0; i < frames; i++) {
        for (size_t c = 0; c < self->channels; c++) {
            float magnitude = fabsf(*samples++);
            if (!(magnitude <= 1)) /* too loud, or no number */
                magnitude = 1;
            self->squares += (double)magnitude * magnitude;
            self->largest = fmaxf(self->largest, magnitude);
        }
        if (++self->frames >= self->rate_hz / WINDOWS_PER_SECOND)
            end_window(self);
    }
}

bool meter_is_too_loud(const meter *self)
{
    return self->loud_age_ms < LOUD_HOLD_MS;
}
