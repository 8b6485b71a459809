/*
 * A small n-gram language model as a model file holds it, and its probabilities computed the plain
 * way.
 *
 *     tiny_ngram *trie = tiny_ngram_random(12, 4, 1);
 *     void *bytes = tiny_ngram_write(trie, &size);       or config.lm = trie of a tiny model
 *     expected = tiny_ngram_score(trie, (uint32_t[]){0, 5}, 2, 7);
 *     free(bytes);
 *     tiny_ngram_destroy(trie);
 *
 * Tests may fill the arrays by themselves, rightly or not.  Memory comes from the C library.
 */
#ifndef SUPPORT_TINY_NGRAM_H
#define SUPPORT_TINY_NGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TINY_NGRAM_MAX_ORDER = 8, TINY_NGRAM_MAX_TENSORS = 5 * TINY_NGRAM_MAX_ORDER };

/* Arrays by order less 1: lib/decoder/trie.h has their meaning.  With `packed` the file has what is
 * in `pack`, and the rest is what it stands for. */
typedef struct tiny_ngram {
    size_t tokens; /* V + 1 */
    size_t order;
    double probability_scale, backoff_scale;
    size_t count[TINY_NGRAM_MAX_ORDER];
    uint16_t *token[TINY_NGRAM_MAX_ORDER];
    uint8_t *probability[TINY_NGRAM_MAX_ORDER], *backoff[TINY_NGRAM_MAX_ORDER];
    int32_t *child[TINY_NGRAM_MAX_ORDER];
    bool packed, narrow;
    struct {
        uint8_t *token[TINY_NGRAM_MAX_ORDER]; /* if narrow */
        uint64_t *inner[TINY_NGRAM_MAX_ORDER], *first[TINY_NGRAM_MAX_ORDER];
        uint8_t *backoff[TINY_NGRAM_MAX_ORDER];
        size_t inner_count[TINY_NGRAM_MAX_ORDER];
    } pack;
} tiny_ngram;

/* Each entry has about a third of the tokens as children, so that contexts are there without their
 * ends, and the other way round. */
tiny_ngram *tiny_ngram_random(size_t tokens, size_t order, uint64_t seed);
/* The same in the packed layout; without token 0 behind another if narrow. */
tiny_ngram *tiny_ngram_random_packed(size_t tokens, size_t order, uint64_t seed, bool narrow);
/* Fills `pack`, once the rest is there: back-offs of entries without children become 0.  What it
 * allocates is freed by tiny_ngram_unpack. */
void tiny_ngram_pack(tiny_ngram *trie, bool narrow);
void tiny_ngram_unpack(tiny_ngram *trie);
/* What tiny_ngram_random or tiny_ngram_random_packed made. */
void tiny_ngram_destroy(tiny_ngram *trie);

/* The natural logarithm of a token's probability after context [length], the oldest first. */
double tiny_ngram_score(
    const tiny_ngram *trie, const uint32_t *context, size_t length, uint32_t token);

/* A tensor of one dimension. */
typedef struct tiny_tensor {
    char name[32];
    const char *type;
    size_t count, size; /* elements, bytes */
    const void *bytes;
} tiny_tensor;

/* The tensors of the trie; returns how many. */
size_t tiny_ngram_tensors(const tiny_ngram *trie, tiny_tensor out[TINY_NGRAM_MAX_TENSORS]);
/* The metadata "lm". */
void tiny_ngram_describe(const tiny_ngram *trie, char *out, size_t size);
/* A file of these tensors alone, to be freed with free(); *out_size: its bytes. */
void *tiny_ngram_write(const tiny_ngram *trie, size_t *out_size);

#endif
