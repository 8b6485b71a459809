/*
 * The CTC head, the attention decoder and the token list against the PyTorch network:
 * models/recipe/golden.py wrote a tiny model together with what the network computes.
 *
 *     test_decoder TINY.safetensors
 *
 * Both sides compute in f32 and differ in the order of their sums; a wrong detail (another order
 * of gates, a window or a filter one encoding off) changes some values by 0.01 or more.
 */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "decoder/attention.h"
#include "decoder/ctc.h"
#include "decoder/vocabulary.h"

/* Between 5e-7 and 1e-6 was measured, on log-probabilities of about -4. */
static const float tolerance = 1e-5f;
static const char *path;

typedef struct golden {
    void *bytes;
    nn_weights *weights;
    decoder_config config;
    size_t rows;      /* encodings */
    float *encodings; /* [rows, dimension] */
    nn_scratch *scratch;
} golden;

static size_t config_size(json_t *config, const char *name)
{
    json_t *value = json_object_get(config, name);
    ck_assert_msg(json_is_integer(value), "config has no number %s", name);
    return (size_t)json_integer_value(value);
}

static void read_config(golden *g)
{
    const char *text = nn_weights_metadata(g->weights, "config");
    ck_assert_ptr_nonnull(text);
    json_t *json = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(json);
    g->config = (decoder_config){
        .dimension = config_size(json, "dimension"),
        .tokens = config_size(json, "tokens"),
        .embedding = config_size(json, "decoder_embedding"),
        .lstm = config_size(json, "decoder_lstm"),
        .attention = config_size(json, "decoder_attention"),
        .location_filters = config_size(json, "location_filters"),
        .location_width = config_size(json, "location_width"),
        .look_ahead = config_size(json, "look_ahead"),
        .window = config_size(json, "attention_window"),
    };
    json_decref(json);
}

static const nn_tensor *find(const golden *g, const char *name)
{
    for (size_t i = 0; i < nn_weights_count(g->weights); i++)
        if (strcmp(nn_weights_at(g->weights, i)->name, name) == 0)
            return nn_weights_at(g->weights, i);
    ck_abort_msg("no array %s", name);
}

/* The array of that name [rows, columns] as floats; memory_free. */
static float *read_array(const golden *g, const char *name, size_t rows, size_t columns)
{
    const nn_tensor *tensor = find(g, name);
    ck_assert_uint_eq(tensor->rank, 2);
    ck_assert_uint_eq(tensor->shape[0], rows);
    ck_assert_uint_eq(tensor->shape[1], columns);
    float *values = memory_allocate(rows * columns, sizeof *values);
    nn_tensor_to_float(tensor, values);
    return values;
}

/* The list of whole numbers of that name, below `end`; memory_free. */
static size_t *read_list(const golden *g, const char *name, size_t end, size_t *out_count)
{
    const nn_tensor *tensor = find(g, name);
    ck_assert_int_eq(tensor->type, NN_I64);
    ck_assert_uint_eq(tensor->rank, 1);
    *out_count = tensor->shape[0];
    size_t *list = memory_allocate(*out_count, sizeof *list);
    for (size_t i = 0; i < *out_count; i++) {
        int64_t value;
        memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
        ck_assert(value >= 0 && (size_t)value < end);
        list[i] = (size_t)value;
    }
    return list;
}

static void golden_open(golden *g)
{
    *g = (golden){0};
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    ck_assert_int_gt(size, 0);
    rewind(file);
    g->bytes = memory_allocate((size_t)size, 1);
    ck_assert_uint_eq(fread(g->bytes, 1, (size_t)size, file), size);
    fclose(file);
    steno_error error = {0};
    ck_assert_msg(nn_weights_open(g->bytes, (size_t)size, &g->weights, &error) == STENO_OK, "%s",
        error.message);
    read_config(g);
    g->rows = find(g, "golden.encodings")->shape[0];
    g->encodings = read_array(g, "golden.encodings", g->rows, g->config.dimension);
    ck_assert_int_eq(nn_scratch_create((size_t)1 << 22, &g->scratch, NULL), STENO_OK);
}

static void golden_close(golden *g)
{
    nn_scratch_destroy(g->scratch);
    memory_free(g->encodings);
    nn_weights_close(g->weights);
    memory_free(g->bytes);
}

static void assert_close(
    const char *name, const float *values, const float *expected, size_t row, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabsf(values[i] - expected[i]) <= tolerance, "%s[%zu, %zu]: %g, not %g", name,
            row, i, (double)values[i], (double)expected[i]);
}

static const nn_ops *operators(int which)
{
    return which == 0 ? nn_ops_reference() : nn_ops_onednn();
}

START_TEST(ctc_head)
{
    golden g;
    golden_open(&g);
    ctc *head = NULL;
    ck_assert_int_eq(
        ctc_create(&g.config, g.weights, operators(_i), NN_PRECISION_F32, g.rows, &head, NULL),
        STENO_OK);
    float *expected = read_array(&g, "golden.ctc", g.rows, g.config.tokens);
    float *out = memory_allocate(g.rows * g.config.tokens, sizeof *out);
    ctc_forward(head, g.scratch, g.encodings, g.rows, out);
    for (size_t t = 0; t < g.rows; t++)
        assert_close("golden.ctc", out + t * g.config.tokens, expected + t * g.config.tokens, t,
            g.config.tokens);
    memory_free(out);
    memory_free(expected);
    ctc_destroy(head);
    golden_close(&g);
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
    golden g;
    golden_open(&g);
    const decoder_config *c = &g.config;
    attention *network = NULL;
    ck_assert_int_eq(
        attention_create(c, g.weights, operators(_i), NN_PRECISION_F32, g.rows, &network, NULL),
        STENO_OK);
    float *keys = memory_allocate(g.rows * c->attention, sizeof *keys);
    attention_keys(network, g.scratch, g.encodings, g.rows, keys);
    size_t steps, triggers_count;
    size_t *tokens = read_list(&g, "golden.attention.tokens", c->tokens, &steps);
    size_t *triggers = read_list(&g, "golden.attention.triggers", g.rows, &triggers_count);
    ck_assert_uint_eq(steps, triggers_count);
    ck_assert_uint_ge(steps, 3);
    float *alignments = read_array(&g, "golden.attention.alignments", steps, g.rows);
    float *logits = read_array(&g, "golden.attention.logits", steps, c->tokens);
    float *out = memory_allocate(c->tokens, sizeof *out);
    float *row = memory_allocate(g.rows, sizeof *row);
    attention_state states[2] = {new_state(c), new_state(c)};
    for (size_t i = 0; i < steps; i++) {
        size_t end = triggers[i] + c->look_ahead + 1;
        size_t first = end > c->window ? end - c->window : 0;
        end = end < g.rows ? end : g.rows;
        attention_state *after = &states[(i + 1) % 2];
        attention_step step = {.before = &states[i % 2],
            .after = after,
            .token = (uint32_t)tokens[i],
            .first = first,
            .visible = end - first,
            .encodings = g.encodings + first * c->dimension,
            .keys = keys + first * c->attention};
        attention_advance(network, g.scratch, &step, 1, out);
        memset(row, 0, g.rows * sizeof *row);
        memcpy(row + after->first, after->alignment, after->count * sizeof *row);
        assert_close("golden.attention.alignments", row, alignments + i * g.rows, i, g.rows);
        assert_close("golden.attention.logits", out, logits + i * c->tokens, i, c->tokens);
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
    golden_close(&g);
}
END_TEST

START_TEST(token_list)
{
    golden g;
    golden_open(&g);
    vocabulary *v = NULL;
    ck_assert_int_eq(
        vocabulary_create(nn_weights_metadata(g.weights, "tokens"), g.config.tokens, &v, NULL),
        STENO_OK);
    ck_assert_str_eq(vocabulary_text(v, 1), " ");
    ck_assert_str_eq(vocabulary_text(v, 2), " the");
    ck_assert_str_eq(vocabulary_text(v, (uint32_t)g.config.tokens - 1), "ing");
    vocabulary_destroy(v);
    golden_close(&g);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: test_decoder TINY.safetensors\n");
        return EXIT_FAILURE;
    }
    path = argv[1];
    int operator_sets = nn_ops_onednn() ? 2 : 1;
    TCase *tcase = tcase_create("golden decoder");
    tcase_add_loop_test(tcase, ctc_head, 0, operator_sets);
    tcase_add_loop_test(tcase, attention_steps, 0, operator_sets);
    tcase_add_test(tcase, token_list);
    Suite *suite = suite_create("golden decoder");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
