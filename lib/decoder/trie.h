/*
 * The n-grams of a language model in the model file: one order after the other, the entries of one
 * parent together and rising by token.  Read where they lie.
 *
 *     uint32_t entry = trie_find(trie, order, parent, token);    parent: of order - 1
 *     if (entry != TRIE_ABSENT)
 *         code = trie_probability(trie, order, entry);
 *
 * Order 1 has one entry for each token, in order.  The n-gram (a, b, c) is a's child b's child c.
 * Two layouts, of which a file has one (docs/model.md); orders n = 1..N:
 *
 *   plain    lm.n.token        U16 [count]
 *            lm.n.probability  U8  [count]
 *            lm.n.backoff      U8  [count]        n < N
 *            lm.n.child        I32 [count + 1]    n < N: entry i's children in order n + 1 are the
 *                                                 entries child[i] .. child[i + 1] - 1
 *   packed   lm.n.token        U8 or U16 [count]  1 < n: the token, in U8 less one
 *            lm.n.probability  U8  [count]
 *            lm.n.inner        U8  [8 words]      n < N: a bit per entry, set if it has children
 *            lm.n.backoff      U8  [inner]        n < N: of those that have
 *            lm.n.first        U8  [8 words]      1 < n: a bit per entry, set if it is the first of
 *                                                 its parent's children
 *
 * Bits are numbered from the lowest of the first byte; words = (count + 63) / 64, and what is
 * beyond the count is 0.
 *
 * Immutable, shared by any number of threads; no function but create allocates.
 */
#ifndef DECODER_TRIE_H
#define DECODER_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "nn/weights.h"

typedef struct trie trie;

#define TRIE_ABSENT UINT32_MAX

/* order: 1 at least; tokens: V + 1.  The weights are borrowed until trie_destroy.
 * STENO_ERROR_FORMAT names the tensor that is missing or wrong and where: all of it is checked
 * here, so that look-ups need not. */
steno_status trie_create(
    size_t order, size_t tokens, const nn_weights *weights, trie **out_trie, steno_error *error);
void trie_destroy(trie *trie);

/* Entries of all orders. */
size_t trie_count(const trie *trie);

/* The entry of that order, 2..N, with that parent, an entry of order - 1, and that token; or
 * TRIE_ABSENT. */
uint32_t trie_find(const trie *trie, size_t order, uint32_t parent, uint32_t token);

/* The codes of an entry of that order: 1..N; and 1..N - 1, 0 if it has no back-off. */
unsigned trie_probability(const trie *trie, size_t order, uint32_t entry);
unsigned trie_backoff(const trie *trie, size_t order, uint32_t entry);

#endif
