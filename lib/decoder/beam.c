/*
 * CTC prefix beam search (Graves 2012; Hannun et al. 2014, arXiv 1408.2873) with the attention
 * decoder's score joined in where a prefix is born.
 *
 * A prefix keeps the probabilities of its alignments that end in blank and in its last token.  At
 * each frame it stays (blank, or its last token again), and it grows: by a token into a prefix
 * that is in the beam already, to which it adds its probability, or into a new one.  New ones need
 * the attention decoder: their parents make one step each, which answers for all next tokens.
 *
 * Steps are what costs, so a new prefix is first ranked by an upper bound, its score with the
 * attention decoder fully agreeing (log-probability 0).  What is no better by that than the worst
 * of a full beam of staying prefixes can't survive and is not looked at; of the rest at most two
 * beams are.  With CTC alone nothing is lost by that, as the bound is the score.
 *
 * Two prefixes that end in the same BEAM_MERGED_ENDING tokens go on alike: the language model's
 * context is the same, and what the attention decoder still knows of the tokens before tells good
 * from bad no more than chance does (docs/measurements.md).  So only the better one is kept, which
 * leaves room for prefixes that differ where it counts, and where the other differed is remembered
 * as a variation.
 *
 * Each hypothesis owns an array of its tokens, copied when one grows from another: a copy of a few
 * hundred bytes at every frame, where a tree with shared nodes would have to settle whose
 * frame a shared token was best heard at.  Two sets of arrays take turns.
 *
 * The language model's part of a score depends on the tokens alone and is cheap, so it is in the
 * bound already.
 *
 * A token's time is the frame where it was most probable within the emission that dominates
 * the prefix's probability; when a later emission takes over (an extension outweighs all earlier
 * ones) the times of the parent then hold for the tokens before it.  So the times of one
 * hypothesis strictly rise.
 */
#include "decoder/beam.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decoder/ranking.h"

enum {
    EXTENSIONS_PER_PREFIX = 2,
    VARIATIONS_PER_PREFIX = 8,
    NOBODY = -1,
};

/* A prefix that is given up is remembered if it was e^-5 times as likely as the one kept. */
static const double LEAST_LOG_ODDS = -5;

/* At a blank of this probability the other tokens together can't matter: prefixes only stay. */
static const double CERTAIN_BLANK = 0.999;

/* What becomes of a prefix that stays. */
typedef struct stay {
    double blank, nonblank;
    int grown_from; /* parent whose extension outweighs all that was in the beam, or NOBODY */
} stay;

/* A new prefix: hypothesis `parent` and one more token. */
typedef struct extension {
    size_t parent;
    uint32_t token;
    double nonblank;
    double lm;
    phrase_state phrase;
    double credit;
    double attention; /* before the answer: the parent's, an upper bound */
    double score;
    size_t slot;
} extension;

struct beam {
    beam_options options;
    double log_threshold, log_certain_blank;
    search_token *tokens;   /* [2 width, max_length], shared out to the hypotheses */
    hypothesis *now, *next; /* [width] each */
    uint32_t *references;   /* [slots] */
    size_t slots;
    stay *stays;           /* [width] */
    uint32_t *candidates;  /* [tokens]: those above the threshold */
    extension *extensions; /* [EXTENSIONS_PER_PREFIX width], by bound */
    beam_step *steps;      /* [width] */
    ranking ranking;       /* stays by their index, then extensions */
    variations *variations;

    /* Cleared by restart. */
    size_t count;
    const float *ctc;
    uint64_t frame;
    bool staying; /* the proposal was no more than a blank, and is done */
    size_t extension_count;
    size_t step_count;
};

static double weigh(
    const beam *b, double ctc, double attention, double lm, double credit, size_t length)
{
    const beam_options *o = &b->options;
    /* A weight of 0 stands for a part that is not computed, whatever its value. */
    double score = o->token_bonus * (double)length;
    if (o->ctc_weight != 0)
        score += o->ctc_weight * ctc;
    if (o->attention_weight != 0)
        score += o->attention_weight * attention;
    if (o->lm)
        score += o->lm_weight * lm;
    return score + credit;
}

size_t beam_slots(size_t width)
{
    return 1 + 2 * width; /* the start, one per hypothesis and one per step */
}

steno_status beam_create(const beam_options *options, beam **out_beam, steno_error *error)
{
    beam *b = memory_allocate(1, sizeof *b);
    if (!b)
        return error_memory(error);
    size_t width = options->width, extensions = EXTENSIONS_PER_PREFIX * width;
    b->options = *options;
    b->log_threshold = log(options->token_threshold);
    b->log_certain_blank = log(CERTAIN_BLANK);
    b->slots = beam_slots(width);
    b->tokens = memory_allocate(2 * width * options->max_length, sizeof *b->tokens);
    b->now = memory_allocate(width, sizeof *b->now);
    b->next = memory_allocate(width, sizeof *b->next);
    b->references = memory_allocate(b->slots, sizeof *b->references);
    b->stays = memory_allocate(width, sizeof *b->stays);
    b->candidates = memory_allocate(options->tokens, sizeof *b->candidates);
    b->extensions = memory_allocate(extensions, sizeof *b->extensions);
    b->steps = memory_allocate(width, sizeof *b->steps);
    steno_status status = STENO_OK;
    if (!b->tokens || !b->now || !b->next || !b->references || !b->stays || !b->candidates ||
        !b->extensions || !b->steps)
        status = error_memory(error);
    if (status == STENO_OK)
        status = ranking_create(width + extensions, &b->ranking, error);
    if (status == STENO_OK)
        status = variations_create(VARIATIONS_PER_PREFIX * width, &b->variations, error);
    if (status != STENO_OK) {
        beam_destroy(b);
        return status;
    }
    for (size_t i = 0; i < width; i++) {
        b->now[i].tokens = b->tokens + i * options->max_length;
        b->next[i].tokens = b->tokens + (width + i) * options->max_length;
    }
    beam_restart(b);
    *out_beam = b;
    return STENO_OK;
}

void beam_destroy(beam *b)
{
    if (!b)
        return;
    memory_free(b->tokens);
    memory_free(b->now);
    memory_free(b->next);
    memory_free(b->references);
    memory_free(b->stays);
    memory_free(b->candidates);
    memory_free(b->extensions);
    memory_free(b->steps);
    ranking_destroy(&b->ranking);
    variations_destroy(b->variations);
    memory_free(b);
}

static void restart(beam *b, ngram_state context)
{
    memset(b->references, 0, b->slots * sizeof *b->references);
    b->references[BEAM_START_SLOT] = 2; /* never free: one more than the prefix below has */
    variations_clear(b->variations);
    b->now[0] = hypothesis_empty(b->now[0].tokens, context, BEAM_START_SLOT);
    b->count = 1;
    b->ctc = NULL;
    b->frame = 0;
    b->staying = true;
    b->extension_count = 0;
    b->step_count = 0;
}

void beam_restart(beam *b)
{
    restart(b, b->options.lm ? ngram_start(b->options.lm) : (ngram_state){{0}});
}

void beam_continue(beam *b)
{
    restart(b, b->now[0].context);
}

/* The language model's log-probability of a prefix and one more token. */
static double extend_lm(const beam *b, const hypothesis *h, uint32_t token)
{
    return b->options.lm ? h->lm + ngram_score(b->options.lm, &h->context, token) : 0;
}

/* Where a prefix is in the phrases after one more token, and the credit for it. */
static double extend_phrase(
    const beam *b, const hypothesis *h, uint32_t token, phrase_state *out_state)
{
    *out_state = h->phrase;
    if (!b->options.phrases)
        return 0;
    *out_state = phrases_step(b->options.phrases, h->phrase, token, h->last == 0);
    return phrases_credit(b->options.phrases, *out_state);
}

/* --- Proposing --- */

/* An unused slot, with one reference for the step that fills it.  There is always one: at most
 * width slots belong to hypotheses and width to steps. */
static size_t take_slot(beam *b)
{
    size_t slot = BEAM_START_SLOT + 1;
    while (b->references[slot] != 0) {
        slot++;
        assert(slot < b->slots);
    }
    b->references[slot] = 1;
    return slot;
}

static void propose_stay(beam *b, size_t index)
{
    const hypothesis *h = &b->now[index];
    stay *st = &b->stays[index];
    st->blank = hypothesis_ctc(h) + (double)b->ctc[0];
    st->nonblank = h->last == 0 ? -INFINITY : h->nonblank + (double)b->ctc[h->last];
    st->grown_from = NOBODY;
    for (size_t i = 0; i < b->count && h->length > 0; i++) {
        if (!hypothesis_is_child(&b->now[i], h))
            continue;
        double growth = hypothesis_grown(&b->now[i], h->last, (double)b->ctc[h->last]);
        if (growth > hypothesis_log_add(st->blank, st->nonblank))
            st->grown_from = (int)i;
        st->nonblank = hypothesis_log_add(st->nonblank, growth);
        break; /* prefixes are unique, so the parent is */
    }
}

/* Whether parent grown by token is in the beam; propose_stay saw to it then. */
static bool exists(const beam *b, size_t parent, uint32_t token)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->now[i].last == token && hypothesis_is_child(&b->now[parent], &b->now[i]))
            return true;
    return false;
}

/* A hash of what decides how a prefix and one more token (0: none more) goes on. */
static uint64_t ending_of(const hypothesis *h, uint32_t token, phrase_state phrase)
{
    return hypothesis_ending(h, token, BEAM_MERGED_ENDING) ^ phrase.node;
}

/* Ranks all prefixes that stay. */
static void rank_stays(beam *b)
{
    ranking_clear(&b->ranking);
    for (size_t i = 0; i < b->count; i++) {
        const hypothesis *h = &b->now[i];
        double ctc = hypothesis_log_add(b->stays[i].blank, b->stays[i].nonblank);
        ranking_add(
            &b->ranking, (place){.score = weigh(b, ctc, h->attention, h->lm, h->credit, h->length),
                             .index = i,
                             .ending = ending_of(h, 0, h->phrase)});
    }
}

/* What an extension must score more than to have a chance: the margin below the best staying
 * prefix, and the worst staying one if these alone fill the beam. */
static double floor_of_stays(beam *b)
{
    rank_stays(b);
    const place *places = b->ranking.places;
    double floor = places[0].score - b->options.margin;
    double worst = places[b->count - 1].score;
    return b->count == b->options.width && worst > floor ? worst : floor;
}

/* Keeps the extension if it is among the best so far. */
static void offer(beam *b, const extension *offered)
{
    size_t i = b->extension_count;
    if (i < EXTENSIONS_PER_PREFIX * b->options.width)
        b->extension_count++;
    else if (offered->score > b->extensions[i - 1].score)
        i--;
    else
        return;
    for (; i > 0 && offered->score > b->extensions[i - 1].score; i--)
        b->extensions[i] = b->extensions[i - 1];
    b->extensions[i] = *offered;
}

static void propose_extensions(beam *b, size_t parent, size_t candidates, double floor)
{
    const hypothesis *h = &b->now[parent];
    if (h->length == b->options.max_length)
        return;
    for (size_t i = 0; i < candidates; i++) {
        uint32_t token = b->candidates[i];
        double nonblank = hypothesis_grown(h, token, (double)b->ctc[token]);
        phrase_state phrase;
        double credit = extend_phrase(b, h, token, &phrase);
        /* Even if the language model were certain of it? */
        if (!(weigh(b, nonblank, h->attention, h->lm, credit, h->length + 1) > floor))
            continue;
        double lm = extend_lm(b, h, token);
        double bound = weigh(b, nonblank, h->attention, lm, credit, h->length + 1);
        if (nonblank > -INFINITY && bound > floor && !exists(b, parent, token))
            offer(b, &(extension){.parent = parent,
                         .token = token,
                         .nonblank = nonblank,
                         .lm = lm,
                         .phrase = phrase,
                         .credit = credit,
                         .attention = h->attention,
                         .score = bound,
                         .slot = BEAM_START_SLOT});
    }
}

/* One step for each parent of an extension. */
static void propose_steps(beam *b)
{
    for (size_t i = 0; i < b->extension_count; i++) {
        size_t parent = b->extensions[i].parent, step = 0;
        while (step < b->step_count && b->steps[step].parent != parent)
            step++;
        if (step == b->step_count)
            b->steps[b->step_count++] = (beam_step){.parent = parent,
                .token = b->now[parent].last,
                .before = b->now[parent].slot,
                .after = take_slot(b)};
    }
}

/* The whole of a frame that is nothing but blank: the order of prefixes can't change. */
static void stay_all(beam *b)
{
    for (size_t i = 0; i < b->count; i++) {
        hypothesis *h = &b->now[i];
        h->blank = hypothesis_ctc(h) + (double)b->ctc[0];
        h->nonblank = -INFINITY;
        h->score = weigh(b, h->blank, h->attention, h->lm, h->credit, h->length);
    }
}

void beam_propose(beam *b, const float *ctc, uint64_t frame)
{
    b->ctc = ctc;
    b->frame = frame;
    b->extension_count = 0;
    b->step_count = 0;
    b->staying = (double)ctc[0] > b->log_certain_blank;
    if (b->staying) {
        stay_all(b);
        return;
    }
    size_t candidates = 0;
    for (uint32_t token = 1; token < b->options.tokens; token++)
        if ((double)ctc[token] >= b->log_threshold)
            b->candidates[candidates++] = token;
    for (size_t i = 0; i < b->count; i++)
        propose_stay(b, i);
    double floor = floor_of_stays(b);
    for (size_t i = 0; i < b->count; i++)
        propose_extensions(b, i, candidates, floor);
    if (b->options.attention_weight != 0)
        propose_steps(b);
}

size_t beam_step_count(const beam *b)
{
    return b->step_count;
}

beam_step beam_get_step(const beam *b, size_t index)
{
    return b->steps[index];
}

void beam_answer(beam *b, size_t index, const float *log_probabilities)
{
    const beam_step *step = &b->steps[index];
    for (size_t i = 0; i < b->extension_count; i++) {
        extension *e = &b->extensions[i];
        if (e->parent != step->parent)
            continue;
        size_t length = b->now[e->parent].length + 1;
        e->attention = b->now[e->parent].attention + (double)log_probabilities[e->token];
        e->score = weigh(b, e->nonblank, e->attention, e->lm, e->credit, length);
        e->slot = step->after;
    }
}

/* --- Committing --- */

static void materialise_stay(const beam *b, size_t index, hypothesis *out)
{
    const hypothesis *h = &b->now[index];
    const stay *st = &b->stays[index];
    float probability = h->last ? expf(b->ctc[h->last]) : 0;
    search_token *tokens = out->tokens;
    *out = *h;
    out->tokens = tokens;
    out->blank = st->blank;
    out->nonblank = st->nonblank;
    if (st->grown_from != NOBODY) {
        const hypothesis *parent = &b->now[st->grown_from];
        memcpy(tokens, parent->tokens, parent->length * sizeof *tokens);
        tokens[parent->length] = (search_token){h->last, probability, b->frame};
        return;
    }
    memcpy(tokens, h->tokens, h->length * sizeof *tokens);
    /* The emission goes on where ending in the token was likelier than ending in blank. */
    if (h->length > 0 && h->nonblank >= h->blank &&
        probability > tokens[h->length - 1].probability) {
        tokens[h->length - 1].probability = probability;
        tokens[h->length - 1].frame = b->frame;
    }
}

static void materialise_extension(const beam *b, const extension *e, hypothesis *out)
{
    const hypothesis *parent = &b->now[e->parent];
    search_token *tokens = out->tokens;
    memcpy(tokens, parent->tokens, parent->length * sizeof *tokens);
    tokens[parent->length] = (search_token){e->token, expf(b->ctc[e->token]), b->frame};
    *out = (hypothesis){.tokens = tokens,
        .length = parent->length + 1,
        .last = e->token,
        .hash = hypothesis_extend_hash(parent->hash, e->token),
        .parent_hash = parent->hash,
        .blank = -INFINITY,
        .nonblank = e->nonblank,
        .attention = e->attention,
        .lm = e->lm,
        .context = parent->context,
        .phrase = e->phrase,
        .credit = e->credit,
        .slot = e->slot,
        .variations = parent->variations};
    if (b->options.lm)
        ngram_next(b->options.lm, &out->context, e->token);
}

/* What a hypothesis that is no more held. */
static void give_up(beam *b, const hypothesis *h)
{
    b->references[h->slot]--;
    variations_release(b->variations, h->variations);
}

static void release_steps(beam *b)
{
    for (size_t i = 0; i < b->step_count; i++)
        b->references[b->steps[i].after]--;
    b->step_count = 0;
}

/* Of the stays, which the proposal has ranked, and the extensions those that survive. */
static void select_survivors(beam *b)
{
    for (size_t i = 0; i < b->extension_count; i++) {
        const extension *e = &b->extensions[i];
        ranking_add(&b->ranking, (place){.score = e->score,
                                     .index = b->count + i,
                                     .ending = ending_of(&b->now[e->parent], e->token, e->phrase)});
    }
    ranking_select(&b->ranking, b->options.width, b->options.margin);
}

/* Remembers where a prefix that is given up differs from the one kept. */
static void remember(beam *b, const merge *m)
{
    hypothesis *kept = &b->next[m->survivor];
    double log_odds = m->lost.score - kept->score;
    if (!(log_odds >= LEAST_LOG_ODDS))
        return;
    /* The last token, which they share, need not be looked at: an extension has yet to get it. */
    bool stays = m->lost.index < b->count;
    size_t index = stays ? m->lost.index : b->extensions[m->lost.index - b->count].parent;
    const hypothesis *lost = &b->now[index];
    kept->variations = variations_add(b->variations, kept->variations, kept->tokens,
        kept->length - 1, lost->tokens, lost->length - (stays ? 1 : 0), log_odds);
}

void beam_commit(beam *b)
{
    if (b->staying)
        return;
    select_survivors(b);
    for (size_t i = 0; i < b->ranking.count; i++) {
        const place *p = &b->ranking.places[i];
        hypothesis *out = &b->next[i];
        if (p->index < b->count)
            materialise_stay(b, p->index, out);
        else
            materialise_extension(b, &b->extensions[p->index - b->count], out);
        out->score = p->score;
        b->references[out->slot]++;
        variations_hold(b->variations, out->variations);
    }
    for (size_t i = 0; i < b->ranking.merge_count; i++)
        remember(b, &b->ranking.merges[i]);
    for (size_t i = 0; i < b->count; i++)
        give_up(b, &b->now[i]);
    release_steps(b);
    hypothesis *old = b->now;
    b->now = b->next;
    b->next = old;
    b->count = b->ranking.count;
    b->extension_count = 0;
}

void beam_end(beam *b)
{
    for (size_t i = 0; i < b->count && b->options.phrases; i++) {
        hypothesis *h = &b->now[i];
        h->score -= h->credit;
        h->credit = phrases_end_credit(b->options.phrases, h->phrase);
        h->score += h->credit;
    }
    for (size_t i = 1; i < b->count; i++) {
        hypothesis moved = b->now[i];
        size_t j = i;
        for (; j > 0 && moved.score > b->now[j - 1].score; j--)
            b->now[j] = b->now[j - 1];
        b->now[j] = moved;
    }
}

/* --- The result --- */

size_t beam_count(const beam *b)
{
    return b->count;
}

const hypothesis *beam_get(const beam *b, size_t index)
{
    return &b->now[index];
}

const variations *beam_variations(const beam *b)
{
    return b->variations;
}

void beam_cut(beam *b, size_t count, uint64_t end)
{
    const hypothesis *best = &b->now[0];
    assert(count <= best->length && (count == best->length || best->tokens[count].frame >= end));
    double ctc = hypothesis_ctc(best), attention = best->attention, lm = best->lm;
    double credit_kept = best->phrase.kept;
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        hypothesis *h = &b->now[i];
        bool keep = hypothesis_begins_with(h, best->tokens, count) &&
                    (h->length == count || h->tokens[count].frame >= end);
        if (!keep) {
            give_up(b, h);
            continue;
        }
        hypothesis swapped = b->now[kept];
        b->now[kept] = *h;
        *h = swapped;
        kept++;
    }
    b->count = kept;
    variations_cut(b->variations, count);
    for (size_t i = kept; i-- > 0;) {
        hypothesis *h = &b->now[i];
        hypothesis_drop(h, count);
        h->blank -= ctc;
        h->nonblank -= ctc;
        h->attention -= attention;
        h->lm -= lm;
        h->phrase.kept -= credit_kept;
        h->credit -= credit_kept;
        h->score = weigh(b, hypothesis_ctc(h), h->attention, h->lm, h->credit, h->length);
    }
}
