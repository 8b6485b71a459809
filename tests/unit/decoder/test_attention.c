/* The network against plain double precision: CTC, and chains of attention steps. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decoder/attention.h"
#include "decoder/ctc.h"
#include "fixture.h"
#include "plain_decoder.h"
#include "support/suite.h"

/* Sums of a few dozen f32 products of values of size 1 round to about 1e-6; four steps of an LSTM
 * carry that on, and energies multiply it a few times. */
static const double TOLERANCE = 2e-5;

enum { ENCODINGS = 20, STATES = 40 };

typedef struct network {
    fixture f;
    attention *attention;
    plain *plain;
    nn_scratch *scratch;
    float *encodings; /* [ENCODINGS, dimension] */
    float *keys;      /* [ENCODINGS, attention] */
} network;

static void network_open(network *n, const nn_ops *ops)
{
    fixture_open(&n->f);
    const decoder_config *c = &n->f.config;
    ck_assert_int_eq(
        attention_create(c, n->f.weights, ops, NN_PRECISION_F32, ENCODINGS, &n->attention, NULL),
        STENO_OK);
    size_t keys = attention_keys_scratch(n->attention, ENCODINGS);
    size_t steps = attention_advance_scratch(n->attention);
    ck_assert_int_eq(nn_scratch_create(keys > steps ? keys : steps, &n->scratch, NULL), STENO_OK);
    n->plain = plain_create(c, n->f.weights);
    n->encodings = calloc(ENCODINGS * c->dimension, sizeof(float));
    n->keys = calloc(ENCODINGS * c->attention, sizeof(float));
    tiny_model_noise(5, 1.5f, ENCODINGS * c->dimension, n->encodings);
    attention_keys(n->attention, n->scratch, n->encodings, ENCODINGS, n->keys);
}

static void network_close(network *n)
{
    free(n->encodings);
    free(n->keys);
    plain_destroy(n->plain);
    nn_scratch_destroy(n->scratch);
    attention_destroy(n->attention);
    fixture_close(&n->f);
}

static attention_state new_state(const decoder_config *c)
{
    float *values = calloc(2 * c->lstm + c->window, sizeof *values);
    return (attention_state){
        .hidden = values, .cell = values + c->lstm, .alignment = values + 2 * c->lstm};
}

static void compare_state(
    const decoder_config *c, const attention_state *state, const plain_state *expected)
{
    for (size_t k = 0; k < c->lstm; k++) {
        ck_assert_double_eq_tol((double)state->hidden[k], expected->hidden[k], TOLERANCE);
        ck_assert_double_eq_tol((double)state->cell[k], expected->cell[k], TOLERANCE);
    }
    for (size_t j = 0; j < ENCODINGS; j++) {
        bool inside = j >= state->first && j < state->first + state->count;
        double value = inside ? (double)state->alignment[j - state->first] : 0.0;
        ck_assert_double_eq_tol(value, expected->alignment[j], TOLERANCE);
    }
}

static attention_step make_step(const network *n, size_t low, size_t high, uint32_t token,
    const attention_state *before, attention_state *after)
{
    const decoder_config *c = &n->f.config;
    return (attention_step){.before = before,
        .after = after,
        .token = token,
        .first = low,
        .visible = high - low + 1,
        .encodings = n->encodings + low * c->dimension,
        .keys = n->keys + low * c->attention};
}

static const nn_ops *test_ops(int which)
{
    return which ? nn_ops_onednn() : nn_ops_reference();
}

/* Windows that slide, jump past all of the previous alignment, go back and shrink to one. */
START_TEST(chain_of_steps)
{
    static const struct {
        size_t low, high;
        uint32_t token;
    } chain[] = {
        {0, 2, 0}, {1, 7, 3}, {1, 7, 3}, {2, 8, 11}, {13, 19, 1}, {12, 14, 5}, {19, 19, 2}};
    const nn_ops *ops = test_ops(_i);
    if (!ops)
        return;
    network n;
    network_open(&n, ops);
    const decoder_config *c = &n.f.config;
    plain_state expected = {0};
    attention_state states[2] = {new_state(c), new_state(c)};
    for (size_t i = 0; i < sizeof chain / sizeof chain[0]; i++) {
        float out[FIXTURE_TOKENS];
        double expected_out[FIXTURE_TOKENS];
        attention_step step = make_step(
            &n, chain[i].low, chain[i].high, chain[i].token, &states[i % 2], &states[(i + 1) % 2]);
        attention_advance(n.attention, n.scratch, &step, 1, out);
        plain_step(n.plain, n.encodings, ENCODINGS, chain[i].low, chain[i].high, chain[i].token,
            &expected, &expected, expected_out);
        for (size_t token = 0; token < c->tokens; token++)
            ck_assert_double_eq_tol((double)out[token], expected_out[token], TOLERANCE);
        compare_state(c, &states[(i + 1) % 2], &expected);
    }
    free(states[0].hidden);
    free(states[1].hidden);
    network_close(&n);
}
END_TEST

/* As many steps as fit, of different windows, some from one state: each as if alone. */
START_TEST(batch_equals_single)
{
    network n;
    network_open(&n, nn_ops_reference());
    const decoder_config *c = &n.f.config;
    attention_state first = new_state(c), states[STATES], alone = new_state(c);
    attention_step steps[STATES];
    float out[ATTENTION_MAX_STEPS * FIXTURE_TOKENS], out_alone[FIXTURE_TOKENS];
    tiny_model_noise(9, 0.8f, c->lstm, first.hidden);
    for (size_t i = 0; i < ATTENTION_MAX_STEPS; i++) {
        states[i] = new_state(c);
        size_t high = i % ENCODINGS, low = high > i % c->window ? high - i % c->window : 0;
        steps[i] = make_step(&n, low, high, (uint32_t)(i % c->tokens), &first, &states[i]);
    }
    attention_advance(n.attention, n.scratch, steps, ATTENTION_MAX_STEPS, out);
    for (size_t i = 0; i < ATTENTION_MAX_STEPS; i++) {
        steps[i].after = &alone;
        attention_advance(n.attention, n.scratch, &steps[i], 1, out_alone);
        ck_assert_mem_eq(out_alone, out + i * c->tokens, sizeof out_alone);
        ck_assert_mem_eq(alone.hidden, states[i].hidden, 2 * c->lstm * sizeof(float));
        ck_assert_uint_eq(alone.count, states[i].count);
        ck_assert_mem_eq(alone.alignment, states[i].alignment, alone.count * sizeof(float));
        free(states[i].hidden);
    }
    attention_advance(n.attention, n.scratch, steps, 0, out);
    free(first.hidden);
    free(alone.hidden);
    network_close(&n);
}
END_TEST

START_TEST(ctc_rows)
{
    const nn_ops *ops = test_ops(_i);
    if (!ops)
        return;
    network n;
    network_open(&n, ops);
    const decoder_config *c = &n.f.config;
    ctc *head = NULL;
    nn_scratch *scratch = NULL;
    float out[ENCODINGS * FIXTURE_TOKENS];
    ck_assert_int_eq(
        ctc_create(c, n.f.weights, ops, NN_PRECISION_F32, ENCODINGS, &head, NULL), STENO_OK);
    ck_assert_int_eq(nn_scratch_create(ctc_scratch(head, ENCODINGS), &scratch, NULL), STENO_OK);
    ctc_forward(head, scratch, n.encodings, ENCODINGS, out);
    for (size_t t = 0; t < ENCODINGS; t++) {
        double expected[FIXTURE_TOKENS];
        plain_ctc(n.plain, n.encodings + t * c->dimension, 0, expected);
        for (size_t i = 0; i < c->tokens; i++)
            ck_assert_double_eq_tol((double)out[t * c->tokens + i], expected[i], TOLERANCE);
    }
    ctc_destroy(head);
    nn_scratch_destroy(scratch);
    network_close(&n);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("attention");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, chain_of_steps, 0, 2);
    tcase_add_test(tcase, batch_equals_single);
    tcase_add_loop_test(tcase, ctc_rows, 0, 2);
    Suite *suite = suite_create("attention");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
