/* The decoder's maths once more, in double precision and written for reading: single steps, and a
 * search that scores every extension of every prefix before it prunes. */
#ifndef UNIT_DECODER_PLAIN_DECODER_H
#define UNIT_DECODER_PLAIN_DECODER_H

#include "decoder/decoder.h"
#include "support/tiny_ngram.h"

enum { PLAIN_MAX_SIZE = 64, PLAIN_MAX_ENCODINGS = 64, PLAIN_MAX_PREFIXES = 512 };

typedef struct plain plain;

typedef struct plain_state {
    double hidden[PLAIN_MAX_SIZE], cell[PLAIN_MAX_SIZE];
    double alignment[PLAIN_MAX_ENCODINGS]; /* over all encodings */
} plain_state;

plain *plain_create(const decoder_config *config, const nn_weights *weights);
void plain_destroy(plain *p);

/* Of one frame of CTC of an encoding: out [tokens]. */
void plain_ctc(const plain *p, const float *encoding, size_t frame, double *out);

/* encodings [count, dimension], of which low..high are visible; out [tokens]. */
void plain_step(const plain *p, const float *encodings, size_t count, size_t low, size_t high,
    uint32_t token, const plain_state *before, plain_state *after, double *out);

typedef struct plain_prefix {
    uint32_t tokens[PLAIN_MAX_ENCODINGS];
    size_t length;
    double blank, nonblank, attention, lm, score;
    plain_state state;
} plain_prefix;

/* What the language model knows of before: its trie (NULL: none) and the tokens, the first 0. */
typedef struct plain_lm {
    const tiny_ngram *trie;
    uint32_t history[PLAIN_MAX_ENCODINGS];
    size_t length;
} plain_lm;

/* Searches encodings as one segment; prefixes [PLAIN_MAX_PREFIXES] best first; returns how many. */
size_t plain_search(const plain *p, const search_options *options, const plain_lm *lm,
    const float *encodings, size_t count, plain_prefix *prefixes);

/* log(exp(a) + exp(b)) */
double plain_log_add(double a, double b);

#endif
