#include "samples.h"

#include <math.h>
#include <string.h>

size_t samples_size(steno_encoding encoding)
{
    return encoding == STENO_ENCODING_F32 ? 4 : encoding == STENO_ENCODING_S16 ? 2 : 1;
}

static uint16_t to_16_bits(float x)
{
    float scaled = x * 32768.0f;
    return (uint16_t)(scaled >= 32767.0f ? INT16_MAX : (int16_t)lrintf(scaled));
}

void samples_encode(steno_encoding encoding, const float *samples, size_t count, uint8_t *out)
{
    size_t size = samples_size(encoding);
    for (size_t i = 0; i < count; i++) {
        float x = isfinite(samples[i]) ? samples[i] : 0.0f;
        x = x < -1.0f ? -1.0f : x > 1.0f ? 1.0f : x;
        uint32_t bits = 0;
        if (encoding == STENO_ENCODING_F32)
            memcpy(&bits, &x, sizeof bits);
        else
            bits = to_16_bits(x);
        for (size_t b = 0; b < size; b++)
            *out++ = (uint8_t)(bits >> 8 * b);
    }
}
