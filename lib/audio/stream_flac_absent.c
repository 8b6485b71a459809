/* What stands for stream_flac.c in a build without its library. */
#include "audio/stream_codec.h"

const stream_codec stream_flac = {.name = "FLAC"};
