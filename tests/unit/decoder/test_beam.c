/* The beam by itself: against all alignments one by one, and its token times. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/beam.h"
#include "fixture.h"
#include "plain_decoder.h"
#include "support/suite.h"
#include "support/tiny_model.h"

enum { T = 5, TOKENS = 4, ALIGNMENTS = 1024 /* TOKENS ^ T */ };

static beam *new_beam(size_t width, size_t tokens)
{
    beam *b = NULL;
    ck_assert_int_eq(
        beam_create(
            &(beam_options){
                .width = width, .tokens = tokens, .max_length = 40, .ctc_weight = 1, .margin = 1e9},
            &b, NULL),
        STENO_OK);
    return b;
}

static void feed(beam *b, const float *ctc, uint64_t encoding)
{
    beam_propose(b, ctc, encoding);
    ck_assert_uint_eq(beam_step_count(b), 0); /* attention_weight is 0 */
    beam_commit(b);
}

/* Log-probabilities [T, TOKENS] of random, quite uneven distributions. */
static void random_ctc(uint64_t seed, float ctc[T][TOKENS])
{
    tiny_model_noise(seed, 3.0f, T * TOKENS, &ctc[0][0]);
    for (size_t t = 0; t < T; t++) {
        double sum = 0;
        for (size_t i = 0; i < TOKENS; i++)
            sum += exp((double)ctc[t][i]);
        for (size_t i = 0; i < TOKENS; i++)
            ctc[t][i] -= (float)log(sum);
    }
}

/* Merges repetitions, drops blanks, and writes the tokens as a number in base TOKENS (no token is
 * 0, so different prefixes are different numbers). */
static size_t collapse(size_t alignment, float ctc[T][TOKENS], double *out_probability)
{
    size_t prefix = 0, last = 0;
    double sum = 0;
    for (size_t t = 0; t < T; t++, alignment /= TOKENS) {
        size_t token = alignment % TOKENS;
        sum += (double)ctc[t][token];
        if (token != 0 && token != last)
            prefix = prefix * TOKENS + token;
        last = token;
    }
    *out_probability = sum;
    return prefix;
}

START_TEST(all_alignments)
{
    float ctc[T][TOKENS];
    double expected[ALIGNMENTS], probability;
    size_t prefixes = 0;
    random_ctc((uint64_t)_i + 1, ctc);
    for (size_t i = 0; i < ALIGNMENTS; i++)
        expected[i] = -INFINITY;
    for (size_t i = 0; i < ALIGNMENTS; i++) {
        size_t prefix = collapse(i, ctc, &probability);
        prefixes += expected[prefix] == -INFINITY;
        expected[prefix] = plain_log_add(expected[prefix], probability);
    }
    beam *b = new_beam(512, TOKENS);
    for (size_t t = 0; t < T; t++)
        feed(b, ctc[t], t);
    ck_assert_uint_eq(beam_count(b), prefixes);
    for (size_t i = 0; i < prefixes; i++) {
        const hypothesis *h = beam_get(b, i);
        size_t prefix = 0;
        for (size_t k = 0; k < h->length; k++)
            prefix = prefix * TOKENS + h->tokens[k].token;
        /* Doubles throughout. */
        ck_assert_double_eq_tol(hypothesis_ctc(h), expected[prefix], 1e-9);
        ck_assert_double_eq_tol(h->score, expected[prefix], 1e-9);
        ck_assert(i == 0 || h->score <= beam_get(b, i - 1)->score);
    }
    beam_destroy(b);
}
END_TEST

/* A narrow beam holds the best of what grows from what it held. */
START_TEST(narrow_beam)
{
    float ctc[T][TOKENS];
    random_ctc((uint64_t)_i + 100, ctc);
    beam *narrow = new_beam(3, TOKENS), *wide = new_beam(512, TOKENS);
    feed(narrow, ctc[0], 0);
    feed(wide, ctc[0], 0);
    ck_assert_uint_eq(beam_count(narrow), 3);
    ck_assert_uint_eq(beam_count(wide), TOKENS);
    for (size_t i = 0; i < 3; i++) {
        ck_assert(beam_get(narrow, i)->score == beam_get(wide, i)->score);
        ck_assert_uint_eq(beam_get(narrow, i)->last, beam_get(wide, i)->last);
    }
    for (size_t t = 1; t < T; t++) {
        feed(narrow, ctc[t], t);
        feed(wide, ctc[t], t);
        for (size_t i = 0; i < beam_count(narrow); i++)
            /* What was pruned can only be missing from a sum. */
            ck_assert(beam_get(narrow, i)->score <= beam_get(wide, i)->score + 1e-9);
    }
    beam_destroy(narrow);
    beam_destroy(wide);
}
END_TEST

/* Log-probabilities of a row with the given probabilities of tokens 1 and 2, the rest blank. */
static const float *row(double one, double two)
{
    static float ctc[3];
    ctc[0] = (float)log(1 - one - two);
    ctc[1] = (float)log(one);
    ctc[2] = (float)log(two);
    return ctc;
}

START_TEST(token_times)
{
    beam *b = new_beam(8, 3);
    static const double ones[] = {0.01, 0.3, 0.6, 0.9, 0.7, 0.01, 0.01, 0.01, 0.02};
    static const double twos[] = {0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.8, 0.9, 0.01};
    for (size_t t = 0; t < sizeof ones / sizeof ones[0]; t++)
        feed(b, row(ones[t], twos[t]), t);
    const hypothesis *best = beam_get(b, 0);
    ck_assert_uint_eq(best->length, 2);
    ck_assert_uint_eq(best->tokens[0].token, 1);
    ck_assert_uint_eq(best->tokens[0].frame, 3);
    ck_assert_float_eq_tol(best->tokens[0].probability, 0.9f, 1e-6f);
    ck_assert_uint_eq(best->tokens[1].token, 2);
    ck_assert_uint_eq(best->tokens[1].frame, 7);
    ck_assert_float_eq_tol(best->tokens[1].probability, 0.9f, 1e-6f);

    /* The same token much later is another emission: the first keeps its time. */
    for (size_t t = 9; t < 15; t++)
        feed(b, row(0.001, t == 12 ? 0.95 : 0.01), t);
    best = beam_get(b, 0);
    ck_assert_uint_eq(best->length, 3);
    ck_assert_uint_eq(best->tokens[1].frame, 7);
    ck_assert_uint_eq(best->tokens[2].frame, 12);
    for (size_t i = 0; i < beam_count(b); i++)
        for (size_t k = 1; k < beam_get(b, i)->length; k++)
            ck_assert_uint_lt(beam_get(b, i)->tokens[k - 1].frame, beam_get(b, i)->tokens[k].frame);
    beam_destroy(b);
}
END_TEST

START_TEST(certain_blank)
{
    beam *b = new_beam(8, 3);
    feed(b, row(0.5, 0.2), 0);
    feed(b, row(0.1, 0.6), 1);
    size_t count = beam_count(b);
    double scores[8];
    for (size_t i = 0; i < count; i++)
        scores[i] = beam_get(b, i)->score;
    feed(b, row(1e-5, 1e-5), 2);
    ck_assert_uint_eq(beam_count(b), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_double_eq_tol(beam_get(b, i)->score, scores[i] + log(1 - 2e-5), 1e-6);
        ck_assert(beam_get(b, i)->nonblank == -INFINITY);
    }
    beam_destroy(b);
}
END_TEST

/* A token too long for the arrays is not taken; the beam goes on. */
START_TEST(full_prefixes)
{
    beam *b = new_beam(2, 3);
    for (uint64_t t = 0; t < 100; t++)
        feed(b, t % 2 ? row(0.98, 0.01) : row(0.01, 0.98), t);
    ck_assert_uint_eq(beam_get(b, 0)->length, 40);
    beam_destroy(b);
}
END_TEST

START_TEST(not_a_number)
{
    beam *b = new_beam(4, 3);
    feed(b, row(0.5, 0.2), 0);
    const float nan[3] = {NAN, NAN, NAN};
    for (uint64_t t = 1; t < 5; t++)
        feed(b, nan, t);
    feed(b, row(0.5, 0.2), 5);
    ck_assert_uint_ge(beam_count(b), 1);
    beam_destroy(b);
}
END_TEST

START_TEST(cutting)
{
    /* Two ways to begin (1 or 2), then 1 in all: "1 1", "2 1", and others. */
    beam *b = new_beam(16, 3);
    feed(b, row(0.6, 0.3), 0);
    feed(b, row(0.01, 0.01), 1);
    feed(b, row(0.01, 0.01), 2);
    feed(b, row(0.7, 0.05), 3);
    const hypothesis *best = beam_get(b, 0);
    ck_assert_uint_eq(best->length, 2);
    ck_assert_uint_eq(best->tokens[1].frame, 3);
    beam_cut(b, 1, 2);
    best = beam_get(b, 0);
    ck_assert_uint_eq(best->length, 1);
    ck_assert_uint_eq(best->tokens[0].token, 1);
    ck_assert_uint_eq(best->tokens[0].frame, 3);
    ck_assert_double_eq_tol(hypothesis_ctc(best), 0, 1e-12);
    bool has_empty = false;
    for (size_t i = 0; i < beam_count(b); i++) {
        const hypothesis *h = beam_get(b, i);
        ck_assert_uint_le(h->length, 2); /* encodings 2 and 3 */
        ck_assert(h->length == 0 || h->tokens[0].frame >= 2);
        if (h->length == 0) {
            has_empty = true;
            ck_assert_uint_eq(h->last, 1); /* the token cut off: its repetition is no new one */
        }
    }
    ck_assert(has_empty);
    /* What grows now still merges with what is there. */
    feed(b, row(0.5, 0.4), 4);
    for (size_t i = 0; i < beam_count(b); i++)
        for (size_t k = 0; k < i; k++) {
            const hypothesis *x = beam_get(b, i), *y = beam_get(b, k);
            bool same = x->length == y->length;
            for (size_t n = 0; same && n < x->length; n++)
                same = x->tokens[n].token == y->tokens[n].token;
            ck_assert(!same);
        }
    beam_destroy(b);
}
END_TEST

/* --- The language model --- */

/* Whether what the language model says next is what it says after the tokens. */
static void check_context(
    const fixture *f, const ngram_state *context, const uint32_t *tokens, size_t count)
{
    for (uint32_t token = 0; token < FIXTURE_TOKENS; token++)
        /* The same terms in another order. */
        ck_assert_double_eq_tol(ngram_score(f->lm, context, token),
            tiny_ngram_score(f->trie, tokens, count, token), 1e-12);
}

/* The tokens of a hypothesis behind `count` others; returns how many there are then. */
static size_t write_tokens(const hypothesis *h, uint32_t *tokens, size_t count)
{
    for (size_t i = 0; i < h->length; i++)
        tokens[count++] = h->tokens[i].token;
    return count;
}

/* Every hypothesis has the score of its own text, and a cut takes nothing from what it has heard:
 * scores keep their distances, contexts stay. */
START_TEST(lm_through_a_cut)
{
    enum { ENCODINGS = 8, WIDTH = 24 };
    fixture f;
    fixture_open(&f);
    beam *b = NULL;
    ck_assert_int_eq(beam_create(&(beam_options){.width = WIDTH,
                                     .tokens = FIXTURE_TOKENS,
                                     .max_length = 40,
                                     .ctc_weight = 1,
                                     .margin = 1e9,
                                     .lm = f.lm,
                                     .lm_weight = 0.5},
                         &b, NULL),
        STENO_OK);
    float ctc[ENCODINGS][FIXTURE_TOKENS];
    for (uint64_t t = 0; t < ENCODINGS; t++) {
        double sum = 0;
        tiny_model_noise((uint64_t)_i * ENCODINGS + t + 1, 3.0f, FIXTURE_TOKENS, ctc[t]);
        for (size_t i = 0; i < FIXTURE_TOKENS; i++)
            sum += exp((double)ctc[t][i]);
        for (size_t i = 0; i < FIXTURE_TOKENS; i++)
            ctc[t][i] -= (float)log(sum);
        feed(b, ctc[t], t);
    }

    double scores[WIDTH];
    uint32_t texts[WIDTH][ENCODINGS + 1] = {{0}};
    size_t lengths[WIDTH], before = beam_count(b);
    ck_assert_uint_eq(before, WIDTH);
    for (size_t i = 0; i < before; i++) {
        const hypothesis *h = beam_get(b, i);
        double lm = 0;
        lengths[i] = write_tokens(h, texts[i], 1);
        for (size_t k = 1; k < lengths[i]; k++)
            lm += tiny_ngram_score(f.trie, texts[i], k, texts[i][k]);
        ck_assert_double_eq_tol(h->score, hypothesis_ctc(h) + 0.5 * lm, 1e-9);
        check_context(&f, &h->context, texts[i], lengths[i]);
        scores[i] = h->score;
    }

    const hypothesis *best = beam_get(b, 0);
    ck_assert_uint_ge(best->length, 2);
    size_t count = best->length - 1;
    uint32_t text[ENCODINGS + 1];
    memcpy(text, texts[0], (1 + count) * sizeof *text);
    beam_cut(b, count, best->tokens[count].frame);
    ck_assert_uint_ge(beam_count(b), 2);
    for (size_t i = 0; i < beam_count(b); i++) {
        const hypothesis *h = beam_get(b, i);
        size_t length = write_tokens(h, text, 1 + count), k = 0;
        while (lengths[k] != length || memcmp(texts[k], text, length * sizeof *text) != 0)
            ck_assert_uint_lt(++k, before);
        ck_assert_double_eq_tol(h->score - beam_get(b, 0)->score, scores[k] - scores[0], 1e-9);
        check_context(&f, &h->context, text, length);
    }

    beam_continue(b);
    ck_assert_uint_eq(beam_count(b), 1);
    ck_assert_uint_eq(beam_get(b, 0)->length, 0);
    ck_assert_double_eq(beam_get(b, 0)->lm, 0);
    check_context(&f, &beam_get(b, 0)->context, texts[0], lengths[0]);
    beam_restart(b);
    check_context(&f, &beam_get(b, 0)->context, (const uint32_t[]){0}, 1);
    beam_destroy(b);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("beam");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, lm_through_a_cut, 0, 5);
    tcase_add_loop_test(tcase, all_alignments, 0, 10);
    tcase_add_loop_test(tcase, narrow_beam, 0, 5);
    tcase_add_test(tcase, token_times);
    tcase_add_test(tcase, certain_blank);
    tcase_add_test(tcase, full_prefixes);
    tcase_add_test(tcase, not_a_number);
    tcase_add_test(tcase, cutting);
    Suite *suite = suite_create("beam");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
