/*
 * What the first bytes of a file tell that libsndfile does not: names of formats it can't read,
 * whether the header promises more than is there, and whether an MP3 says how long it is.
 */
#ifndef AUDIO_HEADER_H
#define AUDIO_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "audio/input.h"

enum {
    HEADER_START_SIZE = 16,
    HEADER_ID3_SIZE = 10, /* of what an ID3v2 tag begins with */
    /* From here on a size of samples in a header means "unknown": SoX writes 0x7ffff000 to a pipe,
     * FFmpeg 0xffffffff, arecord 0x80000000 less its header. */
    HEADER_SIZE_UNKNOWN = 0x7fff0000,
};

/* Bytes of the ID3v2 tag that begins so [HEADER_ID3_SIZE], in all; 0: it is none. */
uint64_t header_id3_size(const unsigned char *start);
/* Whether these two bytes begin an MPEG audio frame. */
bool header_begins_mpeg(const unsigned char *start);

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
