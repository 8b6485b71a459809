/*
 * Captions as server-sent events (text/event-stream), for one reader after the other:
 *
 *     retry: 2000
 *
 *     id: 1700000000000100
 *     event: status
 *     data: {"state":"LISTENING","device":"Desk microphone","reason":"","heard_ms":5120,...}
 *
 *     event: interim
 *     data: {"sequence":1,"settled":"good","unsettled":"more"}
 *
 *     id: 1700000000000123
 *     event: final
 *     data: {"sequence":1,"start_ms":480,"end_ms":1210,"unix_ms":...,"text":"good morning"}
 *
 *     id: 1700000000000999
 *     event: gap
 *     data: {"first_sequence":2,"last_sequence":40}
 *
 *     event: beat
 *     data: {}
 *
 * The last id that a reader got is where it goes on.  Interims have none: the newest is always told
 * again.  The first beat comes after all that there was when the reader came; later ones say that
 * the connection lives when nothing else does.
 */
#ifndef CAPTIONS_FEED_H
#define CAPTIONS_FEED_H

#include <stdint.h>
#include <stdio.h>

#include "captions/captions.h"
#include "steno/status.h"

/* How long a feed is silent at most. */
enum { CAPTIONS_FEED_BEAT_MS = 15000 };

#define CAPTIONS_FEED_END ((size_t)-1)

typedef struct captions_feed captions_feed;

/* from, wake, context: as of captions_join; wake also says that `fill` has an end to tell.
 * Errors: MEMORY. */
steno_status captions_feed_create(captions_source *source, const captions_from *from,
    void (*wake)(void *context), void *context, captions_feed **out_feed, steno_error *error);
/* NULL is fine. */
void captions_feed_destroy(captions_feed *self);

/* Writes what comes next, `size` bytes at most, and says how many; 0: nothing now;
 * CAPTIONS_FEED_END: nothing more, or no memory for it.  now_ms: of alarms_now_ms.  Holds no more
 * than one event, which is taken only when the one before has gone: of what happens meanwhile a
 * slow reader gets all finals and the newest of the rest. */
size_t captions_feed_fill(captions_feed *self, uint64_t now_ms, char *bytes, size_t size);

/* One event as above.  Write errors are the stream's. */
void captions_feed_write(const captions_event *event, FILE *file);

#endif
