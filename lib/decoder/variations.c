#include "decoder/variations.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* The same comes again and again while its parent lives, so it is looked for among the newest. */
enum { LOOK_BACK = 8 };

typedef struct node {
    variation variation;
    uint32_t holders; /* prefixes, and nodes before it in a list */
    uint32_t rest;    /* the list behind it; while unused: the next unused node */
} node;

struct variations {
    node *nodes; /* [count]; 0 is VARIATIONS_NONE */
    size_t count;
    uint32_t unused; /* the first of them, or VARIATIONS_NONE */
};

steno_status variations_create(size_t count, variations **out_variations, steno_error *error)
{
    variations *v = memory_allocate(1, sizeof *v);
    if (!v)
        return error_memory(error);
    v->count = count + 1;
    v->nodes = memory_allocate(v->count, sizeof *v->nodes);
    if (!v->nodes) {
        memory_free(v);
        return error_memory(error);
    }
    variations_clear(v);
    *out_variations = v;
    return STENO_OK;
}

void variations_destroy(variations *v)
{
    if (!v)
        return;
    memory_free(v->nodes);
    memory_free(v);
}

void variations_clear(variations *v)
{
    for (size_t i = 0; i < v->count; i++)
        v->nodes[i].rest = (uint32_t)(i + 1 < v->count ? i + 1 : VARIATIONS_NONE);
    v->unused = v->nodes[VARIATIONS_NONE].rest;
}

void variations_hold(variations *v, uint32_t list)
{
    if (list != VARIATIONS_NONE)
        v->nodes[list].holders++;
}

void variations_release(variations *v, uint32_t list)
{
    while (list != VARIATIONS_NONE && --v->nodes[list].holders == 0) {
        uint32_t rest = v->nodes[list].rest;
        v->nodes[list].rest = v->unused;
        v->unused = list;
        list = rest;
    }
}

/* Where two texts differ: from their first difference to where what they end with alike begins. */
static variation difference(
    const search_token *kept, size_t kept_count, const search_token *lost, size_t lost_count)
{
    size_t shorter = kept_count < lost_count ? kept_count : lost_count, first = 0, same = 0;
    while (first < shorter && kept[first].token == lost[first].token)
        first++;
    while (same < shorter - first &&
           kept[kept_count - 1 - same].token == lost[lost_count - 1 - same].token)
        same++;
    return (variation){
        .first = first, .end = kept_count - same, .count = lost_count - same - first};
}

bool variation_equals(const variation *a, const variation *b)
{
    if (a->first != b->first || a->end != b->end || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->tokens[i].token != b->tokens[i].token)
            return false;
    return true;
}

/* The same one among the list's newest, or NULL. */
static variation *find(variations *v, uint32_t list, const variation *wanted)
{
    for (int i = 0; i < LOOK_BACK && list != VARIATIONS_NONE; i++, list = v->nodes[list].rest)
        if (variation_equals(&v->nodes[list].variation, wanted))
            return &v->nodes[list].variation;
    return NULL;
}

uint32_t variations_add(variations *v, uint32_t list, const search_token *kept, size_t kept_count,
    const search_token *lost, size_t lost_count, double log_odds)
{
    variation added = difference(kept, kept_count, lost, lost_count);
    if (added.count > VARIATION_TOKENS)
        return list;
    memcpy(added.tokens, lost + added.first, added.count * sizeof *lost);
    added.log_odds = log_odds;
    variation *known = find(v, list, &added);
    if (known) {
        known->log_odds = fmax(known->log_odds, log_odds);
        return list;
    }
    uint32_t taken = v->unused;
    if (taken == VARIATIONS_NONE)
        return list;
    v->unused = v->nodes[taken].rest;
    /* The holder's claim on the list passes to the new node. */
    v->nodes[taken] = (node){.variation = added, .holders = 1, .rest = list};
    return taken;
}

void variations_cut(variations *v, size_t count)
{
    for (size_t i = 1; i < v->count; i++) {
        variation *one = &v->nodes[i].variation;
        if (one->first < count) {
            *one = (variation){.log_odds = -INFINITY};
        } else {
            one->first -= count;
            one->end -= count;
        }
    }
}

const variation *variations_first(const variations *v, uint32_t list)
{
    assert(list != VARIATIONS_NONE);
    return &v->nodes[list].variation;
}

uint32_t variations_rest(const variations *v, uint32_t list)
{
    assert(list != VARIATIONS_NONE);
    return v->nodes[list].rest;
}
