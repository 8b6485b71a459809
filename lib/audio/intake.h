/*
 * What a sound device's callback fills and the program empties: frames of samples, and the gaps
 * where there was no room.  The callback's side never waits, locks, allocates or calls the system.
 *
 * A gap has its place: reading never goes across one, and says how many frames are missing just
 * before those it gives, so that the program can put silence there and keep its clock right.
 */
#ifndef AUDIO_INTAKE_H
#define AUDIO_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

typedef struct intake intake;

/* Room for at least `frames` frames of `channels` samples.  STENO_ERROR_MEMORY. */
steno_status intake_create(size_t frames, size_t channels, intake **out_intake, steno_error *error);
/* NULL is fine. */
void intake_destroy(intake *intake);

/* The callback's side: takes all `frames` frames of samples [frames, channels], or none of them if
 * there is no room for all, and counts them as lost. */
void intake_write(intake *intake, const float *samples, size_t frames);

/* The program's side: up to `capacity` frames; returns how many, 0 if there is nothing.
 * *out_lost: frames lost just before these; 0 where none came. */
size_t intake_read(intake *intake, float *samples, size_t capacity, uint64_t *out_lost);

/* Frames offered so far, and those of them that were lost.  Either side. */
uint64_t intake_offered(const intake *intake);
uint64_t intake_lost(const intake *intake);

#endif
