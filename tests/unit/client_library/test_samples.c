/* Samples to bytes. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "samples.h"
#include "support/suite.h"

/* Every 16-bit sample comes through as a float. */
START_TEST(sixteen_bits_are_exact)
{
    for (int value = INT16_MIN; value <= INT16_MAX; value++) {
        float sample = (float)value / 32768.0f;
        uint8_t bytes[2];
        samples_encode(STENO_ENCODING_S16, &sample, 1, bytes);
        ck_assert_int_eq((int16_t)(bytes[0] | bytes[1] << 8), value);
    }
}
END_TEST

START_TEST(clipped_and_cleaned)
{
    static const float given[] = {2.0f, -3.0f, NAN, INFINITY, 1.0f, 1e-30f};
    static const int16_t wanted[] = {INT16_MAX, INT16_MIN, 0, 0, INT16_MAX, 0};
    uint8_t bytes[12];
    samples_encode(STENO_ENCODING_S16, given, 6, bytes);
    for (int i = 0; i < 6; i++)
        ck_assert_int_eq((int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8), wanted[i]);
}
END_TEST

START_TEST(floats_stay)
{
    static const float given[] = {0.1f, -0.7f, 5.0f}, wanted[] = {0.1f, -0.7f, 1.0f};
    uint8_t bytes[12];
    samples_encode(STENO_ENCODING_F32, given, 3, bytes);
    for (int i = 0; i < 3; i++) {
        uint32_t bits = 0;
        for (int b = 3; b >= 0; b--)
            bits = bits << 8 | bytes[4 * i + b];
        float back;
        memcpy(&back, &bits, sizeof back);
        ck_assert(back == wanted[i]);
    }
    samples_encode(STENO_ENCODING_F32, given, 0, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client samples");
    TCase *tests = tcase_create("samples");
    tcase_add_test(tests, sixteen_bits_are_exact);
    tcase_add_test(tests, clipped_and_cleaned);
    tcase_add_test(tests, floats_stay);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
