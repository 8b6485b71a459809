/*
 * Runs: the words of a hypothesis as runs of its tokens, with the frames they cover, their
 * tokens' probability and the support they have among competing hypotheses.  A run refers to its
 * hypothesis' tokens and owns no text, so competing hypotheses cost a few dozen bytes a word.
 */
#ifndef TRANSCRIPT_RUNS_H
#define TRANSCRIPT_RUNS_H

#include "transcript/transcript.h"

typedef struct word_run {
    uint64_t first, last;        /* frames of the first and last token, first <= last */
    uint32_t token, token_count; /* the tokens: [token, token + token_count) */
    float probability;           /* geometric mean over the tokens, 0..1 */
    float support;               /* weights of the hypotheses that contain the word, summed */
} word_run;

/* Any float as a probability: not-a-number is 0, the rest is clipped to 0..1. */
float runs_probability(float value);

/* Splits a hypothesis into words with zero support; out_words has room for token_count.  Returns
 * how many, at most token_count. */
size_t runs_split(const transcript_hypothesis *hypothesis, word_run *out_words);

/* Bytes of a word's text, without a terminator; never 0. */
size_t runs_length(const transcript_hypothesis *hypothesis, const word_run *word);
/* Writes these bytes, unterminated. */
void runs_write(const transcript_hypothesis *hypothesis, const word_run *word, char *out_text);

/* Whether two hypotheses read the same. */
bool runs_same(const transcript_hypothesis *a, const word_run *a_words, size_t a_count,
    const transcript_hypothesis *b, const word_run *b_words, size_t b_count);

/* How much one of the hypotheses [count] given together counts: its posterior, of the first one
 * what its variations leave of it, which may be less than nothing. */
float runs_weight(const transcript_hypothesis *hypotheses, size_t count, size_t index);

/* Adds a weight to the support of those words of a hypothesis that `other` contains. */
void runs_add_support(const transcript_hypothesis *hypothesis, word_run *words, size_t count,
    const transcript_hypothesis *other, const word_run *other_words, size_t other_count,
    float weight);

/* Of a word whose support is complete: 0..1. */
float runs_confidence(const word_run *word);

#endif
