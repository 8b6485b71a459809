/* A search with a log of all it says, which is checked on the way. */
#ifndef UNIT_DECODER_LISTENER_H
#define UNIT_DECODER_LISTENER_H

#include "decoder/search.h"
#include "fixture.h"

/* Scores are sums of some twenty terms that the f32 network gets right to about 1e-5 each. */
#define LISTENER_TOLERANCE 3e-4

typedef struct listener {
    char log[65536]; /* every segment in full, to the last bit */
    size_t length;
    char text[1024]; /* tokens of the best hypotheses as letters, a '|' after each segment */
    size_t segments;
    uint64_t last_frame; /* of the last token */
    uint64_t longest;    /* frames of a segment from its first token on */
} listener;

/* A search of the fixture's decoder that the listener, which is as new, listens to. */
search *listener_search(const fixture *f, const search_options *options, listener *l);

void listener_advance(
    const fixture *f, search *s, const float *encodings, size_t count, bool finish);
/* Decodes a script whole, at most FIXTURE_MAX_ROWS at once. */
void listener_decode(const fixture *f, search *s, const char *script, uint64_t seed, bool finish);

/* What a search with these options makes of a script is `expected`, as in the listener's text. */
void listener_check_frames(size_t ctc_frames, const search_options *options, const char *script,
    const char *expected, listener *l);
/* With one frame of CTC in an encoding. */
void listener_check(
    const search_options *options, const char *script, const char *expected, listener *l);

/* Adds the hypotheses of the running segment to the log. */
void listener_running(listener *l, search *s);

#endif
