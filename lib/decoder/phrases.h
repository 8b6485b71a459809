/*
 * Phrases to prefer: a pattern matcher over characters that gives each hypothesis credit for the
 * phrases it spells, whichever tokens it spells them with, so that words the model has never seen
 * can be preferred too.
 *
 *     phrase_state state = {0};                      at a segment's start
 *     state = phrases_step(phrases, state, token, true);
 *     ... phrases_credit(phrases, state) is added to the score ...
 *
 * Credit (natural logarithms, added to the weighted score).  A phrase of N characters and boost b
 * gives
 *     b * n / N    while its first n characters are the last of the hypothesis,
 *     b            from when a word ends with it: for good.
 * It begins at words' beginnings only.  Of several under way the largest part counts; those that
 * are complete add up.  What breaks off, also in the middle of a longer word, loses its part
 * again; so does what is not complete when the segment ends.
 *
 * Immutable; one per stream.
 */
#ifndef DECODER_PHRASES_H
#define DECODER_PHRASES_H

#include <stdbool.h>

#include "decoder/vocabulary.h"
#include "steno/stream.h"

typedef struct phrases phrases;

/* Where a hypothesis is.  Zero: at the start, in no phrase. */
typedef struct phrase_state {
    double kept;   /* credit for complete phrases */
    uint32_t node; /* the longest part of a phrase that the text ends with */
} phrase_state;

/* list [count]: copied.  Letters are compared in lower case; what is neither a letter, a digit nor
 * an apostrophe parts words.  Phrases of no letters and those of boost 0 do nothing.  The
 * vocabulary is borrowed until phrases_destroy.  Errors, naming the phrase: LIMIT (those of
 * steno/stream.h), ARGUMENT (a boost out of range, not UTF-8); MEMORY. */
steno_status phrases_create(const vocabulary *tokens, const steno_phrase *list, size_t count,
    phrases **out_phrases, steno_error *error);
void phrases_destroy(phrases *phrases);

/* After one more token.  first: it is the segment's first, which begins a word in any case. */
phrase_state phrases_step(const phrases *phrases, phrase_state state, uint32_t token, bool first);
/* Credit of a hypothesis in that state, if it goes on, and if it ends there. */
double phrases_credit(const phrases *phrases, phrase_state state);
double phrases_end_credit(const phrases *phrases, phrase_state state);
/* The largest boost. */
double phrases_largest(const phrases *phrases);

#endif
