/*
 * Two rings: of frames, and of marks that say where frames are missing and how many.  The producer
 * puts a gap's mark in before the first frame after the gap, so whoever sees that frame sees the
 * mark too (both are published with release by the same thread).  Where there is no room for
 * another mark the gap goes on: marks, too, can't be lost.
 */
#include "audio/intake.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/ring.h"

enum { MARKS = 64 };

typedef struct intake_mark {
    uint64_t position; /* of the first frame after the gap, among those taken */
    uint64_t frames;   /* lost */
} intake_mark;

struct intake {
    ring *frames, *marks;
    size_t channels;

    /* the producer's */
    uint64_t written; /* frames taken */
    uint64_t gap;     /* frames lost since the last one taken */
    _Atomic uint64_t offered, lost;

    /* the consumer's */
    uint64_t read;
};

steno_status intake_create(size_t frames, size_t channels, intake **out_intake, steno_error *error)
{
    intake *self = memory_allocate(1, sizeof *self);
    if (!self)
        return error_memory(error);
    self->channels = channels;
    steno_status status = ring_create(frames, channels * sizeof(float), &self->frames, error);
    if (status == STENO_OK)
        status = ring_create(MARKS, sizeof(intake_mark), &self->marks, error);
    if (status == STENO_OK)
        *out_intake = self;
    else
        intake_destroy(self);
    return status;
}

void intake_destroy(intake *self)
{
    if (!self)
        return;
    ring_destroy(self->frames);
    ring_destroy(self->marks);
    memory_free(self);
}

void intake_write(intake *self, const float *samples, size_t frames)
{
    /* Relaxed: the counts order nothing. */
    atomic_fetch_add_explicit(&self->offered, frames, memory_order_relaxed);
    bool room = ring_writable(self->frames) >= frames;
    if (!room || (self->gap > 0 && ring_writable(self->marks) == 0)) {
        self->gap += frames;
        atomic_fetch_add_explicit(&self->lost, frames, memory_order_relaxed);
        return;
    }
    if (self->gap > 0) {
        intake_mark mark = {self->written, self->gap};
        ring_write(self->marks, &mark, 1);
        self->gap = 0;
    }
    ring_write(self->frames, samples, frames);
    self->written += frames;
}

size_t intake_read(intake *self, float *samples, size_t capacity, uint64_t *out_lost)
{
    *out_lost = 0;
    /* Before the marks are looked at: those of the frames seen here are there by then. */
    size_t frames = ring_readable(self->frames);
    frames = frames < capacity ? frames : capacity;
    if (frames == 0)
        return 0;
    intake_mark mark;
    if (ring_peek(self->marks, &mark) > 0 && mark.position == self->read) {
        *out_lost = mark.frames;
        ring_read(self->marks, &mark, 1);
    }
    if (ring_peek(self->marks, &mark) > 0 && mark.position - self->read < frames)
        frames = (size_t)(mark.position - self->read);
    self->read += frames;
    return ring_read(self->frames, samples, frames);
}

uint64_t intake_offered(const intake *self)
{
    return atomic_load_explicit(&self->offered, memory_order_relaxed);
}

uint64_t intake_lost(const intake *self)
{
    return atomic_load_explicit(&self->lost, memory_order_relaxed);
}
