/*
 * Captions: what captures hear, for any number of readers.  Each capture is a source that one
 * thread publishes to; readers join and leave at any time, and get finals, interims and states as
 * events with ids that only grow.  Knows nothing of audio, gRPC or HTTP.
 *
 *     capture's thread                           a reader's thread, any
 *     captions_publish_final(source, ...) --->   captions_join(source, &from, wake, ...)
 *     captions_publish_interim(source, ...)      while ((status = captions_next(reader, &event))
 *     captions_publish_status(source, ...)              == STENO_OK) ... use event ...
 *                                                STENO_AGAIN: next time after `wake`
 *                                                STENO_END: captions_leave(reader)
 *
 * Publishing never waits for a reader.  A final stays until `history` later ones have come; a
 * reader that is slower than that is told of a gap and goes on after it.  Of interims and states a
 * reader gets the newest: each replaces the one before, and a final the interim it came from.
 *
 * Ids grow over restarts of the process, too, if the clock does not go back: a reader that comes
 * back with the last id it got misses nothing that is still known and gets nothing twice.
 */
#ifndef CAPTIONS_CAPTIONS_H
#define CAPTIONS_CAPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/result.h"
#include "steno/status.h"

typedef enum captions_kind {
    CAPTIONS_FINAL,   /* never changes; in the order of sequence */
    CAPTIONS_INTERIM, /* what comes after the last final, as far as is known */
    CAPTIONS_STATUS,  /* how the capture does */
    CAPTIONS_GAP,     /* finals that this reader was too slow for */
} captions_kind;

/* Words that were said.  Never without words when final; an interim without takes back the one
 * before. */
typedef struct captions_segment {
    uint64_t sequence;         /* of finals, from 1; an interim has that of the next final */
    uint64_t start_ms, end_ms; /* of the words, since the capture began to listen */
    const char *text;          /* UTF-8, words joined by single spaces */
    const steno_word *words;   /* [word_count], times likewise */
    size_t word_count;
    size_t stable_words; /* so many first words are settled; of a final all */
    float confidence;    /* 0..1 */
    bool endpoint;       /* a final because of a pause */
} captions_segment;

typedef enum captions_state {
    CAPTIONS_STARTING,  /* nothing was opened yet */
    CAPTIONS_LISTENING, /* audio comes */
    CAPTIONS_WAITING,   /* the device is gone or not to be had; it is tried again and again */
    CAPTIONS_ENDED,     /* a file has been played, or the capture has failed for good */
} captions_state;

/* "STARTING", "LISTENING", ...  Static. */
const char *captions_state_name(captions_state state);

typedef struct captions_status {
    captions_state state;
    const char *device;       /* what is or was listened to; "": nothing yet */
    const char *reason;       /* for a person: why it waits or has failed; else "" */
    uint64_t heard_ms;        /* audio until then, times counting from the same moment; in the first
                                 event of a reader, until now */
    uint64_t lost_ms;         /* of that, what was missing: */
    uint32_t gaps;            /* in so many places */
    uint32_t device_overruns; /* times the device lost audio, nobody knows how much */
} captions_status;

typedef struct captions_gap {
    uint64_t
        first_sequence; /* 0: the one after the last that this reader got before it came back */
    uint64_t last_sequence;
} captions_gap;

typedef struct captions_event {
    uint64_t id; /* what `after` takes; below 2^53.  Grows from one event of a reader to the next,
                    but that the first, a status, has that after which the reader began */
    uint64_t unix_ms; /* when it was published */
    captions_kind kind;
    captions_segment segment; /* FINAL, INTERIM */
    captions_status status;   /* STATUS */
    captions_gap gap;         /* GAP */
} captions_event;

/* ---- All sources ---- */

typedef struct captions captions;
typedef struct captions_source captions_source;

typedef struct captions_setting {
    const char *name;  /* copied */
    const char *about; /* what it listens to, for a person; copied */
    uint32_t history;  /* finals kept, 1 or more */
} captions_setting;

/* settings: [count], names all different; no source at all is fine.  Errors: MEMORY. */
steno_status captions_create(
    const captions_setting *settings, size_t count, captions **out_captions, steno_error *error);
/* After all readers have left, and with nobody publishing.  NULL is fine. */
void captions_destroy(captions *captions);

/* Nothing more will be published: readers get STENO_END after what there is.  Any thread. */
void captions_end(captions_source *source);

/* In the order of the settings; any thread. */
size_t captions_count(const captions *captions);
captions_source *captions_at(captions *captions, size_t index);
/* NULL: there is none of this name. */
captions_source *captions_find(captions *captions, const char *name);

/* These live as long as the source. */
const char *captions_name(const captions_source *source);
const char *captions_about(const captions_source *source);

/* How a source does now; any thread. */
typedef struct captions_counts {
    captions_state state;
    uint64_t heard_ms, lost_ms;
    uint32_t gaps, device_overruns;
    uint64_t finals, words; /* published so far */
    uint32_t readers;       /* now */
} captions_counts;

void captions_get_counts(captions_source *source, captions_counts *out_counts);

/* ---- Publishing: one thread for each source ---- */

/* Of the result's first alternative; origin_ms is added to all times.  What is published after
 * captions_end is dropped.  Errors: MEMORY; readers are told of the final as of a gap. */
steno_status captions_publish_final(
    captions_source *source, const steno_result *result, uint64_t origin_ms);
/* Errors: MEMORY; then there is none until the next. */
steno_status captions_publish_interim(
    captions_source *source, const steno_result *result, uint64_t origin_ms);
/* Nothing will come of the last interim: readers that may have it get one without words. */
void captions_take_back(captions_source *source);
/* status: copied.  Errors: MEMORY; the state before stays what readers get. */
steno_status captions_publish_status(captions_source *source, const captions_status *status);

/* Audio until now, for captions_get_counts; readers are not told. */
void captions_set_heard(captions_source *source, uint64_t heard_ms);

/* ---- Reading ---- */

typedef struct captions_reader captions_reader;

/* Where a reader begins. */
typedef struct captions_from {
    uint64_t after; /* an id: what came after it.  0, or one that was never given out: from the
                       beginning, without being told of what is no longer known of it */
    size_t recent;  /* with after 0: so many of the last finals; SIZE_MAX: all that are kept */
} captions_from;

/* `wake` is called on the publisher's thread (or that of captions_end), once after each
 * STENO_AGAIN, when `next` would say something else; it must return at once and call nothing of
 * captions.  Errors: MEMORY. */
steno_status captions_join(captions_source *source, const captions_from *from,
    void (*wake)(void *context), void *context, captions_reader **out_reader, steno_error *error);
/* When it returns, `wake` does not run and will not.  NULL is fine. */
void captions_leave(captions_reader *reader);

/* The next event; the first is the status of now.  What it points to lives until the next call for
 * this reader.  Never waits.  STENO_AGAIN: none now; STENO_END: the last was given. */
steno_status captions_next(captions_reader *reader, captions_event *out_event);

#endif
