/*
 * Variations: where prefixes differed that the beam gave up for others with the same ending.
 *
 * Each prefix has a list of them, newest first.  One that grows from another goes on with its list,
 * so that lists have their older parts in common; each prefix holds its list, and a list that
 * nobody holds is forgotten.  All memory is taken at creation; once it is used up, nothing more is
 * remembered until a list is released.
 */
#ifndef DECODER_VARIATIONS_H
#define DECODER_VARIATIONS_H

#include "decoder/decoder.h"

enum {
    VARIATION_TOKENS = 12, /* a variation of more is not remembered */
    VARIATIONS_NONE = 0,   /* the empty list */
};

/* In place of a prefix' tokens [first, end) the other one had these. */
typedef struct variation {
    size_t first, end;
    size_t count;
    search_token tokens[VARIATION_TOKENS];
    double log_odds; /* the other prefix' score less this one's, when it was given up */
} variation;

/* Whether both say the same of the same tokens. */
bool variation_equals(const variation *a, const variation *b);

typedef struct variations variations;

/* count: most variations of all lists together. */
steno_status variations_create(size_t count, variations **out_variations, steno_error *error);
void variations_destroy(variations *variations);
/* As new: all lists are forgotten. */
void variations_clear(variations *variations);

/* The list has one holder more, or one less. */
void variations_hold(variations *variations, uint32_t list);
void variations_release(variations *variations, uint32_t list);

/* Puts before the list, for the holder who calls, where `lost` [lost_count] differs from `kept`
 * [kept_count]; returns the list that the holder has instead.  What the list has already gets the
 * larger odds of the two. */
uint32_t variations_add(variations *variations, uint32_t list, const search_token *kept,
    size_t kept_count, const search_token *lost, size_t lost_count, double log_odds);

/* All prefixes lose their first `count` tokens, and all lists the variations of these. */
void variations_cut(variations *variations, size_t count);

/* The list's newest variation; and the list behind it.  Not of the empty list. */
const variation *variations_first(const variations *variations, uint32_t list);
uint32_t variations_rest(const variations *variations, uint32_t list);

#endif
