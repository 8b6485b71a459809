/*
 * A prefix that was given up stays in proportion to the one it was given up for: from there on they
 * go on alike.  Where a variation of odds r lies alone it has the share r / (1 + r) of its prefix;
 * of those that lie at the same tokens, of odds r_1 ... r_n, each has r_i / (1 + r_1 + ... + r_n).
 * Variations at different tokens are taken to be independent.
 */
#include "decoder/alternatives.h"

#include <math.h>
#include <string.h>

/* One of less is not listed. */
static const double LEAST_SHARE = 0.005;

/* Variations to list, the likeliest first. */
typedef struct selection {
    const variation *variations[ALTERNATIVES_VARIED];
    double odds[ALTERNATIVES_VARIED];
    size_t count;
} selection;

/* Tokens of the hypothesis that lie before frame `end`. */
static size_t tokens_before(const hypothesis *h, uint64_t end)
{
    size_t count = h->length;
    while (count > 0 && h->tokens[count - 1].frame >= end)
        count--;
    return count;
}

static bool same_text(const search_hypothesis *a, const search_token *tokens, size_t count)
{
    if (a->token_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (a->tokens[i].token != tokens[i].token)
            return false;
    return true;
}

/* The index of that text in the list, or count. */
static size_t find(
    const search_hypothesis *list, size_t count, const search_token *tokens, size_t token_count)
{
    size_t i = 0;
    while (i < count && !same_text(&list[i], tokens, token_count))
        i++;
    return i;
}

/* The beam's prefixes, each text once. */
static size_t list_prefixes(
    const beam *b, uint64_t end, size_t max, search_hypothesis *out_hypotheses)
{
    size_t count = 0;
    double best = beam_get(b, 0)->score, sum = 0;
    for (size_t i = 0; i < beam_count(b); i++)
        sum += exp(beam_get(b, i)->score - best);
    for (size_t i = 0; i < beam_count(b); i++) {
        const hypothesis *h = beam_get(b, i);
        float posterior = (float)(exp(h->score - best) / sum);
        size_t tokens = tokens_before(h, end),
               same = find(out_hypotheses, count, h->tokens, tokens);
        if (same < count)
            out_hypotheses[same].posterior += posterior;
        else if (count < max)
            out_hypotheses[count++] = (search_hypothesis){.tokens = h->tokens,
                .token_count = tokens,
                .score = (float)h->score,
                .posterior = posterior};
    }
    return count;
}

/* --- Variations --- */

/* Whether two variations can't both be. */
static bool overlap(const variation *a, const variation *b)
{
    return a->first == b->first || (a->first < b->end && b->first < a->end);
}

static void select_one(selection *s, const variation *v)
{
    double odds = exp(v->log_odds);
    if (odds < LEAST_SHARE)
        return;
    for (size_t i = 0; i < s->count; i++) {
        if (variation_equals(s->variations[i], v)) {
            s->odds[i] = fmax(s->odds[i], odds);
            return;
        }
    }
    size_t i = s->count;
    if (i < ALTERNATIVES_VARIED)
        s->count++;
    else if (odds > s->odds[i - 1])
        i--;
    else
        return;
    for (; i > 0 && odds > s->odds[i - 1]; i--) {
        s->odds[i] = s->odds[i - 1];
        s->variations[i] = s->variations[i - 1];
    }
    s->odds[i] = odds;
    s->variations[i] = v;
}

/* Those of the prefix that lie within its first `tokens` tokens. */
static void select_variations(const beam *b, const hypothesis *h, size_t tokens, selection *out)
{
    const variations *all = beam_variations(b);
    out->count = 0;
    for (uint32_t list = h->variations; list != VARIATIONS_NONE;
         list = variations_rest(all, list)) {
        const variation *v = variations_first(all, list);
        if (v->end <= tokens)
            select_one(out, v);
    }
}

static double share(const selection *s, size_t index)
{
    double odds = 1;
    for (size_t i = 0; i < s->count; i++)
        if (overlap(s->variations[i], s->variations[index]))
            odds += s->odds[i];
    return s->odds[index] / odds;
}

/* Writes the tokens [count], which lie before frame `end`, with the variation's in their place;
 * returns how many, or 0 if there are no frames for them. */
static size_t vary(const search_token *tokens, size_t count, uint64_t end, const variation *v,
    size_t length, search_token *out)
{
    size_t varied = count - (v->end - v->first) + v->count;
    if (varied > length)
        return 0;
    memcpy(out, tokens, v->first * sizeof *out);
    memcpy(out + v->first, v->tokens, v->count * sizeof *out);
    memcpy(out + v->first + v->count, tokens + v->end, (count - v->end) * sizeof *out);
    /* The ending's frames are those of the prefix that was kept: the variation's give way. */
    uint64_t next = v->first + v->count < varied ? out[v->first + v->count].frame : end;
    for (size_t i = v->first + v->count; i-- > v->first; next = out[i].frame) {
        if (next == 0)
            return 0;
        if (out[i].frame >= next)
            out[i].frame = next - 1;
    }
    if (v->count > 0 && v->first > 0 && out[v->first].frame <= out[v->first - 1].frame)
        return 0;
    return varied;
}

/* Where a hypothesis of that posterior belongs; the first stays first. */
static void insert(
    search_hypothesis *list, size_t *count, size_t max, const search_hypothesis *inserted)
{
    size_t i = *count;
    if (i < max)
        (*count)++;
    else if (i > 1 && inserted->posterior > list[i - 1].posterior)
        i--;
    else
        return;
    for (; i > 1 && inserted->posterior > list[i - 1].posterior; i--)
        list[i] = list[i - 1];
    list[i] = *inserted;
}

size_t alternatives_list(const beam *b, uint64_t end, search_token *room, size_t length, size_t max,
    search_hypothesis *out_hypotheses)
{
    size_t count = list_prefixes(b, end, max, out_hypotheses);
    search_hypothesis best = out_hypotheses[0];
    selection chosen;
    select_variations(b, beam_get(b, 0), best.token_count, &chosen);
    for (size_t i = 0; i < chosen.count; i++) {
        double part = share(&chosen, i);
        search_token *tokens = room + i * length;
        size_t varied =
            vary(best.tokens, best.token_count, end, chosen.variations[i], length, tokens);
        if (part < LEAST_SHARE || varied == 0 ||
            find(out_hypotheses, count, tokens, varied) < count)
            continue;
        insert(out_hypotheses, &count, max,
            &(search_hypothesis){.tokens = tokens,
                .token_count = varied,
                .score = best.score + (float)log(chosen.odds[i]),
                .posterior = best.posterior * (float)part,
                .is_variation = true});
    }
    return count;
}
