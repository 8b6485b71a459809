/*
 * One stream's search: the last encodings with their keys, the attention states that the beam's
 * prefixes refer to, and where the segments end.
 *
 * Encodings and keys lie in rings of `window` rows that are written twice, `window` rows apart,
 * so that any window is one stretch of memory.
 *
 *     pushed           encodings that have come
 *     position         next frame of CTC to decode, of which an encoding has ctc_frames
 *     segment_first    first frame of the running segment
 *     visible_first    first encoding that attention may see: that of the last fresh start
 *
 * A segment ends at a pause, and the search starts afresh: only the language model goes on from
 * what was reported, as a pause is as likely within a sentence as behind one.  One that grows too
 * long is cut at its longest run of blanks instead, and what the prefixes have after the cut is
 * kept as it is, with its states and what these may see: tokens are neither lost nor decoded twice.
 * (Starting afresh at the cut would mean to go back and decode a part again, more work at one
 * moment than a live stream has time for.)
 */
#include "decoder/search.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decoder/alternatives.h"
#include "decoder/beam.h"
#include "decoder/history.h"

/* Prefixes that score so much below the best (e^-13 is one in half a million) are given up: they
 * cost steps and hardly ever come back. */
static const double MARGIN = 13;

struct search {
    const decoder_config *config;
    search_options options;
    search_sink sink;
    search_observer observer; /* its functions may be NULL */
    beam *beam;
    float *encodings;             /* [2 window, dimension] */
    float *keys;                  /* [2 window, attention] */
    float *ctc;                   /* [look_ahead + 1, ctc_frames, tokens] */
    float *state_values;          /* of all states */
    attention_state *states;      /* [beam_slots] */
    search_token *varied;         /* [ALTERNATIVES_VARIED, segment_tokens] */
    history *history;             /* NULL: nobody looks on at segments, or there is no attention */
    search_alignment *alignments; /* [segment_tokens], with a history */

    /* Zero at the start of the stream. */
    bool has_proposed;
    uint64_t pushed;
    uint64_t position;
    uint64_t segment_first;
    uint64_t visible_first;
    uint64_t reported_end; /* one past the frame of the last token reported */
};

static bool is_weight(float value)
{
    return isfinite(value) && value >= 0;
}

static steno_status check_options(const search_options *options, steno_error *error)
{
    const char *wrong = NULL;
    if (options->beam < 1 || options->beam > SEARCH_MAX_BEAM)
        wrong = "beam must be 1..128";
    else if (!(options->token_threshold >= 0 && options->token_threshold < 1))
        wrong = "token_threshold must be at least 0 and less than 1";
    else if (!is_weight(options->attention_weight))
        wrong = "attention_weight must be finite and not negative";
    else if (!is_weight(options->ctc_weight))
        wrong = "ctc_weight must be finite and not negative";
    else if (options->ctc_weight == 0 && options->attention_weight == 0)
        wrong = "ctc_weight and attention_weight can't both be 0";
    else if (!is_weight(options->lm_weight))
        wrong = "lm_weight must be finite and not negative";
    else if (!isfinite(options->token_bonus))
        wrong = "token_bonus must be finite";
    else if (options->segment_max < 1 || options->segment_max > SEARCH_MAX_SEGMENT)
        wrong = "segment_max must be 1..1000";
    else if (options->segment_blanks < 1 || options->segment_blanks > options->segment_max)
        wrong = "segment_blanks must be 1..segment_max";
    if (wrong)
        return error_set(error, STENO_ERROR_ARGUMENT, "search options: %s", wrong);
    return STENO_OK;
}

/* What is without a phrase may come to lie so much behind one that then breaks off. */
static double largest_boost(const search_options *options)
{
    return options->phrases ? phrases_largest(options->phrases) : 0;
}

/* Most tokens of a segment: one per frame of CTC. */
static size_t segment_tokens(const search *s)
{
    return s->options.segment_max * s->config->ctc_frames;
}

/* Shares the values out to the states: hidden, cell and alignment of each. */
static void lay_out_states(search *s)
{
    const decoder_config *c = s->config;
    float *values = s->state_values;
    for (size_t i = 0; i < beam_slots(s->options.beam); i++) {
        s->states[i].hidden = values;
        s->states[i].cell = values + c->lstm;
        s->states[i].alignment = values + 2 * c->lstm;
        values += 2 * c->lstm + c->window;
    }
}

/* What is needed where someone looks on. */
static steno_status create_history(search *s, steno_error *error)
{
    if (s->options.observer)
        s->observer = *s->options.observer;
    s->options.observer = NULL;
    if (!s->observer.segment || !search_attends(s))
        return STENO_OK;
    s->alignments = memory_allocate(segment_tokens(s), sizeof *s->alignments);
    if (!s->alignments)
        return error_memory(error);
    return history_create(
        beam_slots(s->options.beam), s->config->window, segment_tokens(s), &s->history, error);
}

steno_status search_create(const decoder *d, const search_options *options, search_sink sink,
    search **out_search, steno_error *error)
{
    steno_status status = check_options(options, error);
    if (status != STENO_OK)
        return status;
    search *s = memory_allocate(1, sizeof *s);
    if (!s)
        return error_memory(error);
    const decoder_config *c = decoder_get_config(d);
    s->config = c;
    s->options = *options;
    s->sink = sink;
    size_t rows = search_attends(s) ? 2 * c->window : 0;
    size_t slots = search_attends(s) ? beam_slots(options->beam) : 0;
    s->encodings = memory_allocate(rows * c->dimension, sizeof(float));
    s->keys = memory_allocate(rows * c->attention, sizeof(float));
    s->ctc = memory_allocate((c->look_ahead + 1) * c->ctc_frames * c->tokens, sizeof(float));
    s->states = memory_allocate(slots, sizeof *s->states);
    s->state_values = memory_allocate(slots * (2 * c->lstm + c->window), sizeof(float));
    s->varied = memory_allocate(ALTERNATIVES_VARIED * segment_tokens(s), sizeof *s->varied);
    if (!s->encodings || !s->keys || !s->ctc || !s->states || !s->state_values || !s->varied) {
        status = error_memory(error);
        goto fail;
    }
    if (search_attends(s))
        lay_out_states(s);
    status = create_history(s, error);
    if (status != STENO_OK)
        goto fail;
    status = beam_create(&(beam_options){.width = options->beam,
                             .tokens = c->tokens,
                             .max_length = segment_tokens(s),
                             .ctc_weight = (double)options->ctc_weight,
                             .attention_weight = (double)options->attention_weight,
                             .token_bonus = (double)options->token_bonus,
                             .token_threshold = (double)options->token_threshold,
                             .margin = MARGIN + largest_boost(options),
                             .phrases = options->phrases,
                             .lm = options->lm_weight > 0 ? options->lm : NULL,
                             .lm_weight = (double)options->lm_weight},
        &s->beam, error);
    if (status != STENO_OK)
        goto fail;
    *out_search = s;
    return STENO_OK;

fail:
    search_destroy(s);
    return status;
}

void search_destroy(search *s)
{
    if (!s)
        return;
    beam_destroy(s->beam);
    history_destroy(s->history);
    memory_free(s->varied);
    memory_free(s->alignments);
    memory_free(s->encodings);
    memory_free(s->keys);
    memory_free(s->ctc);
    memory_free(s->states);
    memory_free(s->state_values);
    memory_free(s);
}

bool search_attends(const search *s)
{
    return s->options.attention_weight != 0;
}

/* --- Encodings --- */

static void write_twice(float *ring, const float *row, size_t size, size_t index, size_t rows)
{
    memcpy(ring + index * size, row, size * sizeof *row);
    memcpy(ring + (index + rows) * size, row, size * sizeof *row);
}

void search_push(search *s, const float *encoding, const float *key, const float *ctc)
{
    const decoder_config *c = s->config;
    assert(s->pushed - s->position / c->ctc_frames <= c->look_ahead);
    if (search_attends(s)) {
        size_t index = s->pushed % c->window;
        write_twice(s->encodings, encoding, c->dimension, index, c->window);
        write_twice(s->keys, key, c->attention, index, c->window);
    }
    size_t row = s->pushed % (c->look_ahead + 1), size = c->ctc_frames * c->tokens;
    memcpy(s->ctc + row * size, ctc, size * sizeof *ctc);
    s->pushed++;
}

/* The encoding that the frame to decode is of. */
static uint64_t trigger(const search *s)
{
    return s->position / s->config->ctc_frames;
}

/* CTC's log-probabilities [tokens] at the frame to decode. */
static const float *current_ctc(const search *s)
{
    const decoder_config *c = s->config;
    size_t row = trigger(s) % (c->look_ahead + 1) * c->ctc_frames + s->position % c->ctc_frames;
    return s->ctc + row * c->tokens;
}

void search_propose(search *s, bool over)
{
    if (trigger(s) + (over ? 0 : s->config->look_ahead) >= s->pushed)
        return;
    s->has_proposed = true;
    beam_propose(s->beam, current_ctc(s), s->position);
}

size_t search_step_count(const search *s)
{
    return beam_step_count(s->beam);
}

attention_step search_get_step(const search *s, size_t index)
{
    const decoder_config *c = s->config;
    beam_step step = beam_get_step(s->beam, index);
    uint64_t end = trigger(s) + c->look_ahead + 1;
    uint64_t first = end > c->window ? end - c->window : 0;
    if (first < s->visible_first)
        first = s->visible_first;
    if (end > s->pushed)
        end = s->pushed;
    size_t row = first % c->window;
    return (attention_step){.before = &s->states[step.before],
        .after = &s->states[step.after],
        .token = step.token,
        .first = first,
        .visible = end - first,
        .encodings = s->encodings + row * c->dimension,
        .keys = s->keys + row * c->attention};
}

void search_answer(search *s, size_t index, const float *log_probabilities)
{
    beam_answer(s->beam, index, log_probabilities);
    if (s->history) {
        beam_step step = beam_get_step(s->beam, index);
        history_add(s->history, step.before, step.after, trigger(s), &s->states[step.after]);
    }
}

/* --- Segments --- */

static const search_token *last_token(const hypothesis *h)
{
    return h->length ? &h->tokens[h->length - 1] : NULL;
}

/* At most `max` texts of the running segment before frame `end`. */
static size_t list(search *s, uint64_t end, size_t max, search_hypothesis *out_hypotheses)
{
    return alternatives_list(s->beam, end, s->varied, segment_tokens(s), max, out_hypotheses);
}

/* Shows `count` tokens of the best hypothesis to who looks on. */
static void show_segment(search *s, size_t count, uint64_t end)
{
    const hypothesis *best = beam_get(s->beam, 0);
    if (!s->observer.segment)
        return;
    if (s->history)
        history_read(s->history, best->slot, best->length, s->alignments);
    s->observer.segment(s->observer.context, best->tokens, s->alignments, count, end);
}

/* Hands all tokens before frame `end` to the sink, if the best hypothesis has any. */
static void report(search *s, uint64_t end)
{
    search_hypothesis hypotheses[SEARCH_MAX_BEAM];
    size_t count = list(s, end, s->options.beam, hypotheses);
    if (hypotheses[0].token_count == 0)
        return;
    s->reported_end = hypotheses[0].tokens[hypotheses[0].token_count - 1].frame + 1;
    show_segment(s, hypotheses[0].token_count, end);
    if (s->sink.segment)
        s->sink.segment(s->sink.context, hypotheses, count, end);
}

/* After all tokens of the best hypothesis have been reported. */
static void restart(search *s)
{
    beam_continue(s->beam);
    s->segment_first = s->position;
    s->visible_first = s->position / s->config->ctc_frames;
}

/* The longest run of blanks between the segment's first frame and its last token, the latest
 * of equals: returns the tokens before it and the frame in its middle, where to cut.  The run
 * behind the last token must be longer than any other to be taken: speech may go on there. */
static size_t longest_pause(const search *s, const hypothesis *best, uint64_t *out_end)
{
    const search_token *tokens = best->tokens;
    size_t count = 0;
    uint64_t longest = 0, end = 0, after = s->segment_first;
    for (size_t i = 0; i < best->length; i++) {
        uint64_t run = tokens[i].frame - after;
        if (i == 0 ? run > 0 : run >= longest) {
            longest = run;
            count = i;
            end = tokens[i].frame - run / 2;
        }
        after = tokens[i].frame + 1;
    }
    if (s->position - after > longest || end == 0) {
        count = best->length;
        end = s->position;
    }
    *out_end = end;
    return count;
}

/* The segment has reached its largest size. */
static void cut(search *s)
{
    const hypothesis *best = beam_get(s->beam, 0);
    uint64_t end = s->position;
    size_t tokens = longest_pause(s, best, &end);
    report(s, end);
    if (tokens == best->length) {
        restart(s);
        return;
    }
    beam_cut(s->beam, tokens, end);
    for (size_t i = 0; s->history && i < beam_count(s->beam); i++)
        history_keep(s->history, beam_get(s->beam, i)->slot, beam_get(s->beam, i)->length);
    s->segment_first = end;
}

static bool has_paused(const search *s)
{
    const search_token *last = last_token(beam_get(s->beam, 0));
    return last &&
           s->position - 1 - last->frame >= s->options.segment_blanks * s->config->ctc_frames;
}

/* The network's probability that the text ends here is not asked for: it has been trained on whole
 * utterances, while segments also end within sentences, and counting it was measured to change
 * nothing (docs/measurements.md). */
static void end_segment(search *s)
{
    beam_end(s->beam);
    report(s, s->position);
    restart(s);
}

void search_commit(search *s)
{
    if (!s->has_proposed)
        return;
    s->has_proposed = false;
    beam_commit(s->beam);
    if (s->observer.ctc)
        s->observer.ctc(s->observer.context, s->position, current_ctc(s));
    s->position++;
    if (has_paused(s))
        end_segment(s);
    else if (s->position - s->segment_first >= segment_tokens(s))
        cut(s);
}

void search_finish(search *s)
{
    assert(s->position == s->pushed * s->config->ctc_frames);
    end_segment(s);
}

/* --- The running segment --- */

size_t search_hypotheses(search *s, size_t max, search_hypothesis *out_hypotheses)
{
    return list(s, UINT64_MAX, max, out_hypotheses);
}

size_t search_stable(const search *s)
{
    const hypothesis *best = beam_get(s->beam, 0);
    size_t shared = best->length;
    for (size_t i = 1; i < beam_count(s->beam); i++) {
        const hypothesis *other = beam_get(s->beam, i);
        size_t same = 0;
        while (same < shared && same < other->length &&
               best->tokens[same].token == other->tokens[same].token)
            same++;
        shared = same;
    }
    return shared;
}

uint64_t search_position(const search *s)
{
    return s->position;
}

uint64_t search_trailing(const search *s)
{
    const search_token *last = last_token(beam_get(s->beam, 0));
    return s->position - (last ? last->frame + 1 : s->reported_end);
}
