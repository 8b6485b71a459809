/*
 * Runs audio through a stream and writes down every final result to the last bit, so that two runs
 * can be compared as strings.  Uses the public interface only; any surprise aborts the test.
 */
#ifndef SUPPORT_RECOGNISE_H
#define SUPPORT_RECOGNISE_H

#include "steno/steno.h"

typedef struct recognition {
    char *report; /* a line per final result with words, times and confidences */
    char *words;  /* all finals' words joined by single spaces */
    size_t finals, word_count;
    size_t interims;
    uint64_t done_ms, fed_ms;
} recognition;

/* How audio is cut for feeding: the next piece's frames, given how many came before. */
typedef size_t (*recognise_cut)(size_t fed);

/* Creates a stream, feeds samples [frames, options->channels] in pieces of cut (NULL: all at once),
 * finishes, reads to the end.  Checks on the way what always holds: finals are not empty, times
 * never run backwards and lie within the audio, a result's text is its words. */
recognition recognise(steno_engine *engine, steno_model *model, const steno_stream_options *options,
    const float *samples, size_t frames, recognise_cut cut);
void recognition_free(recognition *r);

/* A whole file of one channel, in memory of malloc. */
float *recognise_load(const char *path, size_t *out_frames, uint32_t *out_rate_hz);

#endif
