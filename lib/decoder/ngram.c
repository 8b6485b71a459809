/*
 * Look-ups descend one level: a state holds the entry of each end of the context, so that a token
 * is found behind any of them by one binary search among its children, and the state behind the
 * token is made of what was found.  Rejected: keeping the last tokens alone and descending from
 * the root for each length, which is quadratic in the order.
 *
 * The arrays stay in the mapped file, at any alignment, so elements are copied out one by one.
 */
#include "decoder/ngram.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* One order; child and backoff are NULL in the last. */
typedef struct level {
    const unsigned char *token, *probability, *backoff, *child;
    uint32_t count;
} level;

struct ngram {
    size_t order;
    double probability_scale, backoff_scale;
    level levels[NGRAM_MAX_ORDER];
};

static uint32_t token_at(const level *l, uint32_t entry)
{
    uint16_t token;
    memcpy(&token, l->token + entry * sizeof token, sizeof token);
    return token;
}

static int32_t child_at(const level *l, uint32_t entry)
{
    int32_t child;
    memcpy(&child, l->child + entry * sizeof child, sizeof child);
    return child;
}

/* --- Loading --- */

/* The tensor lm.N.WHAT, which must be of that type and one-dimensional. */
static steno_status find_tensor(const nn_weights *weights, size_t order, const char *what,
    nn_type type, const char *type_name, const nn_tensor **out_tensor, steno_error *error)
{
    char name[32];
    snprintf(name, sizeof name, "lm.%zu.%s", order, what);
    const nn_tensor *tensor = nn_weights_get(weights, name);
    if (!tensor)
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s is not in the file", name);
    if (tensor->type != type || tensor->rank != 1)
        return error_set(
            error, STENO_ERROR_FORMAT, "tensor %s: should be %s of one dimension", name, type_name);
    *out_tensor = tensor;
    return STENO_OK;
}

static steno_status find_column(const nn_weights *weights, size_t order, const char *what,
    nn_type type, const char *type_name, size_t count, const unsigned char **out_data,
    steno_error *error)
{
    const nn_tensor *tensor = NULL;
    steno_status status = find_tensor(weights, order, what, type, type_name, &tensor, error);
    if (status != STENO_OK)
        return status;
    if (tensor->shape[0] != count)
        return error_set(error, STENO_ERROR_FORMAT, "tensor lm.%zu.%s: %zu elements, should be %zu",
            order, what, tensor->shape[0], count);
    *out_data = tensor->data;
    return STENO_OK;
}

static steno_status find_level(
    const nn_weights *weights, size_t order, bool last, level *out, steno_error *error)
{
    const nn_tensor *token = NULL;
    steno_status status = find_tensor(weights, order, "token", NN_U16, "U16", &token, error);
    if (status != STENO_OK)
        return status;
    if (token->shape[0] >= INT32_MAX)
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s: too large", token->name);
    size_t count = token->shape[0];
    *out = (level){.token = token->data, .count = (uint32_t)count};
    status =
        find_column(weights, order, "probability", NN_U8, "U8", count, &out->probability, error);
    if (status == STENO_OK && !last)
        status = find_column(weights, order, "backoff", NN_U8, "U8", count, &out->backoff, error);
    if (status == STENO_OK && !last)
        status = find_column(weights, order, "child", NN_I32, "I32", count + 1, &out->child, error);
    return status;
}

static steno_status check_first(const level *first, size_t tokens, steno_error *error)
{
    if (first->count != tokens)
        return error_set(error, STENO_ERROR_FORMAT, "tensor lm.1.token: %u elements, should be %zu",
            (unsigned)first->count, tokens);
    for (uint32_t i = 0; i < first->count; i++)
        if (token_at(first, i) != i)
            return error_set(error, STENO_ERROR_FORMAT, "tensor lm.1.token: %u at %u",
                (unsigned)token_at(first, i), (unsigned)i);
    return STENO_OK;
}

/* Every entry of `below` has its parent, and those of one parent rise by token. */
static steno_status check_children(
    const level *l, const level *below, size_t order, size_t tokens, steno_error *error)
{
    if (child_at(l, 0) != 0 || child_at(l, l->count) != (int32_t)below->count)
        return error_set(error, STENO_ERROR_FORMAT,
            "tensor lm.%zu.child: runs from %d to %d, should from 0 to %u", order,
            (int)child_at(l, 0), (int)child_at(l, l->count), (unsigned)below->count);
    /* Rising from 0 to the count, so all lie between. */
    for (uint32_t i = 0; i < l->count; i++)
        if (child_at(l, i) > child_at(l, i + 1))
            return error_set(error, STENO_ERROR_FORMAT, "tensor lm.%zu.child: falls after %u",
                order, (unsigned)i);
    for (uint32_t i = 0; i < l->count; i++) {
        uint32_t begin = (uint32_t)child_at(l, i), end = (uint32_t)child_at(l, i + 1);
        for (uint32_t k = begin; k < end; k++)
            if (token_at(below, k) >= tokens ||
                (k > begin && token_at(below, k) <= token_at(below, k - 1)))
                return error_set(error, STENO_ERROR_FORMAT, "tensor lm.%zu.token: %u at %u is %s",
                    order + 1, (unsigned)token_at(below, k), (unsigned)k,
                    token_at(below, k) >= tokens ? "no token" : "out of order");
    }
    return STENO_OK;
}

static bool is_scale(double scale)
{
    return isfinite(scale) && scale > 0;
}

static steno_status load(const ngram_config *config, size_t tokens, const nn_weights *weights,
    ngram *g, steno_error *error)
{
    if (config->order < 1 || config->order > NGRAM_MAX_ORDER)
        return error_set(error, STENO_ERROR_FORMAT, "lm: the order is %zu, allowed are 1..%d",
            config->order, NGRAM_MAX_ORDER);
    if (!is_scale(config->probability_scale) || !is_scale(config->backoff_scale))
        return error_set(error, STENO_ERROR_FORMAT, "lm: a scale is not positive");
    g->order = config->order;
    g->probability_scale = config->probability_scale;
    g->backoff_scale = config->backoff_scale;
    steno_status status = STENO_OK;
    for (size_t i = 0; i < g->order && status == STENO_OK; i++)
        status = find_level(weights, i + 1, i + 1 == g->order, &g->levels[i], error);
    if (status == STENO_OK)
        status = check_first(&g->levels[0], tokens, error);
    for (size_t i = 0; i + 1 < g->order && status == STENO_OK; i++)
        status = check_children(&g->levels[i], &g->levels[i + 1], i + 1, tokens, error);
    return status;
}

steno_status ngram_create(const ngram_config *config, size_t tokens, const nn_weights *weights,
    ngram **out_ngram, steno_error *error)
{
    ngram *g = memory_allocate(1, sizeof *g);
    if (!g)
        return error_memory(error);
    steno_status status = load(config, tokens, weights, g, error);
    if (status != STENO_OK) {
        ngram_destroy(g);
        return status;
    }
    *out_ngram = g;
    return STENO_OK;
}

void ngram_destroy(ngram *g)
{
    memory_free(g);
}

size_t ngram_count(const ngram *g)
{
    size_t count = 0;
    for (size_t i = 0; i < g->order; i++)
        count += g->levels[i].count;
    return count;
}

/* --- Look-ups --- */

/* The child `token` of an entry in levels[index], in the level below it. */
static uint32_t find_child(const ngram *g, size_t index, uint32_t entry, uint32_t token)
{
    const level *l = &g->levels[index], *below = l + 1;
    uint32_t low = (uint32_t)child_at(l, entry), end = (uint32_t)child_at(l, entry + 1);
    uint32_t high = end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (token_at(below, middle) < token)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && token_at(below, low) == token ? low : NGRAM_ABSENT;
}

static double probability(const ngram *g, size_t index, uint32_t entry)
{
    return -g->probability_scale * g->levels[index].probability[entry];
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
    assert(token < g->levels[0].count);
    for (size_t length = g->order - 1; length > 0; length--) {
        uint32_t context = state->entries[length - 1];
        if (context == NGRAM_ABSENT)
            continue;
        uint32_t found = find_child(g, length - 1, context, token);
        if (found != NGRAM_ABSENT)
            return score + probability(g, length, found);
        score -= g->backoff_scale * g->levels[length - 1].backoff[context];
    }
    return score + probability(g, 0, token);
}

void ngram_next(const ngram *g, ngram_state *state, uint32_t token)
{
    assert(token < g->levels[0].count);
    /* The longest first: each is made of what was one shorter. */
    for (size_t length = g->order - 1; length > 1; length--) {
        uint32_t context = state->entries[length - 2];
        state->entries[length - 1] =
            context == NGRAM_ABSENT ? NGRAM_ABSENT : find_child(g, length - 2, context, token);
    }
    if (g->order > 1)
        state->entries[0] = token; /* order 1 has them all */
}
