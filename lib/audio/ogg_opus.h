/*
 * Making the time stamps of an Ogg Opus file consistent.
 *
 * Every Ogg page says how many samples have come when it ends.  Some writers (FFmpeg, encoding
 * input whose own time stamps jitter) round these numbers so that they run ahead of the samples
 * that are there and fall back later.  Every player plays such files; libsndfile refuses them as
 * malformed or drops their last samples.
 */
#ifndef AUDIO_OGG_OPUS_H
#define AUDIO_OGG_OPUS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the file that begins with these bytes is Ogg Opus. */
bool ogg_opus_begins(const unsigned char *bytes, size_t size);

/* bytes: a whole Ogg Opus file.  Renumbers its pages where their time stamps don't add up;
 * a consistent file, and one that is more than this one stream without missing pages, stays as
 * it is.  Returns whether anything was changed. */
bool ogg_opus_repair(unsigned char *bytes, size_t size);

#endif
