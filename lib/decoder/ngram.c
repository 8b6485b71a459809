/*
 * Look-ups descend one level: a state holds the entry of each end of the context, so that a token
 * is found behind any of them by one search among its children, and the state behind the token is
 * made of what was found.  Rejected: keeping the last tokens alone and descending from the root for
 * each length, which is quadratic in the order.
 */
#include "decoder/ngram.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct ngram {
    size_t order, tokens;
    double probability_scale, backoff_scale;
    trie *trie;
};

static bool is_scale(double scale)
{
    return isfinite(scale) && scale > 0;
}

steno_status ngram_create(const ngram_config *config, size_t tokens, const nn_weights *weights,
    ngram **out_ngram, steno_error *error)
{
    if (config->order < 1 || config->order > NGRAM_MAX_ORDER)
        return error_set(error, STENO_ERROR_FORMAT, "lm: the order is %zu, allowed are 1..%d",
            config->order, NGRAM_MAX_ORDER);
    if (!is_scale(config->probability_scale) || !is_scale(config->backoff_scale))
        return error_set(error, STENO_ERROR_FORMAT, "lm: a scale is not positive");
    ngram *g = memory_allocate(1, sizeof *g);
    if (!g)
        return error_memory(error);
    *g = (ngram){.order = config->order,
        .tokens = tokens,
        .probability_scale = config->probability_scale,
        .backoff_scale = config->backoff_scale};
    steno_status status = trie_create(config->order, tokens, weights, &g->trie, error);
    if (status != STENO_OK) {
        ngram_destroy(g);
        return status;
    }
    *out_ngram = g;
    return STENO_OK;
}

void ngram_destroy(ngram *g)
{
    if (!g)
        return;
    trie_destroy(g->trie);
    memory_free(g);
}

size_t ngram_count(const ngram *g)
{
    return trie_count(g->trie);
}

static double probability(const ngram *g, size_t order, uint32_t entry)
{
    return -g->probability_scale * trie_probability(g->trie, order, entry);
}

ngram_state ngram_start(const ngram *g)
{
    ngram_state state;
    memset(&state, 0xff, sizeof state); /* all NGRAM_ABSENT */
    ngram_next(g, &state, 0);
    return state;
}

double ngram_score(const ngram *g, const ngram_state *state, uint32_t token)
{
    double score = 0;
    assert(token < g->tokens);
    for (size_t length = g->order - 1; length > 0; length--) {
        uint32_t context = state->entries[length - 1];
        if (context == NGRAM_ABSENT)
            continue;
        uint32_t found = trie_find(g->trie, length + 1, context, token);
        if (found != TRIE_ABSENT)
            return score + probability(g, length + 1, found);
        score -= g->backoff_scale * trie_backoff(g->trie, length, context);
    }
    return score + probability(g, 1, token);
}

void ngram_next(const ngram *g, ngram_state *state, uint32_t token)
{
    assert(token < g->tokens);
    /* The longest first: each is made of what was one shorter. */
    for (size_t length = g->order - 1; length > 1; length--) {
        uint32_t context = state->entries[length - 2];
        state->entries[length - 1] =
            context == NGRAM_ABSENT ? NGRAM_ABSENT : trie_find(g->trie, length, context, token);
    }
    if (g->order > 1)
        state->entries[0] = token; /* order 1 has them all */
}
