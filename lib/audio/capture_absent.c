/* What stands for capture.c in a build without PortAudio. */
#include "base/error.h"
#include "steno/capture.h"

static steno_status absent(steno_error *error)
{
    return error_set(error, STENO_ERROR_UNSUPPORTED,
        "this build has no microphone: it was made without PortAudio");
}

bool steno_capture_is_supported(void)
{
    return false;
}

steno_status steno_device_list_create(
    bool probe_rates, steno_device_list **out_list, steno_error *error)
{
    return absent(error);
}

void steno_device_list_destroy(steno_device_list *list) {}

const steno_device *steno_device_list_get(const steno_device_list *list, size_t *out_count)
{
    *out_count = 0;
    return NULL;
}

steno_status steno_device_list_find(const steno_device_list *list, const char *wanted,
    const steno_device **out_device, steno_error *error)
{
    return absent(error);
}

steno_status steno_capture_open(
    const steno_capture_options *options, steno_capture **out_capture, steno_error *error)
{
    return absent(error);
}

void steno_capture_close(steno_capture *capture) {}

const steno_capture_info *steno_capture_get_info(const steno_capture *capture)
{
    return NULL;
}

steno_status steno_capture_read(steno_capture *capture, float *samples, size_t capacity,
    size_t *out_frames, uint64_t *out_lost, steno_error *error)
{
    return absent(error);
}

void steno_capture_stop(steno_capture *capture) {}

void steno_capture_get_counts(const steno_capture *capture, steno_capture_counts *out_counts)
{
    *out_counts = (steno_capture_counts){0};
}
