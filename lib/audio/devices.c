#include "audio/devices.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "steno/audio.h"

const uint32_t devices_usual_rates_hz[STENO_DEVICE_RATES_MAX] = {
    8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000, 192000};

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static bool begins_with(const char *text, const char *part)
{
    for (; *part != '\0'; text++, part++)
        if (lower(*text) != lower(*part))
            return false;
    return true;
}

static bool equal(const char *one, const char *other)
{
    return strlen(one) == strlen(other) && begins_with(one, other);
}

static bool contains(const char *text, const char *part)
{
    for (; *text != '\0'; text++)
        if (begins_with(text, part))
            return true;
    return false;
}

static bool is_number(const steno_device *device, const char *wanted)
{
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)device->number);
    return strcmp(number, wanted) == 0;
}

/* The numbers and names of devices, for a message: "1 Headset, 2 default", and "..." where there is
 * no room for all.  part: NULL for all of them, else what is in the name. */
static void list(
    const steno_device *devices, size_t count, const char *part, char *out, size_t room)
{
    size_t used = 0, size = room - sizeof ", ...";
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (part && !contains(devices[i].name, part))
            continue;
        int length = snprintf(out + used, size - used, "%s%u %s", used > 0 ? ", " : "",
            (unsigned)devices[i].number, devices[i].name);
        if (length < 0 || (size_t)length >= size - used) {
            /* A whole name less, so that no character is cut. */
            snprintf(out + used, room - used, "%s...", used > 0 ? ", " : "");
            return;
        }
        used += (size_t)length;
    }
}

static steno_status not_found(
    const steno_device *devices, size_t count, const char *wanted, steno_error *error)
{
    char names[384];
    list(devices, count, NULL, names, sizeof names);
    return error_set(error, STENO_ERROR_NOT_FOUND,
        "no microphone is called \"%.60s\"; there %s: %s", wanted, count == 1 ? "is" : "are",
        names);
}

static steno_status ambiguous(
    const steno_device *devices, size_t count, const char *wanted, steno_error *error)
{
    char names[384];
    list(devices, count, wanted, names, sizeof names);
    return error_set(error, STENO_ERROR_ARGUMENT,
        "\"%.60s\" could be several microphones, say a number: %s", wanted, names);
}

static steno_status find_default(
    const steno_device *devices, size_t count, const steno_device **out_device, steno_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (devices[i].is_default) {
            *out_device = &devices[i];
            return STENO_OK;
        }
    char names[384];
    list(devices, count, NULL, names, sizeof names);
    return error_set(error, STENO_ERROR_NOT_FOUND,
        "the system names no default microphone; name one: %s", names);
}

steno_status devices_find(const steno_device *devices, size_t count, const char *wanted,
    const steno_device **out_device, steno_error *error)
{
    if (count == 0)
        return error_set(error, STENO_ERROR_NOT_FOUND, "no microphone found");
    if (!wanted)
        return find_default(devices, count, out_device, error);
    const steno_device *found = NULL;
    size_t matches = 0;
    for (size_t i = 0; i < count; i++)
        if (equal(devices[i].name, wanted)) {
            found = &devices[i];
            matches++;
        }
    for (size_t i = 0; matches == 0 && i < count; i++)
        if (is_number(&devices[i], wanted)) {
            *out_device = &devices[i];
            return STENO_OK;
        }
    for (size_t i = 0; matches == 0 && *wanted != '\0' && i < count; i++)
        if (contains(devices[i].name, wanted)) {
            found = &devices[i];
            for (size_t j = i; j < count; j++)
                matches += contains(devices[j].name, wanted);
        }
    if (matches > 1)
        return ambiguous(devices, count, wanted, error);
    if (matches == 0)
        return not_found(devices, count, wanted, error);
    *out_device = found;
    return STENO_OK;
}

static uint32_t distance(uint32_t one, uint32_t other)
{
    return one > other ? one - other : other - one;
}

size_t devices_rates(uint32_t own_hz, uint32_t *out_rates_hz)
{
    size_t count = 0;
    if (own_hz >= STENO_RATE_MIN_HZ && own_hz <= STENO_RATE_MAX_HZ)
        out_rates_hz[count++] = own_hz;
    bool taken[STENO_DEVICE_RATES_MAX] = {false};
    for (size_t n = 0; n < STENO_DEVICE_RATES_MAX; n++) {
        size_t nearest = STENO_DEVICE_RATES_MAX;
        for (size_t i = 0; i < STENO_DEVICE_RATES_MAX; i++)
            if (!taken[i] && (nearest == STENO_DEVICE_RATES_MAX ||
                                 distance(devices_usual_rates_hz[i], own_hz) <
                                     distance(devices_usual_rates_hz[nearest], own_hz)))
                nearest = i;
        taken[nearest] = true;
        if (devices_usual_rates_hz[nearest] != own_hz)
            out_rates_hz[count++] = devices_usual_rates_hz[nearest];
    }
    return count;
}
