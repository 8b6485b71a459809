/* Hypotheses for tests, written as text: tokens separated by '|', each with the frame that
 * triggered it and, where it isn't 1, its probability:
 *
 *     spoken best;
 *     spoken_make(&best, 0.75f, " he@3|llo@4*0.5| world@6");
 */
#ifndef TESTS_TRANSCRIPT_SPOKEN_H
#define TESTS_TRANSCRIPT_SPOKEN_H

#include "transcript/transcript.h"

enum { SPOKEN_TOKENS = 64 };

typedef struct spoken {
    transcript_token tokens[SPOKEN_TOKENS];
    char text[2048];
    size_t count;
    float posterior;
} spoken;

void spoken_make(spoken *self, float posterior, const char *script);
/* Borrows the tokens. */
transcript_hypothesis spoken_hypothesis(const spoken *self);

/* One segment with one hypothesis of posterior 1. */
void spoken_segment(transcript *transcript, const char *script, uint64_t end_frame);
/* An advance whose running segment has one hypothesis; script NULL: none. */
void spoken_advance(transcript *transcript, const char *script, size_t stable, uint64_t position,
    uint64_t trailing);

/* A result's words as text: "hello[240,400] world[480,560]". In static memory. */
const char *spoken_words(const steno_alternative *alternative);

#endif
