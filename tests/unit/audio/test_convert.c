/* Channel choice and resampling: totals, chunking, reset, and what a tone looks like after. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audio/convert.h"
#include "base/memory.h"
#include "support/suite.h"

enum { LONG = 30011 };

static const uint32_t rates[] = {
    8000, 8001, 11025, 12000, 16001, 22050, 24000, 32000, 44100, 48000, 96000, 191999, 192000};
enum { RATES = sizeof rates / sizeof *rates };

static float noise[LONG];

static void setup(void)
{
    uint32_t state = 7;
    for (int i = 0; i < LONG; i++) {
        state = state * 1664525u + 1013904223u;
        noise[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * 0.5f;
    }
}

static converter *create(uint32_t rate_hz, uint32_t channels, uint32_t channel)
{
    converter *self = NULL;
    steno_error error;
    ck_assert_int_eq(converter_create(rate_hz, channels, channel, 16000, &self, &error), STENO_OK);
    return self;
}

/* Feeds all frames in pieces of `piece` (0: pieces of many sizes) and flushes; returns the count
 * of samples, in *out, which the caller frees. */
static size_t run(converter *self, const float *samples, size_t frames, size_t channels,
    size_t piece, float **out)
{
    size_t room = 3 * frames + converter_bound(self, 0) + converter_bound(self, frames);
    float *all = malloc(room * sizeof(float));
    size_t count = 0;
    for (size_t at = 0, turn = 1; at < frames; turn++) {
        size_t size = piece ? piece : turn * 7919 % 1511;
        if (size > frames - at)
            size = frames - at;
        size_t given = 0;
        ck_assert_int_eq(
            converter_feed(self, samples + at * channels, size, all + count, &given), STENO_OK);
        ck_assert_uint_le(given, converter_bound(self, size));
        count += given;
        at += size;
    }
    size_t given = 0;
    ck_assert_int_eq(converter_flush(self, all + count, &given), STENO_OK);
    ck_assert_uint_le(given, converter_bound(self, 0));
    *out = all;
    return count + given;
}

static size_t due(uint64_t frames, uint64_t rate_hz)
{
    return (size_t)((2 * frames * 16000 + rate_hz) / (2 * rate_hz));
}

START_TEST(chunks_give_the_same_bytes)
{
    static const size_t pieces[] = {1, 0, 160, 511, 512, 513, 4800};
    converter *self = create(rates[_i], 1, 0);
    float *whole;
    size_t count = run(self, noise, LONG, 1, LONG, &whole);
    ck_assert_uint_eq(count, due(LONG, rates[_i]));
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        float *cut;
        converter_destroy(self);
        self = create(rates[_i], 1, 0);
        ck_assert_uint_eq(run(self, noise, LONG, 1, pieces[i], &cut), count);
        ck_assert_mem_eq(cut, whole, count * sizeof(float));
        free(cut);
    }
    free(whole);
    converter_destroy(self);
}
END_TEST

START_TEST(totals_are_exact_however_short)
{
    for (size_t frames = 0; frames < 700; frames += frames < 40 ? 1 : 61) {
        float *out;
        converter *self = create(rates[_i], 1, 0);
        ck_assert_uint_eq(run(self, noise, frames, 1, 100, &out), due(frames, rates[_i]));
        bool finite = true;
        for (size_t i = 0; i < due(frames, rates[_i]); i++)
            finite &= isfinite(out[i]) != 0;
        ck_assert(finite);
        free(out);
        converter_destroy(self);
    }
}
END_TEST

/* Rates in odd steps over the whole range: what soxr keeps back stays within the bound. */
START_TEST(bound_holds_for_any_rate)
{
    for (uint32_t rate = 8000; rate <= 192000; rate += rate < 50000 ? 1733 : 17011) {
        float *out;
        converter *self = create(rate, 1, 0);
        ck_assert_uint_eq(run(self, noise, 9000, 1, 0, &out), due(9000, rate));
        free(out);
        converter_destroy(self);
    }
}
END_TEST

START_TEST(equal_rates_pass_unchanged)
{
    float *out;
    converter *self = create(16000, 1, 0);
    ck_assert_uint_eq(converter_bound(self, 321), 321);
    ck_assert_uint_eq(converter_bound(self, 0), 0);
    ck_assert_uint_eq(run(self, noise, LONG, 1, 999, &out), LONG);
    ck_assert_mem_eq(out, noise, sizeof noise);
    free(out);
    converter_destroy(self);
}
END_TEST

START_TEST(channels_are_chosen_or_mixed)
{
    enum { FRAMES = 1500, CHANNELS = 3 };
    static float mixed[FRAMES];
    for (int i = 0; i < FRAMES; i++)
        mixed[i] = (noise[3 * i] + noise[3 * i + 1] + noise[3 * i + 2]) / 3.0f;
    for (uint32_t channel = 0; channel <= CHANNELS; channel++) {
        float *out;
        converter *self = create(16000, CHANNELS, channel);
        ck_assert_uint_eq(run(self, noise, FRAMES, CHANNELS, 100, &out), FRAMES);
        int same = 0;
        while (same < FRAMES &&
               out[same] == (channel ? noise[3 * same + (int)channel - 1] : mixed[same]))
            same++;
        ck_assert_int_eq(same, FRAMES);
        free(out);
        converter_destroy(self);
    }
    /* The same before resampling. */
    float *from_three, *from_one;
    converter *three = create(44100, CHANNELS, 0), *one = create(44100, 1, 0);
    size_t count = run(three, noise, FRAMES, CHANNELS, 100, &from_three);
    ck_assert_uint_eq(run(one, mixed, FRAMES, 1, 100, &from_one), count);
    ck_assert_mem_eq(from_three, from_one, count * sizeof(float));
    free(from_three);
    free(from_one);
    converter_destroy(three);
    converter_destroy(one);
}
END_TEST

/* A 1 kHz tone comes out as the same tone, in phase (the resampler's delay is taken out), and one
 * above 8 kHz does not come out at all. */
START_TEST(tone_is_kept_and_alias_removed)
{
    float *out;
    float *tone = malloc(rates[_i] * sizeof(float));
    for (uint32_t i = 0; i < rates[_i]; i++)
        tone[i] = 0.8f * (float)sin(2 * M_PI * 1000.0 * i / rates[_i]);
    converter *self = create(rates[_i], 1, 0);
    size_t count = run(self, tone, rates[_i], 1, 4096, &out);
    ck_assert_uint_eq(count, 16000);
    /* The ends ring, as the tone begins and stops at once.  HQ promises 20 bits; 1e-5 is 17. */
    double worst = 0;
    for (size_t i = 1000; i < 15000; i++)
        worst = fmax(worst, fabs(out[i] - 0.8 * sin(2 * M_PI * 1000.0 * (double)i / 16000)));
    ck_assert_double_le(worst, 1e-5);
    free(out);

    if (rates[_i] > 20000) {
        for (uint32_t i = 0; i < rates[_i]; i++)
            tone[i] = 0.8f * (float)sin(2 * M_PI * 9500.0 * i / rates[_i]);
        converter_destroy(self);
        self = create(rates[_i], 1, 0);
        count = run(self, tone, rates[_i], 1, 4096, &out);
        for (size_t i = 1000; i < 15000; i++)
            worst = fmax(worst, fabs((double)out[i]));
        ck_assert_double_le(worst, 1e-5);
        free(out);
    }
    free(tone);
    converter_destroy(self);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
    static const uint32_t bad[][4] = {{0, 1, 0, 16000}, {7999, 1, 0, 16000}, {192001, 1, 0, 16000},
        {UINT32_MAX, 1, 0, 16000}, {16000, 0, 0, 16000}, {16000, 9, 0, 16000},
        {16000, UINT32_MAX, 0, 16000}, {16000, 2, 3, 16000}, {16000, 1, 0, 0},
        {16000, 1, 0, UINT32_MAX}};
    size_t alive = memory_alive();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        converter *self = NULL;
        steno_error error = {0};
        ck_assert_int_eq(
            converter_create(bad[i][0], bad[i][1], bad[i][2], bad[i][3], &self, &error),
            STENO_ERROR_ARGUMENT);
        ck_assert_str_ne(error.message, "");
        ck_assert_ptr_null(self);
    }
    ck_assert_uint_eq(memory_alive(), alive);
}
END_TEST

START_TEST(allocation_may_fail)
{
    size_t alive = memory_alive();
    uint64_t needed = memory_attempts();
    converter_destroy(create(44100, 2, 0));
    needed = memory_attempts() - needed;
    ck_assert_uint_ge(needed, 1);
    for (uint64_t i = 1; i <= needed; i++) {
        converter *self = NULL;
        memory_fail_at(memory_attempts() + i);
        ck_assert_int_eq(converter_create(44100, 2, 0, 16000, &self, NULL), STENO_ERROR_MEMORY);
        ck_assert_ptr_null(self);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    converter_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("convert");
    TCase *tests = tcase_create("convert");
    tcase_set_timeout(tests, 100); /* valgrind */
    tcase_add_unchecked_fixture(tests, setup, NULL);
    tcase_add_loop_test(tests, chunks_give_the_same_bytes, 0, RATES);
    tcase_add_loop_test(tests, totals_are_exact_however_short, 0, RATES);
    tcase_add_test(tests, bound_holds_for_any_rate);
    tcase_add_test(tests, equal_rates_pass_unchanged);
    tcase_add_test(tests, channels_are_chosen_or_mixed);
    tcase_add_loop_test(tests, tone_is_kept_and_alias_removed, 0, RATES);
    tcase_add_test(tests, bad_arguments_are_refused);
    tcase_add_test(tests, allocation_may_fail);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
