/*
 * The encoder against the PyTorch network: models/recipe/golden.py wrote a tiny model together
 * with what the network computes for one recording, stage by stage.
 *
 *     test_encoder TINY.safetensors
 *
 * The output of block K is what an encoder of K + 1 blocks gives, so no stage needs to be laid
 * open; the subsampling is reached through its own header.
 *
 * Both sides compute in f32 and differ in the order of their sums: 7e-7 was measured on values of
 * order 1, and a wrong detail (a bias one distance off, a mask one frame wide) changes some by
 * 0.01.
 */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "encoder/encoder.h"
#include "encoder/subsampling.h"

static const float tolerance = 1e-5f;
static const char *path;

typedef struct golden {
    void *bytes;
    nn_weights *weights;
    encoder_config config;
    size_t chunk;
    float *frames; /* [frame_count, mel_bins] */
    size_t frame_count, rows;
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
    g->config = (encoder_config){
        .mel_bins = config_size(json, "mel_bins"),
        .subsampling = config_size(json, "subsampling"),
        .subsampling_channels = config_size(json, "subsampling_channels"),
        .dimension = config_size(json, "dimension"),
        .blocks = config_size(json, "blocks"),
        .heads = config_size(json, "heads"),
        .feed_forward = config_size(json, "feed_forward"),
        .kernel = config_size(json, "kernel"),
        .left_context = config_size(json, "left_context"),
        .max_chunk = config_size(json, "max_chunk"),
    };
    json_decref(json);
}

/* The array of that name [rows, columns] (memory_free); rows: 0 for as many as there are. */
static float *read_array(const golden *g, const char *name, size_t *rows, size_t columns)
{
    for (size_t i = 0; i < nn_weights_count(g->weights); i++) {
        const nn_tensor *tensor = nn_weights_at(g->weights, i);
        if (strcmp(tensor->name, name) != 0)
            continue;
        ck_assert_uint_eq(tensor->rank, 2);
        ck_assert(*rows == 0 || tensor->shape[0] == *rows);
        ck_assert_uint_eq(tensor->shape[1], columns);
        *rows = tensor->shape[0];
        float *values = memory_allocate(*rows * columns, sizeof *values);
        nn_tensor_to_float(tensor, values);
        return values;
    }
    ck_abort_msg("no array %s", name);
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
    const char *chunk = nn_weights_metadata(g->weights, "golden_chunk");
    ck_assert_ptr_nonnull(chunk);
    g->chunk = strtoul(chunk, NULL, 10);
    g->frames = read_array(g, "golden.frames", &g->frame_count, g->config.mel_bins);
    g->rows = (g->frame_count - 1) / g->config.subsampling + 1;
}

static void golden_close(golden *g)
{
    memory_free(g->frames);
    nn_weights_close(g->weights);
    memory_free(g->bytes);
}

static void assert_close(const golden *g, const char *name, const float *values)
{
    size_t rows = g->rows, d = g->config.dimension;
    float *expected = read_array(g, name, &rows, d);
    for (size_t i = 0; i < rows * d; i++)
        ck_assert_msg(fabsf(values[i] - expected[i]) <= tolerance, "%s[%zu, %zu]: %g, not %g", name,
            i / d, i % d, values[i], expected[i]);
    memory_free(expected);
}

static const nn_ops *operators(int which)
{
    return which == 0 ? nn_ops_reference() : nn_ops_onednn();
}

/* What an encoder of that many blocks gives, in calls of `chunks_per_call`; memory_free. */
static float *encode(const golden *g, const nn_ops *ops, size_t blocks, size_t chunks_per_call)
{
    encoder_config config = g->config;
    config.blocks = blocks;
    encoder *e;
    encoder_state *state;
    nn_scratch *scratch;
    steno_error error = {0};
    ck_assert_msg(
        encoder_create(&config, g->weights, ops, NN_PRECISION_F32, 64, &e, &error) == STENO_OK,
        "%s", error.message);
    ck_assert_int_eq(encoder_state_create(e, g->chunk, &state, NULL), STENO_OK);
    ck_assert_int_eq(nn_scratch_create(encoder_scratch(e), &scratch, NULL), STENO_OK);
    float *out = memory_allocate(g->rows * config.dimension, sizeof *out);
    size_t row = 0;
    for (size_t done = 0; done < g->frame_count;) {
        size_t count = encoder_frames_wanted(state, chunks_per_call);
        count = count < g->frame_count - done ? count : g->frame_count - done;
        size_t rows = encoder_encodings_after(state, count);
        encoder_item item = {
            state, g->frames + done * config.mel_bins, count, out + row * config.dimension};
        encoder_forward(e, scratch, &item, 1);
        done += count;
        row += rows;
    }
    ck_assert_uint_eq(row, g->rows);
    nn_scratch_destroy(scratch);
    encoder_state_destroy(state);
    encoder_destroy(e);
    return out;
}

START_TEST(each_block)
{
    golden g;
    golden_open(&g);
    for (size_t block = 0; block < g.config.blocks; block++) {
        char name[48];
        snprintf(name, sizeof name, "golden.block.%zu", block);
        float *out = encode(&g, operators(_i), block + 1, 1);
        assert_close(&g, name, out);
        memory_free(out);
    }
    golden_close(&g);
}
END_TEST

START_TEST(encodings)
{
    golden g;
    golden_open(&g);
    for (size_t chunks_per_call = 1; chunks_per_call <= 3; chunks_per_call++) {
        float *out = encode(&g, operators(_i), g.config.blocks, chunks_per_call);
        assert_close(&g, "golden.encodings", out);
        memory_free(out);
    }
    golden_close(&g);
}
END_TEST

START_TEST(subsampled)
{
    golden g;
    golden_open(&g);
    const nn_ops *ops = operators(_i);
    steno_error error = {0};
    loader l = {
        .config = &g.config,
        .weights = g.weights,
        .ops = ops,
        .precision = NN_PRECISION_F32,
        .max_rows = g.rows,
        .error = &error,
    };
    subsampling s = {0};
    subsampling_load(&s, &l);
    ck_assert_msg(l.status == STENO_OK, "%s", error.message);
    struct encoder_state state = {.rows = g.rows};
    for (size_t i = 0; i < s.stage_count; i++)
        state.stages[i].frames =
            memory_allocate(subsampling_cache_size(&s, i), sizeof *state.stages[i].frames);
    subsampling_reset(&s, &state);
    nn_scratch *scratch;
    ck_assert_int_eq(
        nn_scratch_create(subsampling_scratch(&s, ops, g.rows), &scratch, NULL), STENO_OK);
    float *x = memory_allocate(g.rows * g.config.dimension, sizeof *x);
    encoder_item item = {&state, g.frames, g.frame_count, NULL};
    batch b = {ops, scratch, &item, 1, g.rows, x};
    subsampling_run(&s, &b);
    assert_close(&g, "golden.subsampled", x);
    memory_free(x);
    nn_scratch_destroy(scratch);
    for (size_t i = 0; i < s.stage_count; i++)
        memory_free(state.stages[i].frames);
    subsampling_finish(&s, ops);
    golden_close(&g);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s TINY.safetensors\n", argv[0]);
        return EXIT_FAILURE;
    }
    path = argv[1];
    Suite *suite = suite_create("encoder golden");
    TCase *tests = tcase_create("tiny");
    /* Each test runs with every implementation of the operators. */
    int all = nn_ops_onednn() ? 2 : 1;
    tcase_add_loop_test(tests, subsampled, 0, all);
    tcase_add_loop_test(tests, each_block, 0, all);
    tcase_add_loop_test(tests, encodings, 0, all);
    tcase_set_timeout(tests, 300); /* valgrind on a slow machine */
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
