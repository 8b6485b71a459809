/* Whole searches: against the plain one, and in any cutting and company. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "listener.h"
#include "plain_decoder.h"
#include "support/suite.h"

/* --- Scores --- */

static void compare_with_plain(
    const fixture *f, const search_options *options, const float *encodings, size_t count)
{
    plain *p = plain_create(&f->config, f->weights);
    plain_prefix *expected = calloc(PLAIN_MAX_PREFIXES, sizeof *expected);
    const plain_lm lm = {.trie = options->lm ? f->trie : NULL, .length = 1};
    size_t prefixes = plain_search(p, options, &lm, encodings, count, expected);
    listener l = {.length = 0};
    search *s = listener_search(f, options, &l);
    /* All decoded, nothing reported: as finish does it, but for the report. */
    listener_advance(f, s, encodings, count, false);
    for (size_t i = 0; i < f->config.look_ahead * f->config.ctc_frames; i++) {
        search_propose(s, true);
        attention_step steps[SEARCH_MAX_BEAM];
        size_t step_count = search_step_count(s);
        for (size_t k = 0; k < step_count; k++)
            steps[k] = search_get_step(s, k);
        attention *network = NULL;
        nn_scratch *scratch = NULL;
        float *out = calloc(SEARCH_MAX_BEAM * f->config.tokens, sizeof *out);
        ck_assert_int_eq(attention_create(&f->config, f->weights, nn_ops_reference(),
                             NN_PRECISION_F32, 1, &network, NULL),
            STENO_OK);
        ck_assert_int_eq(
            nn_scratch_create(attention_advance_scratch(network), &scratch, NULL), STENO_OK);
        attention_advance(network, scratch, steps, step_count, out);
        for (size_t k = 0; k < step_count; k++)
            search_answer(s, k, out + k * f->config.tokens);
        search_commit(s);
        free(out);
        nn_scratch_destroy(scratch);
        attention_destroy(network);
    }
    ck_assert_uint_eq(l.segments, 0);
    ck_assert_uint_eq(search_position(s), count * f->config.ctc_frames);

    search_hypothesis found[SEARCH_MAX_BEAM];
    size_t hypotheses = search_hypotheses(s, SEARCH_MAX_BEAM, found);
    size_t compared = 0;
    for (size_t i = 0; i < hypotheses; i++) {
        if (found[i].is_variation)
            continue;
        const plain_prefix *one = &expected[compared++];
        ck_assert_double_eq_tol((double)found[i].score, one->score, LISTENER_TOLERANCE);
        ck_assert_uint_eq(found[i].token_count, one->length);
        for (size_t k = 0; k < one->length; k++)
            ck_assert_uint_eq(found[i].tokens[k].token, one->tokens[k]);
    }
    ck_assert_uint_eq(compared, prefixes);
    search_destroy(s);
    free(expected);
    plain_destroy(p);
}

/* Scripts full of doubt, as long as the beam's bound can't prune wrongly. */
START_TEST(scores_equal_plain)
{
    static const char *const scripts[] = {"A.B..CC.D.", "ABABAB", "..aA.aA..B", "K.JJ.K..KK.aab",
        "......", "AAAAAA", "ABcdefgHijk.Ba"};
    static const float attention_weights[] = {0, 0.3f, 1};
    const size_t frames = 1 + (size_t)_i / 6;
    fixture f;
    fixture_open_frames(&f, frames);
    search_options options = fixture_options_lm(&f, _i / 3 % 2);
    options.token_threshold = 0.02f;
    options.segment_blanks = options.segment_max = 60;
    options.attention_weight = attention_weights[_i % 3];
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            float *encodings = fixture_encodings(scripts[i], 10 * i + seed + 1);
            options.beam = seed < 2 ? 4 : 12;
            compare_with_plain(&f, &options, encodings, strlen(scripts[i]) / frames);
            free(encodings);
        }
    fixture_close(&f);
}
END_TEST

/* --- Cutting and company --- */

static const char long_script[] =
    "..a.bC..d.....,,,,A.b..cDe.f..g.....h.iJk.ab,,cd.efgh...i.....j...."
    ".k..ABC.d..e.F.g.h.i.j.k..a.b..c..d.e.f.g.h.i.j.k.a.b.c.d.e..";

/* The log of long_script fed in parts of 1 .. most encodings. */
static listener *decode_in_parts(const fixture *f, search *s, listener *l, size_t most)
{
    size_t count = (sizeof long_script - 1) / f->config.ctc_frames;
    float *encodings = fixture_encodings(long_script, 77);
    uint64_t random = most;
    for (size_t done = 0; done < count;) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t part = 1 + (size_t)(random >> 33) % most;
        part = part < count - done ? part : count - done;
        listener_advance(f, s, encodings + done * f->config.dimension, part, false);
        done += part;
    }
    listener_running(l, s);
    listener_advance(f, s, NULL, 0, true);
    free(encodings);
    return l;
}

START_TEST(any_cutting_equals_one_call)
{
    fixture f;
    fixture_open_frames(&f, 1 + (size_t)_i / 2);
    search_options options = fixture_options_lm(&f, _i % 2);
    options.segment_max = 30 / f.config.ctc_frames;
    options.segment_blanks = 4 / f.config.ctc_frames;
    listener *one = calloc(1, sizeof *one), *parts = calloc(1, sizeof *parts);
    search *s = listener_search(&f, &options, one);
    ck_assert_uint_le(sizeof long_script - 1, FIXTURE_MAX_ROWS);
    float *encodings = fixture_encodings(long_script, 77);
    listener_advance(&f, s, encodings, (sizeof long_script - 1) / f.config.ctc_frames, false);
    listener_running(one, s);
    listener_advance(&f, s, NULL, 0, true);
    ck_assert_uint_ge(one->segments, 7);
    search_destroy(s);
    for (size_t most = 1; most < 12; most += 2) {
        *parts = (listener){.length = 0};
        s = listener_search(&f, &options, parts);
        decode_in_parts(&f, s, parts, most);
        ck_assert_str_eq(parts->log, one->log);
        search_destroy(s);
    }
    free(encodings);
    free(one);
    free(parts);
    fixture_close(&f);
}
END_TEST

/* More searches than one batch of steps holds, of different options, beginnings and ends. */
START_TEST(batch_equals_alone)
{
    enum { SEARCHES = 9, ROUNDS = 6, PART = 11 };
    fixture f;
    fixture_open(&f);
    listener *alone = calloc(SEARCHES, sizeof *alone), *together = calloc(SEARCHES, sizeof *alone);
    float *encodings[SEARCHES];
    search *searches[SEARCHES];
    for (size_t i = 0; i < SEARCHES; i++) {
        search_options options = fixture_options();
        options.beam = 2 + i;
        options.attention_weight = i % 4 == 3 ? 0 : 0.5f;
        options.segment_max = 12 + i;
        encodings[i] = fixture_encodings(long_script, 100 + i);
        search *s = listener_search(&f, &options, &alone[i]);
        for (size_t round = 0; round < ROUNDS; round++)
            listener_advance(&f, s, encodings[i] + (round * PART + i) * FIXTURE_DIMENSION,
                PART - (round + i) % 3, round % 4 == i % 4);
        search_destroy(s);
        searches[i] = listener_search(&f, &options, &together[i]);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        decoder_item items[SEARCHES];
        for (size_t i = 0; i < SEARCHES; i++)
            items[i] =
                (decoder_item){searches[i], encodings[i] + (round * PART + i) * FIXTURE_DIMENSION,
                    PART - (round + i) % 3, round % 4 == i % 4};
        decoder_advance(f.decoder, f.scratch, items, SEARCHES);
    }
    for (size_t i = 0; i < SEARCHES; i++) {
        ck_assert_uint_ge(alone[i].segments, 2);
        ck_assert_str_eq(together[i].log, alone[i].log);
        search_destroy(searches[i]);
        free(encodings[i]);
    }
    free(alone);
    free(together);
    fixture_close(&f);
}
END_TEST

/* Every kind of operators and arithmetic hears the same clear tokens, in batches as large as the
 * scratch is sized for. */
START_TEST(all_precisions)
{
    enum { SEARCHES = 16, COUNT = FIXTURE_MAX_ROWS / SEARCHES };
    const nn_ops *ops = _i < 3 ? nn_ops_reference() : nn_ops_onednn();
    nn_precision precision = (nn_precision)(_i % 3);
    if (!ops || !ops->supports(precision))
        return;
    fixture f;
    fixture_open_with(&f, ops, precision);
    search_options options = fixture_options();
    options.beam = SEARCH_MAX_BEAM;
    options.attention_weight = 0.1f;
    listener *listeners = calloc(SEARCHES, sizeof *listeners);
    search *searches[SEARCHES];
    decoder_item items[SEARCHES];
    float *encodings = fixture_encodings("ab.cd.ef", 5);
    for (size_t i = 0; i < SEARCHES; i++) {
        searches[i] = listener_search(&f, &options, &listeners[i]);
        items[i] = (decoder_item){searches[i], encodings, COUNT, true};
    }
    for (size_t round = 0; round < 3; round++)
        decoder_advance(f.decoder, f.scratch, items, SEARCHES);
    for (size_t i = 0; i < SEARCHES; i++) {
        ck_assert_str_eq(listeners[i].text, "abcdef|abcdef|abcdef|");
        search_destroy(searches[i]);
    }
    free(encodings);
    free(listeners);
    fixture_close(&f);
}
END_TEST

START_TEST(advance_allocates_nothing)
{
    fixture f;
    fixture_open(&f);
    search_options options = fixture_options_lm(&f, _i);
    listener l = {.length = 0};
    search *s = listener_search(&f, &options, &l);
    uint64_t attempts = memory_attempts();
    listener_decode(&f, s, long_script, 4, true);
    ck_assert_uint_eq(memory_attempts(), attempts);
    search_destroy(s);
    fixture_close(&f);
}
END_TEST

/* --- Without a language model --- */

/* A language model of weight 0, and a weight without one, change nothing. */
START_TEST(no_lm_is_none)
{
    fixture f;
    fixture_open(&f);
    listener *logs = calloc(4, sizeof *logs);
    for (int i = 0; i < 4; i++) {
        search_options options = fixture_options();
        options.lm = i == 1 || i == 3 ? f.lm : NULL;
        options.lm_weight = i >= 2 ? 0.5f : 0;
        search *s = listener_search(&f, &options, &logs[i]);
        decode_in_parts(&f, s, &logs[i], 5);
        search_destroy(s);
    }
    ck_assert_str_eq(logs[1].log, logs[0].log);
    ck_assert_str_eq(logs[2].log, logs[0].log);
    ck_assert_str_ne(logs[3].log, logs[0].log);
    free(logs);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("search");
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, scores_equal_plain, 0, 12);
    tcase_add_test(tcase, no_lm_is_none);
    tcase_add_loop_test(tcase, any_cutting_equals_one_call, 0, 4);
    tcase_add_test(tcase, batch_equals_alone);
    tcase_add_loop_test(tcase, all_precisions, 0, 6);
    tcase_add_loop_test(tcase, advance_allocates_nothing, 0, 2);
    Suite *suite = suite_create("search");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
