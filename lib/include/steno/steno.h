/* All of libsteno: streaming speech recognition. */
#ifndef STENO_STENO_H
#define STENO_STENO_H

#include "steno/audio.h"
#include "steno/audio_stream.h"
#include "steno/capture.h"
#include "steno/engine.h"
#include "steno/format.h"
#include "steno/microphone.h"
#include "steno/model.h"
#include "steno/recording.h"
#include "steno/result.h"
#include "steno/status.h"
#include "steno/stream.h"
#include "steno/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "MAJOR.MINOR.PATCH" of the library in use. */
STENO_API const char *steno_version(void);

#ifdef __cplusplus
}
#endif

#endif
