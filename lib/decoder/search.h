/*
 * What decoder_advance does with a search, encoding by encoding:
 *
 *     search_push(search, encoding, key, ctc);
 *
 * and then for each frame of CTC in an encoding:
 *
 *     search_propose(search, over);
 *     ... run and answer each of search_step_count steps ...
 *     search_commit(search);
 *
 * and when all is over
 *
 *     search_finish(search);
 *
 * A proposal that finds nothing to do asks for no steps, and its commit does nothing.
 */
#ifndef DECODER_SEARCH_H
#define DECODER_SEARCH_H

#include "decoder/attention.h"
#include "decoder/decoder.h"

/* Most encodings of a segment. */
enum { SEARCH_MAX_SEGMENT = 1000 };

/* Whether the search uses the attention decoder at all: otherwise keys are not needed. */
bool search_attends(const search *search);

/* One more encoding [dimension], with key [attention] (NULL if the search doesn't attend) and
 * CTC's log-probabilities [ctc_frames, tokens].  All are copied. */
void search_push(search *search, const float *encoding, const float *key, const float *ctc);

/* Begins to decode the next frame of CTC if all that its encoding looks ahead to is there, or
 * `over` waives that. */
void search_propose(search *search, bool over);
/* Steps of the attention decoder that must be run and answered before the commit. */
size_t search_step_count(const search *search);
attention_step search_get_step(const search *search, size_t index);
/* log_probabilities [tokens] */
void search_answer(search *search, size_t index, const float *log_probabilities);
/* At a pause it reports the segment and starts afresh. */
void search_commit(search *search);

/* All that was pushed has been decoded: reports the running segment and starts afresh. */
void search_finish(search *search);

#endif
