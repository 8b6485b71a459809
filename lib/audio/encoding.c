/*
 * G.711 expands by the arithmetic of the Recommendation instead of a table: a decoder of a few
 * lines is easier to check than 256 numbers, and one sample costs nothing beside recognising it.
 */
#include "audio/encoding.h"

#include <string.h>

#include "steno/audio.h"

static const struct {
    const char *name;
    size_t size_bytes;
} encodings[] = {
    [STENO_ENCODING_S16] = {"s16", 2},
    [STENO_ENCODING_F32] = {"f32", 4},
    [STENO_ENCODING_MULAW] = {"mulaw", 1},
    [STENO_ENCODING_ALAW] = {"alaw", 1},
};

enum { ENCODINGS = sizeof encodings / sizeof *encodings };

steno_status steno_encoding_parse(const char *name, steno_encoding *out_encoding)
{
    if (!name || !out_encoding)
        return STENO_ERROR_ARGUMENT;
    for (unsigned i = 0; i < ENCODINGS; i++) {
        if (strcmp(name, encodings[i].name) == 0) {
            *out_encoding = (steno_encoding)i;
            return STENO_OK;
        }
    }
    return STENO_ERROR_ARGUMENT;
}

size_t steno_encoding_size(steno_encoding encoding)
{
    return (unsigned)encoding < ENCODINGS ? encodings[encoding].size_bytes : 0;
}

static float from_s16(const unsigned char *bytes)
{
    int value = bytes[0] | bytes[1] << 8;
    return (float)(value >= 0x8000 ? value - 0x10000 : value) / 32768.0f;
}

static float from_f32(const unsigned char *bytes)
{
    uint32_t bits =
        bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return encoding_clip(value);
}

/* ITU-T G.711 mu-law: all bits inverted; sign, 3 bits of segment, 4 bits of interval.  The
 * segments double in width from 8 in the 16-bit scale; the bias of 33 (132 here) joins them. */
static float from_mulaw(unsigned char code)
{
    unsigned bits = ~code & 0xffu;
    int magnitude = (int)((((bits & 0x0f) << 3) + 132u) << (bits >> 4 & 7)) - 132;
    return (float)(bits & 0x80 ? -magnitude : magnitude) / 32768.0f;
}

/* ITU-T G.711 A-law: even bits inverted; a set sign bit is positive; segments 0 and 1 have the
 * same width of 16 in the 16-bit scale, each further one twice that. */
static float from_alaw(unsigned char code)
{
    unsigned bits = code ^ 0x55u;
    unsigned segment = bits >> 4 & 7;
    int magnitude = (int)((bits & 0x0f) << 4) + 8;
    if (segment > 0)
        magnitude = (magnitude + 0x100) << (segment - 1);
    return (float)(bits & 0x80 ? magnitude : -magnitude) / 32768.0f;
}

void steno_encoding_to_float(steno_encoding encoding, const void *samples, size_t count, float *out)
{
    const unsigned char *bytes = samples;
    switch (encoding) {
    case STENO_ENCODING_S16:
        for (size_t i = 0; i < count; i++)
            out[i] = from_s16(bytes + 2 * i);
        break;
    case STENO_ENCODING_F32:
        for (size_t i = 0; i < count; i++)
            out[i] = from_f32(bytes + 4 * i);
        break;
    case STENO_ENCODING_MULAW:
        for (size_t i = 0; i < count; i++)
            out[i] = from_mulaw(bytes[i]);
        break;
    case STENO_ENCODING_ALAW:
        for (size_t i = 0; i < count; i++)
            out[i] = from_alaw(bytes[i]);
        break;
    }
}
