/*
 * The language model: a back-off n-gram over the model's tokens, kept as a trie in the model file
 * and read where it lies.
 *
 *     ngram_state state = ngram_start(ngram);
 *     sum += ngram_score(ngram, &state, token);
 *     ngram_next(ngram, &state, token);
 *
 * How the arrays lie is trie.h's matter; the codes in them are ln p = -code * probability_scale,
 * and likewise for back-offs.  Token 0 is the start of a text in a context; after one it is the
 * text's end, which a file may leave out, as the search does not ask for it.
 *
 * Immutable, shared by any number of threads; no function but create allocates.
 */
#ifndef DECODER_NGRAM_H
#define DECODER_NGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "decoder/trie.h"
#include "nn/weights.h"

enum { NGRAM_MAX_ORDER = 8 };

typedef struct ngram_config {
    size_t order;                            /* N, 1..NGRAM_MAX_ORDER; 0: there is no n-gram */
    double probability_scale, backoff_scale; /* positive */
} ngram_config;

typedef struct ngram ngram;

/* What came before, as far as it counts: for each k the entry of the last k + 1 tokens in order
 * k + 1, or NGRAM_ABSENT. */
typedef struct ngram_state {
    uint32_t entries[NGRAM_MAX_ORDER - 1];
} ngram_state;

#define NGRAM_ABSENT TRIE_ABSENT

/* tokens: V + 1.  The weights are borrowed until ngram_destroy.  STENO_ERROR_FORMAT names the
 * tensor that is missing or wrong and where: every child and every token is checked here, so that
 * look-ups need not. */
steno_status ngram_create(const ngram_config *config, size_t tokens, const nn_weights *weights,
    ngram **out_ngram, steno_error *error);
void ngram_destroy(ngram *ngram);

/* Entries of all orders. */
size_t ngram_count(const ngram *ngram);

/* Before the first token of a text. */
ngram_state ngram_start(const ngram *ngram);
/* The natural logarithm, 0 at most, of a token's (0..V) probability: of the longest context that
 * has the token, after the back-offs of the longer ones; contexts that are not in the trie have
 * back-off 1 (Katz 1987). */
double ngram_score(const ngram *ngram, const ngram_state *state, uint32_t token);
/* Moves the state behind the token. */
void ngram_next(const ngram *ngram, ngram_state *state, uint32_t token);

#endif
