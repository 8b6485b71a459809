/*
 * When speech begins and ends, told from what the search hears.  Pure state, in frames.
 *
 * Speech begins with the first token after silence and has ended when nothing has been heard for
 * `pause` frames, the pause of an endpoint.  Both are judged where the transcript judges
 * endpoints: at the end of a segment and after each chunk.  A pause that no chunk's end falls into
 * is noticed when the next segment ends, as the transcript does, so that events keep their place
 * among the finals.
 */
#ifndef RECOGNIZER_ACTIVITY_H
#define RECOGNIZER_ACTIVITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/result.h"

typedef struct activity {
    /* Immutable. */
    uint32_t frame_ms;
    uint64_t pause; /* frames */

    bool speaking;
    uint64_t end;     /* while speaking: one past the last token settled, or the first heard */
    uint64_t last_ms; /* of the last event: times never run backwards */
} activity;

typedef struct activity_event {
    steno_event event;
    uint64_t event_ms;
} activity_event;

/* Most events of one call. */
enum { ACTIVITY_MAX_EVENTS = 2 };

activity activity_begin(uint32_t frame_ms, uint32_t endpoint_ms);

/* All write their events to out [ACTIVITY_MAX_EVENTS] and return how many. */

/* A segment is settled whose tokens lie from `first` to `last`. */
size_t activity_segment(activity *activity, uint64_t first, uint64_t last, activity_event *out);
/* Something not settled is heard, from `first` on. */
size_t activity_running(activity *activity, uint64_t first, activity_event *out);
/* Nothing is heard now, nor has been for `trailing` frames. */
size_t activity_silence(activity *activity, uint64_t trailing, activity_event *out);
/* The audio is over. */
size_t activity_finish(activity *activity, activity_event *out);

#endif
