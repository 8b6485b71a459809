#include "decoder/hypothesis.h"

#include <math.h>
#include <string.h>

static const uint64_t EMPTY_HASH = UINT64_C(0x2545f4914f6cdd1d);

hypothesis hypothesis_empty(search_token *tokens, ngram_state context, size_t slot)
{
    return (hypothesis){.tokens = tokens,
        .hash = EMPTY_HASH,
        .nonblank = -INFINITY,
        .context = context,
        .slot = slot};
}

double hypothesis_log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return low == -INFINITY ? high : high + log1p(exp(low - high));
}

double hypothesis_ctc(const hypothesis *h)
{
    return hypothesis_log_add(h->blank, h->nonblank);
}

double hypothesis_grown(const hypothesis *h, uint32_t token, double log_probability)
{
    return (token == h->last ? h->blank : hypothesis_ctc(h)) + log_probability;
}

/* Any mixing will do: equal hashes are only a reason to compare. */
uint64_t hypothesis_extend_hash(uint64_t hash, uint32_t token)
{
    hash = (hash ^ token) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

uint64_t hypothesis_ending(const hypothesis *h, uint32_t token, size_t count)
{
    uint64_t hash = EMPTY_HASH;
    if (token) {
        hash = hypothesis_extend_hash(hash, token);
        count--;
    }
    for (size_t i = h->length; i > 0 && count > 0; i--, count--)
        hash = hypothesis_extend_hash(hash, h->tokens[i - 1].token);
    return hash;
}

bool hypothesis_begins_with(const hypothesis *h, const search_token *tokens, size_t count)
{
    if (h->length < count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (h->tokens[i].token != tokens[i].token)
            return false;
    return true;
}

bool hypothesis_is_child(const hypothesis *parent, const hypothesis *child)
{
    return child->length == parent->length + 1 && child->parent_hash == parent->hash &&
           hypothesis_begins_with(child, parent->tokens, parent->length);
}

void hypothesis_drop(hypothesis *h, size_t count)
{
    memmove(h->tokens, h->tokens + count, (h->length - count) * sizeof *h->tokens);
    h->length -= count;
    h->hash = EMPTY_HASH;
    h->parent_hash = 0;
    for (size_t i = 0; i < h->length; i++) {
        h->parent_hash = h->hash;
        h->hash = hypothesis_extend_hash(h->hash, h->tokens[i].token);
    }
}
