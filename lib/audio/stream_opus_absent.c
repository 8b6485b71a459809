/* What stands for stream_opus.c in a build without its library. */
#include "audio/stream_codec.h"

const stream_codec stream_opus = {.name = "Ogg Opus"};
