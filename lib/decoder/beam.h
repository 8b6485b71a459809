/*
 * The beam: the surviving token prefixes of one stream and one frame's worth of their growth.
 * Pure bookkeeping: it is given CTC's log-probabilities, says which prefixes the attention decoder
 * must step, is given the answers, and prunes.
 *
 *     beam_propose(beam, ctc, frame);
 *     for (i = 0; i < beam_step_count(beam); i++)
 *         ... run beam_get_step(beam, i) ...; beam_answer(beam, i, log_probabilities);
 *     beam_commit(beam);
 */
#ifndef DECODER_BEAM_H
#define DECODER_BEAM_H

#include "decoder/hypothesis.h"
#include "decoder/variations.h"

/* Of prefixes that end in the same so many tokens only the best one is kept. */
enum { BEAM_MERGED_ENDING = 7 };

typedef struct beam_options {
    size_t width;      /* prefixes kept */
    size_t tokens;     /* V + 1 */
    size_t max_length; /* most tokens of a prefix: one per frame between restarts */
    double ctc_weight, attention_weight, token_bonus;
    double token_threshold; /* probability */
    double margin;          /* prefixes that score so much below the best are dropped */
    const phrases *phrases; /* NULL: none */
    const ngram *lm;        /* NULL: none */
    double lm_weight;
} beam_options;

/* The attention decoder reads `token` in the state of slot `before`, leaving slot `after`. */
typedef struct beam_step {
    size_t parent; /* index of the hypothesis */
    uint32_t token;
    size_t before, after;
} beam_step;

/* Slot that always holds the state of a segment's start; slots are 0 .. beam_slots - 1. */
enum { BEAM_START_SLOT = 0 };

typedef struct beam beam;

/* Slots that a beam of that width needs. */
size_t beam_slots(size_t width);

steno_status beam_create(const beam_options *options, beam **out_beam, steno_error *error);
void beam_destroy(beam *beam);
/* One hypothesis: the empty prefix, at the start of a stream. */
void beam_restart(beam *beam);
/* The same where the stream goes on after the best hypothesis: its tokens stay the language
 * model's context. */
void beam_continue(beam *beam);

/* ctc [tokens]: log-probabilities at `frame`; kept by the beam. */
void beam_propose(beam *beam, const float *ctc, uint64_t frame);
size_t beam_step_count(const beam *beam);
beam_step beam_get_step(const beam *beam, size_t index);
/* log_probabilities [tokens] of what follows the step's token. */
void beam_answer(beam *beam, size_t index, const float *log_probabilities);
void beam_commit(beam *beam);
/* The text ends: phrases that are complete keep their credit, those under way lose it. */
void beam_end(beam *beam);

/* At least 1, best first. */
size_t beam_count(const beam *beam);
const hypothesis *beam_get(const beam *beam, size_t index);
/* Where prefixes differed that were given up for those with the same ending: the lists of the
 * hypotheses. */
const variations *beam_variations(const beam *beam);

/* Drops the first `count` tokens of the best hypothesis, which lie before frame `end`, from
 * all hypotheses.  Those that do not begin with them, or have more tokens before `end`, are
 * dropped whole.  Scores count from the best hypothesis on. */
void beam_cut(beam *beam, size_t count, uint64_t end);

#endif
