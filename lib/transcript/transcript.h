/*
 * Transcript: from the search's tokens to results.  Pure text and time logic: tokens become words
 * with times and confidence, finished segments gather into one utterance until an endpoint, and
 * the utterance becomes a final result.
 *
 * A final is made when, after words, `endpoint_ms` of pause have passed; when the utterance has
 * grown to `max_utterance_ms` (at the next end of a segment); or at the end of the audio.  With
 * endpointing off only the latter two.  Segments are given by the search and do not depend on
 * these settings, so neither do the words.
 */
#ifndef TRANSCRIPT_TRANSCRIPT_H
#define TRANSCRIPT_TRANSCRIPT_H

#include "steno/result.h"

typedef struct transcript_options {
    bool endpointing;          /* true */
    uint32_t endpoint_ms;      /* 800; at least the search's own pause (documented, clamped) */
    uint32_t max_utterance_ms; /* 20000 */
    uint32_t max_alternatives; /* 1 */
    uint32_t encoding_ms;      /* 80 */
} transcript_options;

/* One token of a hypothesis.  text begins with a space where a word begins; a hypothesis' first
 * token begins a word in any case. */
typedef struct transcript_token {
    const char *text;
    uint64_t encoding;
    float probability;
} transcript_token;

typedef struct transcript_hypothesis {
    const transcript_token *tokens;
    size_t token_count;
    float posterior; /* 0..1 among those given together */
} transcript_hypothesis;

typedef struct transcript transcript;

/* max_tokens: the most tokens of one hypothesis; max_hypotheses: the most given at once.  All
 * memory is taken here. */
steno_status transcript_create(const transcript_options *options, size_t max_tokens,
    size_t max_hypotheses, transcript **out_transcript, steno_error *error);
void transcript_destroy(transcript *transcript);
void transcript_reset(transcript *transcript);

/* A segment of the search is settled. */
void transcript_segment(transcript *transcript, const transcript_hypothesis *hypotheses,
    size_t count, uint64_t end_encoding);

/* Decoding has reached `position` (encodings), `trailing` encodings after the last token.
 * The running segment's hypotheses (count may be 0) are what is not settled yet; `stable` tokens
 * of the first one are shared by all. */
void transcript_advance(transcript *transcript, const transcript_hypothesis *hypotheses,
    size_t count, size_t stable, uint64_t position, uint64_t trailing);

/* The audio is over (or was flushed): what is gathered becomes final. */
void transcript_finish(transcript *transcript);

/* The final result waiting, STENO_AGAIN if none.  At most one waits after each of the calls above
 * (take it before the next); valid until the next call on this transcript. */
steno_status transcript_take_final(transcript *transcript, const steno_result **out_result);
/* The interim result as of the last advance: STENO_AGAIN if it has no words or nothing changed
 * since it was last taken. */
steno_status transcript_take_interim(transcript *transcript, const steno_result **out_result);

#endif
