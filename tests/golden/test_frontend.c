/*
 * The front end against the recipe's log-mel features: samples in, unnormalised and normalised
 * frames out.
 */
#include <check.h>
#include <stdlib.h>

#include "base/memory.h"
#include "feature/frontend.h"
#include "golden.h"

static const frontend_config config = {
    .rate_hz = 16000,
    .window_samples = 400,
    .hop_samples = 160,
    .fft_size = 512,
    .mel_bins = 80,
    .low_hz = 20,
    .high_hz = 7600,
    .floor = 1e-10f,
};

static void compare(const golden *g, const char *name, const float *mean, const float *deviation)
{
    size_t count = golden_find(g, "golden.samples")->shape[0];
    size_t frames = golden_find(g, name)->shape[0];
    ck_assert_uint_eq(frames, (count + config.hop_samples - 1) / config.hop_samples);
    float *samples = golden_floats(g, "golden.samples", count, 1);
    float *expected = golden_floats(g, name, frames, config.mel_bins);
    float *out = memory_allocate(frames * config.mel_bins, sizeof *out);
    frontend *frontend_under_test = NULL;
    ck_assert_int_eq(
        frontend_create(&config, mean, deviation, &frontend_under_test, NULL), STENO_OK);
    /* As if zeros followed. */
    size_t padding = (frames - 1) * config.hop_samples + config.window_samples - count;
    float *silence = memory_allocate(padding, sizeof *silence);
    size_t got = frontend_feed(frontend_under_test, samples, count, out);
    got += frontend_feed(frontend_under_test, silence, padding, out + got * config.mel_bins);
    ck_assert_uint_eq(got, frames);
    /* Log-mel values are about ten times as large as the network's, and their FFTs differ. */
    golden wider = *g;
    wider.tolerance = 2e-4f;
    golden_assert_close(&wider, name, out, expected, frames, config.mel_bins);
    frontend_destroy(frontend_under_test);
    memory_free(silence);
    memory_free(out);
    memory_free(expected);
    memory_free(samples);
}

START_TEST(log_mel)
{
    golden g;
    golden_open(&g);
    float mean[80], deviation[80];
    for (size_t i = 0; i < 80; i++) {
        mean[i] = 0;
        deviation[i] = 1;
    }
    compare(&g, "golden.log_mel", mean, deviation);
    golden_close(&g);
}
END_TEST

START_TEST(normalised)
{
    golden g;
    golden_open(&g);
    float *mean = golden_floats(&g, "feature.mean", 80, 1);
    float *deviation = golden_floats(&g, "feature.inverse_deviation", 80, 1);
    compare(&g, "golden.frames", mean, deviation);
    memory_free(mean);
    memory_free(deviation);
    golden_close(&g);
}
END_TEST

int main(int argc, char **argv)
{
    if (!golden_arguments(argc, argv))
        return EXIT_FAILURE;
    TCase *tests = tcase_create("front end");
    tcase_add_test(tests, log_mel);
    tcase_add_test(tests, normalised);
    return golden_run(tests, "front end golden");
}
