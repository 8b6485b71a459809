/*
 * Alternatives: what a beam says, as a list of distinct texts: its prefixes, and the best of them
 * with one of its variations each.
 */
#ifndef DECODER_ALTERNATIVES_H
#define DECODER_ALTERNATIVES_H

#include "decoder/beam.h"

/* Most variations in one list. */
enum { ALTERNATIVES_VARIED = 32 };

/* Writes the texts that the beam has before frame `end`, best first, at most `max` (1 or more):
 * out_hypotheses [max]; returns how many.  Their tokens are the beam's, or in `room`
 * [ALTERNATIVES_VARIED, length], where `length` is the most tokens that one can have. */
size_t alternatives_list(const beam *beam, uint64_t end, search_token *room, size_t length,
    size_t max, search_hypothesis *out_hypotheses);

#endif
