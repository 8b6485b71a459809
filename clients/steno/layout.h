/*
 * What the screen of `steno listen` looks like: pure functions from its state to lines.
 *
 *     the text that forms, its settled part as ordinary text and the rest
 *       dimmed, and under it a line about the microphone:
 *     * speech    [========|     ]  0:12  Headset
 *
 * No line reaches the last column, where terminals differ in what they do next.
 */
#ifndef STENO_LAYOUT_H
#define STENO_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "growing.h"

typedef enum layout_mark {
    LAYOUT_OPENING,
    LAYOUT_LISTENING,
    LAYOUT_SPEECH,
    LAYOUT_ENDPOINT, /* the speaker has paused, what was said is final */
    LAYOUT_LOST,     /* the microphone is gone */
    LAYOUT_AWAY,     /* the server is */
    LAYOUT_OVER,     /* what was heard is over */
    LAYOUT_FINISHING,
} layout_mark;

typedef struct layout_state {
    const char *text;     /* of the utterance that forms; "" */
    size_t settled_bytes; /* of it, at a word's end */
    layout_mark mark;
    float level_db, peak_db; /* up to 0; see meter.h */
    bool too_loud;
    bool no_level;      /* is known: there is no meter */
    uint64_t heard_ms;  /* of audio */
    const char *note;   /* what the user should know; "" */
    const char *device; /* its name; "" */
} layout_state;

typedef struct layout_shape {
    size_t columns, rows; /* of the terminal; 1 or more */
    bool styles;          /* dim and bold */
    bool colors;
    bool status; /* with the line about the microphone */
} layout_shape;

/* Appends the lines, separated by "\n", and says how many there are: at most the terminal's rows,
 * the end of the text where there is no room for all.  None where there is nothing to show.
 * STENO_ERROR_MEMORY. */
steno_status layout_live(
    const layout_state *state, const layout_shape *shape, growing *out, size_t *out_rows);

/* Appends a final text as lines, each with "\n" behind it, broken between words; all of it, however
 * many rows that takes. */
steno_status layout_final(const char *text, const layout_shape *shape, growing *out);

#endif
