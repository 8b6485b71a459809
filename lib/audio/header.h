/*
 * What the first bytes of a file tell that libsndfile does not: names of formats it can't read,
 * whether the header promises more than is there, and whether an MP3 says how long it is.
 */
#ifndef AUDIO_HEADER_H
#define AUDIO_HEADER_H

#include <stdbool.h>

#include "audio/input.h"

enum { HEADER_START_SIZE = 16 };

/* Those of an input read from the input's beginning and leave it there. */

/* The name of a known format that libsndfile can't read ("MP4", "WebM", ...), or NULL. */
const char *header_unsupported(input *input);
/* The same of a file that begins with these bytes [HEADER_START_SIZE]. */
const char *header_unsupported_start(const unsigned char *start);

/* Whether a WAV, AIFF or AU header promises more bytes of samples than follow it.  Sizes that
 * stand for "unknown", as writers to pipes put, promise nothing. */
bool header_is_cut(input *input);

/* Whether this is MPEG audio, and if so, whether its first frame holds its length. */
bool header_is_mpeg(input *input, bool *out_has_length);

#endif
