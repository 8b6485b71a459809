/*
 * The encoder against the PyTorch network, stage by stage.  The output of block K is what an
 * encoder of K + 1 blocks gives, so no stage needs to be laid open; the subsampling is reached
 * through its own header.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "encoder/encoder.h"
#include "encoder/subsampling.h"
#include "golden.h"

typedef struct material {
    golden golden;
    encoder_config config;
    size_t chunk;
    float *frames; /* [frame_count, mel_bins] */
    size_t frame_count, rows;
} material;

static void material_open(material *m)
{
    golden *g = &m->golden;
    golden_open(g);
    m->config = (encoder_config){
        .mel_bins = golden_config(g, "mel_bins"),
        .subsampling = golden_config(g, "subsampling"),
        .subsampling_channels = golden_config(g, "subsampling_channels"),
        .dimension = golden_config(g, "dimension"),
        .blocks = golden_config(g, "blocks"),
        .heads = golden_config(g, "heads"),
        .feed_forward = golden_config(g, "feed_forward"),
        .kernel = golden_config(g, "kernel"),
        .left_context = golden_config(g, "left_context"),
        .max_chunk = golden_config(g, "max_chunk"),
    };
    const char *chunk = nn_weights_metadata(g->numbers, "golden_chunk");
    ck_assert_ptr_nonnull(chunk);
    m->chunk = strtoul(chunk, NULL, 10);
    m->frame_count = golden_find(g, "golden.frames")->shape[0];
    m->frames = golden_floats(g, "golden.frames", m->frame_count, m->config.mel_bins);
    m->rows = (m->frame_count - 1) / m->config.subsampling + 1;
}

static void material_close(material *m)
{
    memory_free(m->frames);
    golden_close(&m->golden);
}

static void assert_close(const material *m, const char *name, const float *values)
{
    float *expected = golden_floats(&m->golden, name, m->rows, m->config.dimension);
    golden_assert_close(&m->golden, name, values, expected, m->rows, m->config.dimension);
    memory_free(expected);
}

/* What an encoder of that many blocks gives, in calls of `chunks_per_call`; memory_free. */
static float *encode(const material *m, const nn_ops *ops, size_t blocks, size_t chunks_per_call)
{
    encoder_config config = m->config;
    config.blocks = blocks;
    encoder *e;
    encoder_state *state;
    nn_scratch *scratch;
    steno_error error = {0};
    ck_assert_msg(
        encoder_create(&config, m->golden.model, ops, NN_PRECISION_F32, 64, &e, &error) == STENO_OK,
        "%s", error.message);
    ck_assert_int_eq(encoder_state_create(e, m->chunk, &state, NULL), STENO_OK);
    ck_assert_int_eq(nn_scratch_create(encoder_scratch(e), &scratch, NULL), STENO_OK);
    float *out = memory_allocate(m->rows * config.dimension, sizeof *out);
    size_t row = 0;
    for (size_t done = 0; done < m->frame_count;) {
        size_t count = encoder_frames_wanted(state, chunks_per_call);
        count = count < m->frame_count - done ? count : m->frame_count - done;
        size_t rows = encoder_encodings_after(state, count);
        encoder_item item = {
            state, m->frames + done * config.mel_bins, count, out + row * config.dimension};
        encoder_forward(e, scratch, &item, 1);
        done += count;
        row += rows;
    }
    ck_assert_uint_eq(row, m->rows);
    nn_scratch_destroy(scratch);
    encoder_state_destroy(state);
    encoder_destroy(e);
    return out;
}

START_TEST(each_block)
{
    material m;
    material_open(&m);
    for (size_t block = 0; block < m.config.blocks; block++) {
        char name[48];
        snprintf(name, sizeof name, "golden.block.%zu", block);
        float *out = encode(&m, golden_operators(_i), block + 1, 1);
        assert_close(&m, name, out);
        memory_free(out);
    }
    material_close(&m);
}
END_TEST

START_TEST(encodings)
{
    material m;
    material_open(&m);
    for (size_t chunks_per_call = 1; chunks_per_call <= 3; chunks_per_call++) {
        float *out = encode(&m, golden_operators(_i), m.config.blocks, chunks_per_call);
        assert_close(&m, "golden.encodings", out);
        memory_free(out);
    }
    material_close(&m);
}
END_TEST

START_TEST(subsampled)
{
    material m;
    material_open(&m);
    const nn_ops *ops = golden_operators(_i);
    steno_error error = {0};
    loader l = {
        .config = &m.config,
        .weights = m.golden.model,
        .ops = ops,
        .precision = NN_PRECISION_F32,
        .max_rows = m.rows,
        .error = &error,
    };
    subsampling s = {0};
    subsampling_load(&s, &l);
    ck_assert_msg(l.status == STENO_OK, "%s", error.message);
    struct encoder_state state = {.rows = m.rows};
    for (size_t i = 0; i < s.stage_count; i++)
        state.stages[i].frames =
            memory_allocate(subsampling_cache_size(&s, i), sizeof *state.stages[i].frames);
    subsampling_reset(&s, &state);
    nn_scratch *scratch;
    ck_assert_int_eq(
        nn_scratch_create(subsampling_scratch(&s, ops, m.rows), &scratch, NULL), STENO_OK);
    float *x = memory_allocate(m.rows * m.config.dimension, sizeof *x);
    encoder_item item = {&state, m.frames, m.frame_count, NULL};
    batch b = {ops, scratch, &item, 1, m.rows, x};
    subsampling_run(&s, &b);
    assert_close(&m, "golden.subsampled", x);
    memory_free(x);
    nn_scratch_destroy(scratch);
    for (size_t i = 0; i < s.stage_count; i++)
        memory_free(state.stages[i].frames);
    subsampling_finish(&s, ops);
    material_close(&m);
}
END_TEST

int main(int argc, char **argv)
{
    if (!golden_arguments(argc, argv))
        return EXIT_FAILURE;
    /* Each test runs with every implementation of the operators. */
    TCase *tests = tcase_create("encoder");
    tcase_add_loop_test(tests, subsampled, 0, golden_operator_sets());
    tcase_add_loop_test(tests, each_block, 0, golden_operator_sets());
    tcase_add_loop_test(tests, encodings, 0, golden_operator_sets());
    return golden_run(tests, "encoder golden");
}
