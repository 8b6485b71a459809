/* Samples as they travel: little endian, whatever the machine. */
#ifndef CLIENT_SAMPLES_H
#define CLIENT_SAMPLES_H

#include "steno/audio.h"

/* Bytes of one. */
size_t samples_size(steno_encoding encoding);

/* encoding: F32 or S16, which is rounded to the nearest, so that floats made of 16-bit samples give
 * exactly those.  Beyond [-1, 1] samples are clipped, what is no number becomes 0. */
void samples_encode(steno_encoding encoding, const float *samples, size_t count, uint8_t *out);

#endif
