/*
 * What captures have published, as the hub keeps it (captions.c): an event in one block of memory
 * with the words and texts that it points to, counted by those who point to it.
 */
#ifndef CAPTIONS_RECORD_H
#define CAPTIONS_RECORD_H

#include "captions/captions.h"

typedef struct captions_record {
    size_t holders; /* under the source's lock; the first is who made it */
    captions_event event;
} captions_record;

/* Of a result's first alternative, with origin_ms added to all times; id and unix_ms are still to
 * be set, here and below.  NULL: no memory. */
captions_record *captions_record_segment(
    captions_kind kind, const steno_result *result, uint64_t origin_ms, uint64_t sequence);
/* An interim without words. */
captions_record *captions_record_empty(uint64_t sequence);
captions_record *captions_record_status(const captions_status *status);

/* One holder less.  NULL is fine. */
void captions_record_release(captions_record *self);

#endif
