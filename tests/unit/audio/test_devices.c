/* Which device is meant, and which rates are tried. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/devices.h"
#include "support/suite.h"

static const steno_device devices[] = {
    {.number = 1, .name = "HDA Intel PCH: ALC257 Analog (hw:0,0)"},
    {.number = 2, .name = "USB Headset: Audio (hw:1,0)"},
    {.number = 3, .name = "USB Camera: Audio (hw:2,0)"},
    {.number = 4, .name = "マイク"},
    {.number = 5, .name = "7"},
    {.number = 6, .name = "pulse"},
    {.number = 7, .name = "pulse-mono", .is_default = true},
    {.number = 8, .name = "twin"},
    {.number = 9, .name = "twin"},
};
enum { DEVICES = sizeof devices / sizeof *devices };

static uint32_t find(const char *wanted)
{
    const steno_device *device = NULL;
    steno_error error;
    ck_assert_int_eq(devices_find(devices, DEVICES, wanted, &device, &error), STENO_OK);
    return device->number;
}

static const char *refused(const char *wanted, steno_status status)
{
    static steno_error error;
    const steno_device *device = NULL;
    ck_assert_int_eq(devices_find(devices, DEVICES, wanted, &device, &error), status);
    ck_assert_ptr_null(device);
    ck_assert_int_eq(error.status, status);
    return error.message;
}

START_TEST(names_parts_and_numbers)
{
    ck_assert_uint_eq(find(NULL), 7);
    ck_assert_uint_eq(find("headset"), 2);
    ck_assert_uint_eq(find("USB CAMERA"), 3);
    ck_assert_uint_eq(find("hw:0,0"), 1);
    ck_assert_uint_eq(find("マイ"), 4);
    ck_assert_uint_eq(find("3"), 3);
    ck_assert_uint_eq(find("7"), 5); /* a whole name comes before a number */
    ck_assert_uint_eq(find("pulse"), 6);
    ck_assert_uint_eq(find("PULSE-MONO"), 7);
}
END_TEST

START_TEST(what_is_not_clear_is_refused)
{
    ck_assert_str_eq(refused("usb", STENO_ERROR_ARGUMENT),
        "\"usb\" could be several microphones, say a number: 2 USB Headset: Audio (hw:1,0), "
        "3 USB Camera: Audio (hw:2,0)");
    ck_assert_ptr_nonnull(strstr(refused("twin", STENO_ERROR_ARGUMENT), "8 twin, 9 twin"));
    ck_assert_ptr_nonnull(strstr(refused("webcam", STENO_ERROR_NOT_FOUND), "\"webcam\""));
    ck_assert_ptr_nonnull(
        strstr(refused("webcam", STENO_ERROR_NOT_FOUND), "6 pulse, 7 pulse-mono"));
    refused("10", STENO_ERROR_NOT_FOUND);
    refused("03", STENO_ERROR_NOT_FOUND);
    refused("-1", STENO_ERROR_NOT_FOUND);
    refused("", STENO_ERROR_NOT_FOUND);
}
END_TEST

START_TEST(no_device_and_no_default)
{
    const steno_device *device = NULL;
    steno_error error;
    ck_assert_int_eq(devices_find(devices, 0, NULL, &device, &error), STENO_ERROR_NOT_FOUND);
    ck_assert_str_eq(error.message, "no microphone found");
    ck_assert_int_eq(devices_find(devices, 2, NULL, &device, &error), STENO_ERROR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "2 USB Headset"));
    ck_assert_ptr_null(device);
}
END_TEST

START_TEST(a_long_list_is_cut_between_names)
{
    char names[200][40];
    steno_device many[200];
    memset(many, 0, sizeof many);
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "device number %d", i);
        many[i].number = (uint32_t)i + 1;
        many[i].name = names[i];
    }
    const steno_device *device = NULL;
    steno_error error;
    ck_assert_int_eq(devices_find(many, 200, "device", &device, &error), STENO_ERROR_ARGUMENT);
    size_t length = strlen(error.message);
    ck_assert_uint_lt(length, sizeof error.message - 1);
    ck_assert_str_eq(error.message + length - 5, ", ...");
}
END_TEST

START_TEST(rates_begin_with_the_own_and_are_all_there)
{
    uint32_t rates[STENO_DEVICE_RATES_MAX + 1];
    ck_assert_uint_eq(devices_rates(44100, rates), STENO_DEVICE_RATES_MAX);
    ck_assert_uint_eq(rates[0], 44100);
    ck_assert_uint_eq(rates[1], 48000);
    ck_assert_uint_eq(rates[2], 32000);
    ck_assert_uint_eq(rates[8], 192000);
    ck_assert_uint_eq(devices_rates(12345, rates), STENO_DEVICE_RATES_MAX + 1);
    ck_assert_uint_eq(rates[0], 12345);
    ck_assert_uint_eq(rates[1], 11025);
    /* beyond what is taken: the nearest usual ones */
    ck_assert_uint_eq(devices_rates(384000, rates), STENO_DEVICE_RATES_MAX);
    ck_assert_uint_eq(rates[0], 192000);
    ck_assert_uint_eq(devices_rates(0, rates), STENO_DEVICE_RATES_MAX);
    ck_assert_uint_eq(rates[0], 8000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("devices");
    TCase *tests = tcase_create("devices");
    tcase_add_test(tests, names_parts_and_numbers);
    tcase_add_test(tests, what_is_not_clear_is_refused);
    tcase_add_test(tests, no_device_and_no_default);
    tcase_add_test(tests, a_long_list_is_cut_between_names);
    tcase_add_test(tests, rates_begin_with_the_own_and_are_all_there);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
