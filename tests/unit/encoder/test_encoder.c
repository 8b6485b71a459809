/*
 * What the encoder computes: against a plain implementation of the whole utterance, and against
 * itself cut, batched and reset in all ways.
 *
 * Tolerances.  Encodings come out of a layer norm and are of order 1.  `exact` bounds the
 * difference of f32 arithmetic from double over a few blocks, measured as 3e-6; an encoding one
 * frame or one key off is wrong by 0.01 and more.  `regrouped` bounds what only a different order
 * of summation for another number of rows may change; the reference operators work row by row and
 * must give the same bits.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "plain_encoder.h"
#include "support/suite.h"

static const double exact = 2e-5;
static const float regrouped = 2e-5f;

/* 0: the reference; 1: oneDNN, where built in. */
static const nn_ops *operators(int which)
{
    return which == 0 ? nn_ops_reference() : nn_ops_onednn();
}

static double largest_difference(const float *a, const double *b, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, isnan(a[i]) ? INFINITY : fabs(a[i] - b[i]));
    return most;
}

static void assert_same(const nn_ops *ops, const float *a, const float *b, size_t count)
{
    if (ops == nn_ops_reference()) {
        ck_assert(memcmp(a, b, count * sizeof *a) == 0);
        return;
    }
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabsf(a[i] - b[i]) <= regrouped, "value %zu: %g, %g", i, a[i], b[i]);
}

/* The chunk of each encoding when chunks follow each other from the start. */
static size_t *chunk_numbers(size_t rows, size_t chunk)
{
    size_t *numbers = calloc(rows, sizeof *numbers);
    for (size_t i = 0; i < rows; i++)
        numbers[i] = i / chunk;
    return numbers;
}

/* The first `count` frames, in calls of `chunks_per_call`, against the plain encoder. */
static void compare_with_plain(
    const fixture *f, size_t chunk, size_t chunks_per_call, const float *frames, size_t count)
{
    size_t rows = plain_encoder_count(&f->config, count), d = f->config.dimension;
    size_t *numbers = chunk_numbers(rows, chunk);
    double *expected =
        plain_encoder_run(&f->config, f->weights, f->config.blocks, frames, count, numbers);
    float *out = calloc(rows * d, sizeof *out);
    encoder_state *state = fixture_state(f, chunk);
    ck_assert_uint_eq(fixture_feed(f, state, frames, count, chunks_per_call, out), rows);
    double difference = largest_difference(out, expected, rows * d);
    ck_assert_msg(difference <= exact, "off by %g: subsampling %zu chunk %zu frames %zu",
        difference, f->config.subsampling, chunk, count);
    encoder_state_destroy(state);
    free(out);
    free(expected);
    free(numbers);
}

START_TEST(every_chunk_and_subsampling)
{
    static const size_t factors[] = {2, 4, 8, 16}, chunks[] = {1, 2, 3, 4, 8, 16};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        tiny_model_config model = tiny_model_default();
        model.subsampling = factors[i];
        model.seed = i;
        fixture f;
        fixture_open(&f, &model, operators(_i), NN_PRECISION_F32, 48);
        float *frames = fixture_frames(&f, 7, 45 * factors[i]);
        for (size_t j = 0; j < sizeof chunks / sizeof *chunks; j++)
            compare_with_plain(
                &f, chunks[j], 1 + j % 3, frames, 44 * factors[i] + 1 + j % factors[i]);
        free(frames);
        fixture_close(&f);
    }
}
END_TEST

/* Shapes with nothing round: odd bins on the way down, one head, no left context, one tap, chunks
 * beyond the spare rows of the cache. */
START_TEST(odd_shapes)
{
    static const struct {
        size_t mel_bins, channels, dimension, heads, feed_forward, kernel, left, max_chunk, chunk;
    } shapes[] = {
        {22, 3, 15, 1, 7, 1, 0, 1, 1},
        {6, 5, 21, 3, 40, 2, 1, 5, 4},
        {2, 1, 9, 3, 1, 9, 40, 3, 3},
        {14, 7, 18, 2, 33, 4, 7, 40, 40},
        {80, 4, 16, 4, 20, 31, 3, 2, 2},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        tiny_model_config model = tiny_model_default();
        model.mel_bins = shapes[i].mel_bins;
        model.subsampling_channels = shapes[i].channels;
        model.dimension = shapes[i].dimension;
        model.heads = shapes[i].heads;
        model.feed_forward = shapes[i].feed_forward;
        model.kernel = shapes[i].kernel;
        model.left_context = shapes[i].left;
        model.max_chunk = shapes[i].max_chunk;
        model.blocks = 1 + i % 3;
        fixture f;
        fixture_open(&f, &model, operators(_i), NN_PRECISION_F32, 100);
        float *frames = fixture_frames(&f, i, 8 * 100);
        compare_with_plain(&f, shapes[i].chunk, 1, frames, 8 * 100 - i);
        compare_with_plain(&f, shapes[i].chunk, 2, frames, 8 * 100 - 7 + i);
        free(frames);
        fixture_close(&f);
    }
}
END_TEST

/* The end of the frames may fall anywhere in a chunk. */
START_TEST(every_length)
{
    for (size_t factor = 4; factor <= 8; factor *= 2) {
        tiny_model_config model = tiny_model_default();
        model.subsampling = factor;
        fixture f;
        fixture_open(&f, &model, operators(_i), NN_PRECISION_F32, 16);
        size_t most = 3 * 4 * factor + 2;
        float *frames = fixture_frames(&f, 3, most);
        for (size_t count = 1; count <= most; count++)
            compare_with_plain(&f, 4, 1 + count % 2, frames, count);
        free(frames);
        fixture_close(&f);
    }
}
END_TEST

/* Chunks cut short in mid-stream: what follows begins a new chunk, wherever the cut is, also when
 * a single frame comes next, which mostly completes no encoding. */
START_TEST(cut_in_the_middle)
{
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, operators(_i), NN_PRECISION_F32, 64);
    size_t chunk = 4, total = 150, d = f.config.dimension;
    float *frames = fixture_frames(&f, 11, total);
    size_t rows = plain_encoder_count(&f.config, total);
    float *out = calloc(rows * d, sizeof *out);
    size_t *numbers = calloc(rows, sizeof *numbers);
    encoder_state *state = fixture_state(&f, chunk);
    for (size_t cut = 60; cut < 60 + 8 * chunk; cut++) {
        const size_t calls[] = {cut, 1, 40, total - cut - 41};
        encoder_state_reset(state);
        size_t row = 0, done = 0, number = 0;
        for (size_t call = 0; call < 4; call++) {
            size_t more = fixture_forward(
                &f, state, frames + done * f.config.mel_bins, calls[call], out + row * d);
            for (size_t i = 0; i < more; i++)
                numbers[row + i] = number + i / chunk;
            number += (more + chunk - 1) / chunk;
            row += more;
            done += calls[call];
        }
        ck_assert_uint_eq(row, rows);
        double *expected =
            plain_encoder_run(&f.config, f.weights, f.config.blocks, frames, total, numbers);
        ck_assert_double_le(largest_difference(out, expected, rows * d), exact);
        free(expected);
    }
    encoder_state_destroy(state);
    free(numbers);
    free(out);
    free(frames);
    fixture_close(&f);
}
END_TEST

START_TEST(calls_of_any_size)
{
    const nn_ops *ops = operators(_i);
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, ops, NN_PRECISION_F32, 128);
    size_t count = 8 * 120 + 5, d = f.config.dimension;
    float *frames = fixture_frames(&f, 5, count);
    size_t rows = plain_encoder_count(&f.config, count);
    float *whole = calloc(rows * d, sizeof *whole), *pieces = calloc(rows * d, sizeof *pieces);
    for (size_t chunk = 1; chunk <= 16; chunk *= 2) {
        encoder_state *state = fixture_state(&f, chunk);
        ck_assert_uint_eq(fixture_feed(&f, state, frames, count, 128 / chunk, whole), rows);
        for (uint64_t seed = 0; seed < 6; seed++) {
            encoder_state_reset(state);
            memset(pieces, 0, rows * d * sizeof *pieces);
            size_t row = 0;
            for (size_t done = 0; done < count;) {
                float draw;
                tiny_model_noise(seed * 1000 + done, 1.0f, 1, &draw);
                size_t chunks = 1 + (size_t)(fabsf(draw) * 5);
                size_t wanted = encoder_frames_wanted(state, chunks);
                wanted = wanted < count - done ? wanted : count - done;
                row += fixture_forward(
                    &f, state, frames + done * f.config.mel_bins, wanted, pieces + row * d);
                done += wanted;
            }
            ck_assert_uint_eq(row, rows);
            assert_same(ops, pieces, whole, rows * d);
        }
        encoder_state_destroy(state);
    }
    free(whole);
    free(pieces);
    free(frames);
    fixture_close(&f);
}
END_TEST

enum { STREAMS = 6 };

/* Streams with different chunks, at different places, with one, many or no encodings in a call. */
START_TEST(batch_equals_alone)
{
    static const size_t chunks[STREAMS] = {1, 2, 4, 8, 16, 3};
    const nn_ops *ops = operators(_i);
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, ops, NN_PRECISION_F32, 128);
    size_t bins = f.config.mel_bins, d = f.config.dimension, total = 8 * 90, most = 8 * 16;
    encoder_state *alone[STREAMS], *together[STREAMS];
    float *frames[STREAMS], *expected[STREAMS], *out[STREAMS];
    size_t done[STREAMS] = {0};
    for (size_t i = 0; i < STREAMS; i++) {
        alone[i] = fixture_state(&f, chunks[i]);
        together[i] = fixture_state(&f, chunks[i]);
        frames[i] = fixture_frames(&f, 100 + i, total + most);
        expected[i] = calloc(32 * d, sizeof *expected[i]);
        out[i] = calloc(32 * d, sizeof *out[i]);
    }
    for (size_t call = 0; done[0] + done[1] + done[2] < 3 * total; call++) {
        encoder_item items[STREAMS];
        size_t count = 0, rows[STREAMS];
        for (size_t i = 0; i < STREAMS; i++) {
            if (done[i] >= total || (call + i) % 4 == 3)
                continue;                                     /* has nothing to feed this time */
            size_t given = (call + i) % 5 == 0 ? 1 + call % 7 /* cut short */
                                               : encoder_frames_wanted(together[i], 1 + call % 2);
            given = given < most ? given : most;
            const float *from = frames[i] + done[i] * bins;
            rows[count] = fixture_forward(&f, alone[i], from, given, expected[count]);
            items[count] = (encoder_item){together[i], from, given, out[count]};
            done[i] += given;
            count++;
        }
        encoder_forward(f.encoder, f.scratch, items, count);
        for (size_t i = 0; i < count; i++)
            assert_same(ops, out[i], expected[i], rows[i] * d);
    }
    for (size_t i = 0; i < STREAMS; i++) {
        encoder_state_destroy(alone[i]);
        encoder_state_destroy(together[i]);
        free(frames[i]);
        free(expected[i]);
        free(out[i]);
    }
    fixture_close(&f);
}
END_TEST

START_TEST(reset_equals_new)
{
    tiny_model_config model = tiny_model_default();
    fixture f;
    fixture_open(&f, &model, operators(_i), NN_PRECISION_F32, 64);
    size_t d = f.config.dimension, count = 8 * 60;
    float *frames = fixture_frames(&f, 5, count), *other = fixture_frames(&f, 6, count);
    float *first = calloc(60 * d, sizeof *first), *second = calloc(60 * d, sizeof *second);
    encoder_state *fresh = fixture_state(&f, 4), *used = fixture_state(&f, 4);
    size_t rows = fixture_feed(&f, fresh, frames, count, 2, first);
    encoder_state_destroy(fresh);
    for (size_t before = 1; before < count; before += 31) {
        fixture_feed(&f, used, other, before, 2, second);
        encoder_state_reset(used);
        ck_assert_uint_eq(fixture_feed(&f, used, frames, count, 2, second), rows);
        ck_assert(memcmp(first, second, rows * d * sizeof *first) == 0);
        encoder_state_reset(used);
    }
    encoder_state_destroy(used);
    free(frames);
    free(other);
    free(first);
    free(second);
    fixture_close(&f);
}
END_TEST

/* Thousands of encodings: caches move hundreds of times and the last encodings are as right as
 * the first.  Nothing is allocated on the way. */
START_TEST(long_stream)
{
    tiny_model_config model = tiny_model_default();
    model.mel_bins = 16;
    model.subsampling_channels = 2;
    model.dimension = 8;
    model.heads = 2;
    model.feed_forward = 8;
    fixture f;
    fixture_open(&f, &model, operators(_i), NN_PRECISION_F32, 5);
    size_t rows = 4000, count = 8 * rows, d = f.config.dimension;
    float *frames = fixture_frames(&f, 9, count);
    float *out = calloc(rows * d, sizeof *out);
    size_t *numbers = chunk_numbers(rows, 5);
    double *expected =
        plain_encoder_run(&f.config, f.weights, f.config.blocks, frames, count, numbers);
    encoder_state *state = fixture_state(&f, 5);
    uint64_t attempts = memory_attempts();
    ck_assert_uint_eq(fixture_feed(&f, state, frames, count, 1, out), rows);
    ck_assert_uint_eq(memory_attempts(), attempts);
    ck_assert_double_le(largest_difference(out, expected, rows * d), exact);
    encoder_state_destroy(state);
    free(numbers);
    free(expected);
    free(out);
    free(frames);
    fixture_close(&f);
}
END_TEST

/* Root of the mean squared difference. */
static double deviation(const float *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += pow(a[i] - b[i], 2);
    return sqrt(sum / (double)count);
}

/* Weights stored in each type, products in each precision.  Stored types are exact: the plain
 * encoder reads the same rounded weights.  Products in bf16 round operands at 2^-9 and in int8 at
 * about 1/255 of a row's range; over two blocks of random weights that comes to 0.006 and
 * 0.014 of encodings of order 1 (measured), where a wrong scale or layout gives about 1. */
START_TEST(types_and_precisions)
{
    static const nn_type types[] = {NN_F32, NN_BF16, NN_I8};
    static const struct {
        nn_precision precision;
        double tolerance;
    } precisions[] = {
        {NN_PRECISION_F32, 2e-5}, {NN_PRECISION_BF16, 0.02}, {NN_PRECISION_INT8, 0.05}};
    for (size_t t = 0; t < 3; t++)
        for (size_t p = 0; p < 3; p++) {
            tiny_model_config model = tiny_model_default();
            model.dimension = 144; /* wide enough for int8 not to fall back to f32 */
            model.feed_forward = 200;
            model.matrix_type = types[t];
            model.other_type = t ? NN_BF16 : NN_F32;
            if (_i == 1 && !operators(_i)->supports(precisions[p].precision))
                continue;
            fixture f;
            fixture_open(&f, &model, operators(_i), precisions[p].precision, 32);
            size_t count = 8 * 30, rows = 30, d = f.config.dimension;
            float *frames = fixture_frames(&f, 1, count), *out = calloc(rows * d, sizeof *out);
            size_t *numbers = chunk_numbers(rows, 4);
            double *expected =
                plain_encoder_run(&f.config, f.weights, f.config.blocks, frames, count, numbers);
            encoder_state *state = fixture_state(&f, 4);
            fixture_feed(&f, state, frames, count, 2, out);
            double off = deviation(out, expected, rows * d);
            ck_assert_msg(off <= precisions[p].tolerance, "type %zu precision %zu: %g", t, p, off);
            encoder_state_destroy(state);
            free(numbers);
            free(expected);
            free(out);
            free(frames);
            fixture_close(&f);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("encoder");
    TCase *tests = tcase_create("values");
    /* Each test runs with every implementation of the operators. */
    int all = nn_ops_onednn() ? 2 : 1;
    tcase_add_loop_test(tests, every_chunk_and_subsampling, 0, all);
    tcase_add_loop_test(tests, odd_shapes, 0, all);
    tcase_add_loop_test(tests, every_length, 0, all);
    tcase_add_loop_test(tests, cut_in_the_middle, 0, all);
    tcase_add_loop_test(tests, calls_of_any_size, 0, all);
    tcase_add_loop_test(tests, batch_equals_alone, 0, all);
    tcase_add_loop_test(tests, reset_equals_new, 0, all);
    tcase_add_loop_test(tests, long_stream, 0, all);
    tcase_add_loop_test(tests, types_and_precisions, 0, all);
    tcase_set_timeout(tests, 300); /* valgrind on a slow machine */
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
