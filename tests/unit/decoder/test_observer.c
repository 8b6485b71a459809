/* Looking on at a search: that it changes nothing, and that what is seen is what was computed. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/history.h"
#include "decoder/search.h"
#include "fixture.h"
#include "plain_decoder.h"
#include "support/suite.h"

/* --- History against lists that every slot has for itself --- */

enum { SLOTS = 9, WINDOW = 5, LENGTH = 6 };

typedef struct plain_entry {
    uint64_t trigger, first;
    size_t count;
    float weights[WINDOW];
} plain_entry;

typedef struct plain_slot {
    plain_entry entries[LENGTH + 1];
    size_t length;
} plain_slot;

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static void compare_slot(const history *h, size_t slot, const plain_slot *expected)
{
    search_alignment alignments[LENGTH + 1];
    for (size_t count = 0; count <= expected->length; count++) {
        history_read(h, slot, count, alignments);
        for (size_t i = 0; i < count; i++) {
            const plain_entry *entry = &expected->entries[expected->length - count + i];
            ck_assert_uint_eq(alignments[i].trigger, entry->trigger);
            ck_assert_uint_eq(alignments[i].first, entry->first);
            ck_assert_uint_eq(alignments[i].count, entry->count);
            ck_assert_mem_eq(alignments[i].weights, entry->weights, entry->count * sizeof(float));
        }
    }
}

static void forget(plain_slot *slot, size_t count)
{
    memmove(slot->entries, slot->entries + slot->length - count, count * sizeof *slot->entries);
    slot->length = count;
}

START_TEST(slots_share_what_they_have_in_common)
{
    history *h = NULL;
    ck_assert_int_eq(history_create(SLOTS, WINDOW, LENGTH, &h, NULL), STENO_OK);
    static plain_slot lists[SLOTS];
    memset(lists, 0, sizeof lists);
    uint32_t random = 1;
    for (uint64_t step = 0; step < 20000; step++) {
        size_t before = draw(&random, SLOTS), after = 1 + draw(&random, SLOTS - 1);
        if (draw(&random, 5000) == 0) {
            history_clear(h);
            memset(lists, 0, sizeof lists);
        } else if (draw(&random, 8) == 0) {
            size_t count = draw(&random, (uint32_t)lists[after].length + 1);
            history_keep(h, after, count);
            forget(&lists[after], count);
            /* What is forgotten is so for all that share it; nobody asks for it again. */
            for (size_t i = 0; i < SLOTS; i++) {
                if (i == after)
                    continue;
                history_keep(h, i, 0);
                forget(&lists[i], 0);
            }
        } else if (before != after && lists[before].length <= LENGTH) {
            attention_state state = {
                .alignment = (float[WINDOW]){0}, .first = step, .count = 1 + draw(&random, WINDOW)};
            for (size_t i = 0; i < state.count; i++)
                state.alignment[i] = (float)draw(&random, 1000);
            history_add(h, before, after, step + 2, &state);
            lists[after] = lists[before];
            plain_entry *entry = &lists[after].entries[lists[after].length++];
            *entry = (plain_entry){.trigger = step + 2, .first = step, .count = state.count};
            memcpy(entry->weights, state.alignment, state.count * sizeof(float));
        }
        compare_slot(h, after, &lists[after]);
        compare_slot(h, before, &lists[before]);
    }
    history_destroy(h);
}
END_TEST

/* --- A search that is looked on at --- */

enum { MAX_FRAMES = 400, MAX_TOKENS = 400 };

typedef struct seen {
    char log[65536]; /* every segment in full, to the last bit, as the sink is told */
    size_t length;

    size_t frames;
    size_t best[MAX_FRAMES]; /* the likeliest of CTC's at each */

    search_token tokens[MAX_TOKENS]; /* of all segments */
    search_alignment alignments[MAX_TOKENS];
    float weights[MAX_TOKENS][16];
    bool begins[MAX_TOKENS]; /* a segment */
    size_t count;
    bool attention;
    uint64_t end;
} seen;

static void log_segment(
    void *context, const search_hypothesis *hypotheses, size_t count, uint64_t end_frame)
{
    seen *s = context;
    for (size_t i = 0; i < count; i++) {
        const search_hypothesis *h = &hypotheses[i];
        s->length += (size_t)snprintf(s->log + s->length, sizeof s->log - s->length, "%a %a",
            (double)h->score, (double)h->posterior);
        for (size_t k = 0; k < h->token_count; k++)
            s->length += (size_t)snprintf(s->log + s->length, sizeof s->log - s->length,
                " %u@%llu:%a", h->tokens[k].token, (unsigned long long)h->tokens[k].frame,
                (double)h->tokens[k].probability);
        ck_assert_uint_lt(s->length, sizeof s->log);
    }
    /* Whoever looks on was told of the same. */
    if (s->count > 0) {
        size_t tokens = hypotheses[0].token_count;
        ck_assert_uint_eq(s->end, end_frame);
        ck_assert_uint_ge(s->count, tokens);
        for (size_t k = 0; k < tokens; k++)
            ck_assert_mem_eq(&s->tokens[s->count - tokens + k].frame,
                &hypotheses[0].tokens[k].frame, sizeof(uint64_t));
    }
}

static void see_ctc(void *context, uint64_t frame, const float *ctc)
{
    seen *s = context;
    double sum = 0;
    ck_assert_uint_eq(frame, s->frames);
    ck_assert_uint_lt(frame, MAX_FRAMES);
    for (size_t i = 0; i < FIXTURE_TOKENS; i++) {
        sum += exp((double)ctc[i]);
        if (ctc[i] > ctc[s->best[frame]])
            s->best[frame] = i;
    }
    ck_assert_double_eq_tol(sum, 1, 1e-5); /* a sum of a few floats */
    s->frames++;
}

static void see_segment(void *context, const search_token *tokens,
    const search_alignment *alignments, size_t count, uint64_t end_frame)
{
    seen *s = context;
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_gt(end_frame, s->end);
    s->attention = alignments != NULL;
    for (size_t i = 0; i < count; i++, s->count++) {
        ck_assert_uint_lt(s->count, MAX_TOKENS);
        s->tokens[s->count] = tokens[i];
        s->begins[s->count] = i == 0;
        if (!alignments)
            continue;
        s->alignments[s->count] = alignments[i];
        memcpy(s->weights[s->count], alignments[i].weights, alignments[i].count * sizeof(float));
        s->alignments[s->count].weights = s->weights[s->count];
    }
    s->end = end_frame;
}

static search *new_search(const fixture *f, search_options options, bool observed, seen *s)
{
    search *made = NULL;
    const search_observer observer = {see_ctc, see_segment, s};
    *s = (seen){.length = 0};
    options.observer = observed ? &observer : NULL;
    ck_assert_int_eq(
        search_create(f->decoder, &options, (search_sink){log_segment, s}, &made, NULL), STENO_OK);
    return made;
}

/* Decodes encodings in pieces of at most `piece`. */
static void run(
    const fixture *f, search *looked_at, const float *encodings, size_t count, size_t piece)
{
    for (size_t done = 0; done < count;) {
        size_t part = count - done < piece ? count - done : piece;
        decoder_item item = {
            looked_at, encodings + done * f->config.dimension, part, done + part == count};
        decoder_advance(f->decoder, f->scratch, &item, 1);
        done += part;
    }
}

static const char SCRIPT[] =
    "..a.B..cc.D...e......aBBc.a.....f.g.Hijk.a.b.c.d.e.f.g.h.i.j.k.a.b.C.d"
    ".e.f.G.h.i.j.k.a.b.c........a,,,,,,b..Cd.e..f..g..h...a..b..c.";

START_TEST(nothing_changes_by_it)
{
    static seen alone, observed, pieces;
    fixture f;
    fixture_open_frames(&f, 1 + (size_t)_i / 8);
    search_options options = fixture_options_lm(&f, _i % 2);
    if (_i & 2)
        options.segment_max = 9;
    if (_i & 4)
        options.attention_weight = 0;
    size_t frames = sizeof SCRIPT - 1, count = frames / f.config.ctc_frames;
    ck_assert_uint_eq(frames % 2, 0);
    float *encodings = fixture_encodings(SCRIPT, 5);
    search *searches[] = {new_search(&f, options, false, &alone),
        new_search(&f, options, true, &observed), new_search(&f, options, true, &pieces)};
    run(&f, searches[0], encodings, count, FIXTURE_MAX_ROWS);
    run(&f, searches[1], encodings, count, FIXTURE_MAX_ROWS);
    run(&f, searches[2], encodings, count, 7);
    ck_assert_str_eq(alone.log, observed.log);
    ck_assert_str_eq(alone.log, pieces.log);
    ck_assert_uint_eq(alone.frames + alone.count, 0);
    ck_assert_uint_eq(observed.frames, frames);
    ck_assert_uint_gt(observed.count, 20);
    ck_assert_int_eq(observed.attention, options.attention_weight > 0);
    for (size_t i = 0; i < frames; i++)
        if (SCRIPT[i] >= 'a')
            ck_assert_uint_eq(observed.best[i], (size_t)(SCRIPT[i] - 'a' + 1));
    for (size_t i = 0; i < 3; i++)
        search_destroy(searches[i]);
    free(encodings);
    fixture_close(&f);
}
END_TEST

/* --- Alignments by the maths --- */

/* The network is f32, the maths here are double. */
static const float ALIGNMENT_TOLERANCE = 1e-4f;

static bool matches(const search_alignment *seen_alignment, const plain_state *state)
{
    for (size_t k = 0; k < seen_alignment->count; k++)
        if (fabs((double)seen_alignment->weights[k] - state->alignment[seen_alignment->first + k]) >
            (double)ALIGNMENT_TOLERANCE)
            return false;
    return true;
}

/* Follows the tokens that were seen with the plain decoder.  At a segment's start that may begin
 * afresh or, after a cut within speech, go on: *out_continued counts where it went on. */
static void follow(
    const fixture *f, const float *encodings, size_t count, const seen *s, size_t *out_continued)
{
    plain *p = plain_create(&f->config, f->weights);
    static plain_state before, after;
    double out[FIXTURE_TOKENS];
    uint32_t last = 0;
    memset(&before, 0, sizeof before);
    *out_continued = 0;
    for (size_t i = 0; i < s->count; i++) {
        const search_alignment *a = &s->alignments[i];
        ck_assert_uint_le(a->trigger, s->tokens[i].frame / f->config.ctc_frames);
        size_t low = a->first, high = a->first + a->count - 1;
        ck_assert_uint_eq(high, a->trigger + 2 < count ? a->trigger + 2 : count - 1);
        plain_step(p, encodings, count, low, high, last, &before, &after, out);
        bool good = matches(a, &after);
        if (s->begins[i] && i > 0)
            *out_continued += good;
        if (s->begins[i] && !good) {
            memset(&before, 0, sizeof before);
            plain_step(p, encodings, count, low, high, 0, &before, &after, out);
            good = matches(a, &after);
        }
        ck_assert_msg(good, "the alignment of token %zu", i);
        before = after;
        last = s->tokens[i].token;
    }
    plain_destroy(p);
}

START_TEST(alignments_are_those_of_the_maths)
{
    /* Speech with pauses; and without, cut at its longest pauses. */
    static const char *const scripts[] = {"..a.B..cc.D......aBBc.a.....f.g.Hijk",
        "a.b..C.d.e.f.g..h.i.J.k..a.b.c.d..E.f.g.h.i..j.k.a.b"};
    static const size_t segments[] = {60, 14};
    static seen s;
    fixture f;
    fixture_open_frames(&f, 1 + (size_t)_i / 2);
    const char *script = scripts[_i % 2];
    search_options options = fixture_options();
    options.segment_max = segments[_i % 2] / f.config.ctc_frames;
    size_t count = strlen(script) / f.config.ctc_frames, continued;
    ck_assert_uint_eq(strlen(script) % 2, 0);
    float *encodings = fixture_encodings(script, 8);
    search *looked_at = new_search(&f, options, true, &s);
    run(&f, looked_at, encodings, count, 5);
    ck_assert_uint_gt(s.count, 10);
    follow(&f, encodings, count, &s, &continued);
    if (_i % 2 == 1)
        ck_assert_uint_gt(continued, 1);
    search_destroy(looked_at);
    free(encodings);
    fixture_close(&f);
}
END_TEST

/* --- Memory --- */

START_TEST(failing_allocations)
{
    static seen s;
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options();
    options.observer = &(search_observer){see_ctc, see_segment, &s};
    steno_status status = STENO_ERROR_MEMORY;
    search *made = NULL;
    uint64_t failures = 0;
    for (; status == STENO_ERROR_MEMORY; failures++) {
        size_t alive = memory_alive();
        memory_fail_at(memory_attempts() + 1 + failures);
        status = search_create(f.decoder, &options, (search_sink){NULL, NULL}, &made, NULL);
        memory_fail_at(0);
        if (status != STENO_OK)
            ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_int_eq(status, STENO_OK);
    ck_assert_uint_gt(failures, 14);
    search_destroy(made);
    fixture_close(&f);
    ck_assert_uint_eq(memory_alive(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("observer");
    TCase *tcase = tcase_create("observer");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, slots_share_what_they_have_in_common);
    tcase_add_loop_test(tcase, nothing_changes_by_it, 0, 16);
    tcase_add_loop_test(tcase, alignments_are_those_of_the_maths, 0, 4);
    tcase_add_test(tcase, failing_allocations);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
