/* How the encoder is asked, and what it says to bad requests: counts, limits, damaged weights,
 * memory running out. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/suite.h"

START_TEST(frames_and_encodings)
{
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, nn_ops_reference(), NN_PRECISION_F32, 64);
    encoder_state *state = fixture_state(&f, 4);
    float *frames = fixture_frames(&f, 1, 8 * 64), *out = calloc(64 * 32, sizeof *out);

    ck_assert_uint_eq(encoder_frames_wanted(state, 1), 8 * 3 + 1);
    ck_assert_uint_eq(encoder_frames_wanted(state, 3), 8 * 11 + 1);
    ck_assert_uint_eq(encoder_encodings_after(state, 0), 0);
    ck_assert_uint_eq(encoder_encodings_after(state, 1), 1);
    ck_assert_uint_eq(encoder_encodings_after(state, 8), 1);
    ck_assert_uint_eq(encoder_encodings_after(state, 9), 2);

    ck_assert_uint_eq(fixture_forward(&f, state, frames, 25, out), 4);
    ck_assert_uint_eq(encoder_frames_wanted(state, 1), 8 * 4);
    ck_assert_uint_eq(encoder_frames_wanted(state, 2), 8 * 8);
    ck_assert_uint_eq(encoder_encodings_after(state, 7), 0);
    ck_assert_uint_eq(encoder_encodings_after(state, 8), 1);

    /* Three frames complete nothing; 5 more complete one encoding and cut the chunk. */
    ck_assert_uint_eq(fixture_forward(&f, state, frames, 3, out), 0);
    ck_assert_uint_eq(encoder_frames_wanted(state, 1), 8 * 4 - 3);
    ck_assert_uint_eq(fixture_forward(&f, state, frames, 5, out), 1);
    ck_assert_uint_eq(encoder_frames_wanted(state, 1), 8 * 4);

    encoder_state_reset(state);
    ck_assert_uint_eq(encoder_frames_wanted(state, 1), 8 * 3 + 1);
    encoder_state_destroy(state);
    free(frames);
    free(out);
    fixture_close(&f);
}
END_TEST

START_TEST(full_batch_fits_the_scratch)
{
    /* fixture_open gives exactly encoder_scratch bytes, and taking more would assert. */
    static const nn_precision precisions[] = {
        NN_PRECISION_F32, NN_PRECISION_BF16, NN_PRECISION_INT8};
    for (size_t p = 0; p < 6; p++) {
        const nn_ops *ops = p < 3 ? nn_ops_reference() : nn_ops_onednn();
        if (!ops || (p >= 3 && !ops->supports(precisions[p % 3])))
            continue;
        tiny_model_config model = tiny_model_default();
        fixture f;
        fixture_open(&f, &model, ops, precisions[p % 3], 48);
        float *frames = fixture_frames(&f, 1, 8 * 48), *out = calloc(48 * 32, sizeof *out);
        encoder_state *one = fixture_state(&f, 16), *two = fixture_state(&f, 16);
        ck_assert_uint_eq(fixture_forward(&f, one, frames, 8 * 47 + 1, out), 48);
        encoder_state_reset(one);
        encoder_item items[] = {
            {one, frames, 8 * 15 + 1, out}, {two, frames, 8 * 31 + 1, out + 16 * 32}};
        encoder_forward(f.encoder, f.scratch, items, 2);
        encoder_forward(f.encoder, f.scratch, items, 0);
        encoder_state_destroy(one);
        encoder_state_destroy(two);
        free(frames);
        free(out);
        fixture_close(&f);
    }
}
END_TEST

/* Expects encoder_create to refuse with this status and a message that has `words`. */
static void assert_refused(const encoder_config *config, const nn_weights *weights, size_t max_rows,
    steno_status expected, const char *words)
{
    encoder *made = NULL;
    steno_error error = {0};
    size_t alive = memory_alive();
    steno_status status = encoder_create(
        config, weights, nn_ops_reference(), NN_PRECISION_F32, max_rows, &made, &error);
    ck_assert_msg(status == expected, "%s: status %d (%s)", words, status, error.message);
    ck_assert_int_eq(error.status, expected);
    ck_assert_msg(strstr(error.message, words) != NULL, "%s: not in \"%s\"", words, error.message);
    ck_assert_ptr_null(made);
    ck_assert_uint_eq(memory_alive(), alive);
    ck_assert_int_eq(encoder_create(config, weights, nn_ops_reference(), NN_PRECISION_F32, max_rows,
                         &made, NULL),
        expected);
}

START_TEST(hostile_config)
{
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, nn_ops_reference(), NN_PRECISION_F32, 8);
#define FIELD(name) offsetof(encoder_config, name), #name
    static const struct {
        size_t offset;
        const char *name;
        size_t value;
    } bad[] = {
        {FIELD(mel_bins), 0},
        {FIELD(mel_bins), 79},
        {FIELD(mel_bins), SIZE_MAX - 1},
        {FIELD(subsampling), 0},
        {FIELD(subsampling), 1},
        {FIELD(subsampling), 6},
        {FIELD(subsampling), 32},
        {FIELD(subsampling), SIZE_MAX},
        {FIELD(subsampling_channels), 0},
        {FIELD(subsampling_channels), 1025},
        {FIELD(dimension), 0},
        {FIELD(dimension), (size_t)1 << 40},
        {FIELD(dimension), SIZE_MAX},
        {FIELD(blocks), 0},
        {FIELD(blocks), SIZE_MAX},
        {FIELD(heads), 0},
        {FIELD(heads), 5},
        {FIELD(heads), 64},
        {FIELD(feed_forward), 0},
        {FIELD(feed_forward), SIZE_MAX / 2},
        {FIELD(kernel), 0},
        {FIELD(kernel), SIZE_MAX},
        {FIELD(left_context), SIZE_MAX},
        {FIELD(max_chunk), 0},
        {FIELD(max_chunk), SIZE_MAX},
    };
#undef FIELD
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        encoder_config config = f.config;
        memcpy((char *)&config + bad[i].offset, &bad[i].value, sizeof bad[i].value);
        assert_refused(&config, f.weights, 8, STENO_ERROR_FORMAT, bad[i].name);
    }
    encoder_config config = f.config;
    config.mel_bins = 512;
    config.subsampling_channels = 1024;
    assert_refused(&config, f.weights, 8, STENO_ERROR_FORMAT, "subsampling_channels");
    assert_refused(&f.config, f.weights, 0, STENO_ERROR_ARGUMENT, "rows");
    assert_refused(&f.config, f.weights, SIZE_MAX, STENO_ERROR_ARGUMENT, "rows");
    fixture_close(&f);
}
END_TEST

/* A config that is possible but is not that of the weights. */
START_TEST(weights_of_another_config)
{
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, nn_ops_reference(), NN_PRECISION_F32, 8);
    encoder_config config = f.config;
    config.blocks = 3;
    assert_refused(
        &config, f.weights, 8, STENO_ERROR_FORMAT, "encoder.blocks.2.feed_forward_1.norm.weight");
    config = f.config;
    config.subsampling = 16;
    assert_refused(
        &config, f.weights, 8, STENO_ERROR_FORMAT, "encoder.subsampling.3.depthwise.weight");
    config = f.config;
    config.subsampling = 4;
    assert_refused(&config, f.weights, 8, STENO_ERROR_FORMAT, "encoder.subsampling.linear.weight");
    config = f.config;
    config.subsampling_channels = 9;
    assert_refused(&config, f.weights, 8, STENO_ERROR_FORMAT, "encoder.subsampling.0.weight");
    config = f.config;
    config.feed_forward = 47;
    assert_refused(
        &config, f.weights, 8, STENO_ERROR_FORMAT, "encoder.blocks.0.feed_forward_1.in.weight");
    config = f.config;
    config.left_context++;
    assert_refused(
        &config, f.weights, 8, STENO_ERROR_FORMAT, "encoder.blocks.0.attention.relative_bias");
    config = f.config;
    config.kernel++;
    assert_refused(
        &config, f.weights, 8, STENO_ERROR_FORMAT, "encoder.blocks.0.convolution.depthwise.weight");
    fixture_close(&f);
}
END_TEST

/* The file's bytes with one tensor's name changed: every tensor of the encoder is asked for. */
START_TEST(each_tensor_missing)
{
    tiny_model_config model = tiny_model_default();
    model.blocks = 1;
    fixture f;
    fixture_open(&f, &model, nn_ops_reference(), NN_PRECISION_F32, 8);
    size_t encoder_tensors = 0;
    for (size_t i = 0; i < nn_weights_count(f.weights); i++) {
        const char *name = nn_weights_at(f.weights, i)->name;
        if (strncmp(name, "encoder.", 8) != 0)
            continue;
        encoder_tensors++;
        size_t size;
        char *bytes = tiny_model_write(&model, &size);
        char quoted[160];
        snprintf(quoted, sizeof quoted, "\"%s\"", name);
        char *place = memmem(bytes, size, quoted, strlen(quoted));
        ck_assert_ptr_nonnull(place);
        place[1] = 'X';
        nn_weights *weights;
        ck_assert_int_eq(nn_weights_open(bytes, size, &weights, NULL), STENO_OK);
        encoder *made = NULL;
        steno_error error = {0};
        ck_assert_int_lt(encoder_create(&f.config, weights, nn_ops_reference(), NN_PRECISION_F32, 8,
                             &made, &error),
            0);
        ck_assert_msg(strstr(error.message, name) != NULL, "%s: \"%s\"", name, error.message);
        nn_weights_close(weights);
        free(bytes);
    }
    /* 2 + 2 x 4 + 2 of the subsampling; 6 + 7 + 10 + 6 + 2 of the block */
    ck_assert_uint_eq(encoder_tensors, 43);
    fixture_close(&f);
}
END_TEST

START_TEST(chunk_out_of_range)
{
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, nn_ops_reference(), NN_PRECISION_F32, 8);
    encoder_state *state = NULL;
    steno_error error;
    ck_assert_int_eq(encoder_state_create(f.encoder, 0, &state, &error), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "chunk of 0"));
    ck_assert_int_eq(encoder_state_create(f.encoder, 17, &state, &error), STENO_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(error.message, "chunk of 17"));
    ck_assert_ptr_null(state);
    fixture_close(&f);
}
END_TEST

START_TEST(memory_runs_out)
{
    const nn_ops *ops = _i ? nn_ops_onednn() : nn_ops_reference();
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, ops, NN_PRECISION_F32, 8);
    size_t alive = memory_alive();
    steno_status status = STENO_ERROR_MEMORY;
    size_t failures = 0;
    for (uint64_t nth = 1; status == STENO_ERROR_MEMORY; nth++) {
        encoder *made = NULL;
        encoder_state *state = NULL;
        steno_error error = {0};
        uint64_t fails_at = memory_attempts() + nth;
        memory_fail_at(fails_at);
        status = encoder_create(&f.config, f.weights, ops, NN_PRECISION_F32, 8, &made, &error);
        if (status == STENO_OK)
            status = encoder_state_create(made, 4, &state, &error);
        bool reached = memory_attempts() >= fails_at;
        memory_fail_at(0);
        ck_assert_int_eq(status, reached ? STENO_ERROR_MEMORY : STENO_OK);
        if (reached) {
            ck_assert_int_eq(error.status, STENO_ERROR_MEMORY);
            ck_assert_ptr_null(state);
            failures++;
        }
        encoder_state_destroy(state);
        encoder_destroy(made);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_int_eq(status, STENO_OK);
    ck_assert_uint_gt(failures, 100); /* every tensor is one at least */
    fixture_close(&f);
}
END_TEST

START_TEST(destroys_nothing)
{
    encoder_destroy(NULL);
    encoder_state_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encoder contract");
    TCase *tests = tcase_create("contract");
    tcase_add_test(tests, frames_and_encodings);
    tcase_add_test(tests, full_batch_fits_the_scratch);
    tcase_add_test(tests, hostile_config);
    tcase_add_test(tests, weights_of_another_config);
    tcase_add_test(tests, each_tensor_missing);
    tcase_add_test(tests, chunk_out_of_range);
    tcase_add_loop_test(tests, memory_runs_out, 0, nn_ops_onednn() ? 2 : 1);
    tcase_add_test(tests, destroys_nothing);
    tcase_set_timeout(tests, 300); /* valgrind on a slow machine */
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
