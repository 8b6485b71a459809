/* What stands for stream_mpeg.c in a build without its library. */
#include "audio/stream_codec.h"

const stream_codec stream_mpeg = {.name = "MP3"};
