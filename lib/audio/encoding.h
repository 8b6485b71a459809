/* What every float sample goes through before it leaves lib/audio. */
#ifndef AUDIO_ENCODING_H
#define AUDIO_ENCODING_H

#include <math.h>

/* 0 for not-a-number and infinities, otherwise the value clipped to [-1, 1). */
static inline float encoding_clip(float value)
{
    const float largest = 0x1.fffffep-1f; /* the last float below 1 */
    if (!isfinite(value))
        return 0.0f;
    return fminf(fmaxf(value, -1.0f), largest);
}

#endif
