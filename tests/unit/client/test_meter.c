/* The level meter on tones, silence and samples that are none. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "meter.h"
#include "support/suite.h"

enum { RATE = 16000 };

static void tone(meter *self, float amplitude, unsigned ms)
{
    for (unsigned i = 0; i < RATE / 1000 * ms; i++) {
        float sample = amplitude * sinf((float)i * 0.3f);
        float frame[] = {sample, -sample};
        meter_feed(self, frame, 1);
    }
}

static meter made(void)
{
    meter self;
    meter_init(&self, RATE, 2);
    return self;
}

START_TEST(a_tone_has_its_level)
{
    meter self = made();
    ck_assert_float_eq(self.level_db, METER_FLOOR_DB);
    tone(&self, 0.1f, 500);
    ck_assert_float_eq_tol(self.level_db, -23.01f, 0.1f); /* a sine's: 3.01 dB under its peak */
    ck_assert_float_eq_tol(self.peak_db, -20, 0.1f);
    ck_assert(!meter_is_too_loud(&self));
    ck_assert(self.heard);
    ck_assert_uint_eq(self.silent_ms, 0);
}
END_TEST

START_TEST(it_falls_slowly)
{
    meter self = made();
    tone(&self, 0.1f, 500);
    tone(&self, 0, 500);
    ck_assert_float_eq_tol(self.level_db, -43, 0.5f); /* 40 dB in a second */
    ck_assert_float_eq_tol(self.peak_db, -20, 0.1f);  /* held for one */
    tone(&self, 0, 1500);
    ck_assert_float_eq_tol(self.peak_db, -42, 3); /* then 20 dB in a second */
    ck_assert_uint_eq(self.silent_ms, 2000);
    tone(&self, 0, 5000);
    ck_assert_float_eq(self.level_db, METER_FLOOR_DB);
    tone(&self, 0.0001f, 100);
    ck_assert_uint_eq(self.silent_ms, 0);
}
END_TEST

START_TEST(too_loud_for_a_second)
{
    meter self = made();
    tone(&self, 1.5f, 100);
    ck_assert(meter_is_too_loud(&self));
    ck_assert_float_eq(self.peak_db, 0);
    tone(&self, 0.5f, 900);
    ck_assert(meter_is_too_loud(&self));
    tone(&self, 0.5f, 200);
    ck_assert(!meter_is_too_loud(&self));
}
END_TEST

START_TEST(silence_and_no_numbers)
{
    meter self = made();
    tone(&self, 0, 6000);
    ck_assert(!self.heard);
    ck_assert_uint_eq(self.silent_ms, 6000);
    float frame[] = {NAN, 1.0f / 32768}; /* what is no number counts as too loud, not as nothing */
    for (int i = 0; i < RATE; i++)
        meter_feed(&self, frame, 1);
    ck_assert(meter_is_too_loud(&self));
    ck_assert(isfinite(self.level_db));
    meter step = made();
    frame[0] = -1.0f / 32768; /* the last bit of a muted microphone */
    for (int i = 0; i < RATE; i++)
        meter_feed(&step, frame, 1);
    ck_assert(!step.heard);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("meter");
    TCase *tests = tcase_create("meter");
    tcase_add_test(tests, a_tone_has_its_level);
    tcase_add_test(tests, it_falls_slowly);
    tcase_add_test(tests, too_loud_for_a_second);
    tcase_add_test(tests, silence_and_no_numbers);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
