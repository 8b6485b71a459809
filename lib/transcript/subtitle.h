/*
 * Subtitle: breaks the words of results into cues that people can read.
 *
 * A cue has at most two lines of 42 characters and lasts at most 7 s.  A pause of 1 s always ends
 * one; where a cue is merely full it ends at the longest pause in its second half.  Two lines are
 * made as even as they can be.  A cue stays at least 1 s unless the next one comes sooner; since
 * that needs the next one's start, each cue is held back until then.  Cues of a channel follow one
 * another, never overlapping and never empty.
 */
#ifndef TRANSCRIPT_SUBTITLE_H
#define TRANSCRIPT_SUBTITLE_H

#include "steno/result.h"

enum {
    SUBTITLE_LINE_CHARACTERS = 42,
    SUBTITLE_LINES = 2,
    SUBTITLE_MAX_MS = 7000,
    SUBTITLE_MIN_MS = 1000,
    SUBTITLE_PAUSE_MS = 1000,
    /* Two lines of 4-byte characters, the break, the terminator. */
    SUBTITLE_TEXT_BYTES = SUBTITLE_LINES * SUBTITLE_LINE_CHARACTERS * 4 + 2,
};

typedef struct subtitle_cue {
    uint64_t start_ms, end_ms;
    char text[SUBTITLE_TEXT_BYTES]; /* lines with a newline between; no control characters */
} subtitle_cue;

/* Cues of one channel.  Zeros are a new one. */
typedef struct subtitle {
    bool holds;
    subtitle_cue held;
} subtitle;

typedef void (*subtitle_sink)(void *context, const subtitle_cue *cue);

/* Gives the sink the cues that are settled by these words.  prefix: begins each cue, at most 8
 * characters of ASCII. */
void subtitle_add(subtitle *subtitle, const steno_alternative *alternative, const char *prefix,
    subtitle_sink sink, void *context);
/* Gives the last cue, which may stay until end_ms. */
void subtitle_finish(subtitle *subtitle, uint64_t end_ms, subtitle_sink sink, void *context);

#endif
