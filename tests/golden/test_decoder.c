/*
 * The CTC head, the attention decoder and the token list against the PyTorch network.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/attention.h"
#include "decoder/ctc.h"
#include "decoder/vocabulary.h"
#include "golden.h"

typedef struct material {
    golden golden;
    decoder_config config;
    size_t rows;      /* encodings */
    float *encodings; /* [rows, dimension] */
    nn_scratch *scratch;
} material;

static void material_open(material *m)
{
    golden *g = &m->golden;
    golden_open(g);
    m->config = (decoder_config){
        .dimension = golden_config(g, "dimension"),
        .tokens = golden_config(g, "tokens"),
        .ctc_frames = golden_ctc_frames(g),
        .embedding = golden_config(g, "decoder_embedding"),
        .lstm = golden_config(g, "decoder_lstm"),
        .attention = golden_config(g, "decoder_attention"),
        .location_filters = golden_config(g, "location_filters"),
        .location_width = golden_config(g, "location_width"),
        .look_ahead = golden_config(g, "look_ahead"),
        .window = golden_config(g, "attention_window"),
    };
    m->rows = golden_find(g, "golden.encodings")->shape[0];
    m->encodings = golden_floats(g, "golden.encodings", m->rows, m->config.dimension);
    ck_assert_int_eq(nn_scratch_create((size_t)1 << 22, &m->scratch, NULL), STENO_OK);
}

static void material_close(material *m)
{
    nn_scratch_destroy(m->scratch);
    memory_free(m->encodings);
    golden_close(&m->golden);
}

START_TEST(ctc_head)
{
    material m;
    material_open(&m);
    ctc *head = NULL;
    ck_assert_int_eq(ctc_create(&m.config, m.golden.model, golden_operators(_i), NN_PRECISION_F32,
                         m.rows, &head, NULL),
        STENO_OK);
    size_t frames = m.rows * m.config.ctc_frames;
    float *expected = golden_floats(&m.golden, "golden.ctc", frames, m.config.tokens);
    float *out = memory_allocate(frames * m.config.tokens, sizeof *out);
    ctc_forward(head, m.scratch, m.encodings, m.rows, out);
    golden_assert_close(&m.golden, "golden.ctc", out, expected, frames, m.config.tokens);
    memory_free(out);
    memory_free(expected);
    ctc_destroy(head);
    material_close(&m);
}
END_TEST

static attention_state new_state(const decoder_config *c)
{
    float *values = memory_allocate(2 * c->lstm + c->window, sizeof *values);
    return (attention_state){
        .hidden = values, .cell = values + c->lstm, .alignment = values + 2 * c->lstm};
}

START_TEST(attention_steps)
{
    material m;
    material_open(&m);
    const decoder_config *c = &m.config;
    attention *network = NULL;
    ck_assert_int_eq(attention_create(c, m.golden.model, golden_operators(_i), NN_PRECISION_F32,
                         m.rows, &network, NULL),
        STENO_OK);
    float *keys = memory_allocate(m.rows * c->attention, sizeof *keys);
    attention_keys(network, m.scratch, m.encodings, m.rows, keys);
    size_t steps, triggers_count;
    size_t *tokens = golden_list(&m.golden, "golden.attention.tokens", c->tokens, &steps);
    size_t *triggers = golden_list(&m.golden, "golden.attention.triggers", m.rows, &triggers_count);
    ck_assert_uint_eq(steps, triggers_count);
    ck_assert_uint_ge(steps, 3);
    float *alignments = golden_floats(&m.golden, "golden.attention.alignments", steps, m.rows);
    float *logits = golden_floats(&m.golden, "golden.attention.logits", steps, c->tokens);
    float *out = memory_allocate(c->tokens, sizeof *out);
    float *row = memory_allocate(m.rows, sizeof *row);
    attention_state states[2] = {new_state(c), new_state(c)};
    for (size_t i = 0; i < steps; i++) {
        size_t end = triggers[i] + c->look_ahead + 1;
        size_t first = end > c->window ? end - c->window : 0;
        end = end < m.rows ? end : m.rows;
        attention_state *after = &states[(i + 1) % 2];
        attention_step step = {.before = &states[i % 2],
            .after = after,
            .token = (uint32_t)tokens[i],
            .first = first,
            .visible = end - first,
            .encodings = m.encodings + first * c->dimension,
            .keys = keys + first * c->attention};
        attention_advance(network, m.scratch, &step, 1, out);
        memset(row, 0, m.rows * sizeof *row);
        memcpy(row + after->first, after->alignment, after->count * sizeof *row);
        golden_assert_close(
            &m.golden, "golden.attention.alignments", row, alignments + i * m.rows, 1, m.rows);
        golden_assert_close(
            &m.golden, "golden.attention.logits", out, logits + i * c->tokens, 1, c->tokens);
    }
    memory_free(states[0].hidden);
    memory_free(states[1].hidden);
    memory_free(row);
    memory_free(out);
    memory_free(logits);
    memory_free(alignments);
    memory_free(triggers);
    memory_free(tokens);
    memory_free(keys);
    attention_destroy(network);
    material_close(&m);
}
END_TEST

START_TEST(token_list)
{
    material m;
    material_open(&m);
    vocabulary *v = NULL;
    ck_assert_int_eq(
        vocabulary_create(nn_weights_metadata(m.golden.model, "tokens"), m.config.tokens, &v, NULL),
        STENO_OK);
    ck_assert_str_eq(vocabulary_text(v, 1), " ");
    ck_assert_str_eq(vocabulary_text(v, 2), " the");
    ck_assert_str_eq(vocabulary_text(v, (uint32_t)m.config.tokens - 1), "ing");
    vocabulary_destroy(v);
    material_close(&m);
}
END_TEST

int main(int argc, char **argv)
{
    if (!golden_arguments(argc, argv))
        return EXIT_FAILURE;
    /* Each test runs with every implementation of the operators. */
    TCase *tests = tcase_create("decoder");
    tcase_add_loop_test(tests, ctc_head, 0, golden_operator_sets());
    tcase_add_loop_test(tests, attention_steps, 0, golden_operator_sets());
    if (argc == 2) /* the tiny model */
        tcase_add_test(tests, token_list);
    return golden_run(tests, "decoder golden");
}
