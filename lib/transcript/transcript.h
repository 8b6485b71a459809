/*
 * Transcript: from the search's tokens to results.  Pure text and time logic: tokens become words
 * with times and confidence, finished segments gather into one utterance until an endpoint, and
 * the utterance becomes a final result.
 *
 *     transcript_create(&options, max_tokens, max_hypotheses, &transcript, &error);
 *     whenever the search ends a segment:   transcript_segment(...); transcript_take_final(...);
 *     after each step of the search:        transcript_advance(...); transcript_take_final(...);
 *                                           transcript_take_interim(...);
 *     at the end:                           transcript_finish(...);  transcript_take_final(...);
 *
 * When finals are made.  A final is made when, after words, `endpoint_ms` of pause have passed;
 * when the utterance has grown to `max_utterance_ms` (at the next end of a segment); or at the end
 * of the audio.  With endpointing off only the latter two.  Segments are given by the search and
 * do not depend on these settings, so neither do the words, their times and confidences.
 * A pause counts only once the search has closed the segment before it: with an endpoint_ms below
 * the search's own pause the final waits for the segment.  A pause of endpoint_ms between two
 * segments also parts them if no advance came in between.  An utterance whose words would outgrow
 * the memory taken at creation (more words or text than speech of max_utterance_ms has) is made
 * final early, at the end of a segment: no word is ever lost.
 *
 * Times.  CTC triggers a token at about its end, so a word lies between
 *     start_ms = frame of its first token * frame_ms, at least the end of the word before
 *     end_ms   = (frame of its last token + 1) * frame_ms, at least its start
 * and times never run backwards, also from one final to the next.
 *
 * Confidence of a word, 0..1:
 *     sum of w(h) over the hypotheses h that contain it, within 0..1, * (q_1 * ... * q_n)^(1/n)
 * where w(h) is the hypothesis' posterior, of the first one less those of its variations; h
 * contains a word when it has one with the same text in overlapping or touching frames, and q_i are
 * the probabilities of the word's own n tokens.  So a word loses what the hypotheses without it
 * have.
 *
 * Alternatives.  Hypotheses with the same words are one, their posteriors summed.  Those of an
 * utterance of several segments are the max_alternatives distinct texts with the greatest product
 * of the segments' posteriors.  The first is always the segments' first hypotheses in order.
 *
 * One thread at a time.
 */
#ifndef TRANSCRIPT_TRANSCRIPT_H
#define TRANSCRIPT_TRANSCRIPT_H

#include "steno/result.h"

enum {
    TRANSCRIPT_MAX_ALTERNATIVES = 32,
    TRANSCRIPT_MAX_UTTERANCE_MS = 600000,
    TRANSCRIPT_MAX_TOKENS = 1 << 16,
    TRANSCRIPT_MAX_HYPOTHESES = 1 << 10,
    TRANSCRIPT_TOKEN_BYTES = 48, /* a longer token text is cut here, at a character's end */
};

typedef struct transcript_options {
    bool endpointing;          /* true */
    uint32_t endpoint_ms;      /* 800; in effect at least the search's own pause */
    uint32_t max_utterance_ms; /* 20000; 1..TRANSCRIPT_MAX_UTTERANCE_MS */
    uint32_t max_alternatives; /* 1; 1..TRANSCRIPT_MAX_ALTERNATIVES */
    uint32_t frame_ms;         /* 80; 1..1000 */
} transcript_options;

/* One token of a hypothesis.  text begins with a space where a word begins; a hypothesis' first
 * token begins a word in any case.  Other spaces are dropped, as are words without text.  Encodings
 * never decrease within a hypothesis. */
typedef struct transcript_token {
    const char *text;
    uint64_t frame;
    float probability;
} transcript_token;

typedef struct transcript_hypothesis {
    const transcript_token *tokens;
    size_t token_count;
    float posterior; /* 0..1 among those given together */
    bool
        is_variation; /* of the first one, with which it shares all but one place: its posterior is
                         part of the first one's.  Variations at different places are independent */
} transcript_hypothesis;

typedef struct transcript transcript;

/* max_tokens: the most tokens of one hypothesis; max_hypotheses: the most given at once (giving
 * more is a bug of the caller: asserted).  All memory is taken here.  Errors: ARGUMENT names the
 * option out of range; MEMORY. */
steno_status transcript_create(const transcript_options *options, size_t max_tokens,
    size_t max_hypotheses, transcript **out_transcript, steno_error *error);
void transcript_destroy(transcript *transcript);
/* As new: forgets words, times and what waits. */
void transcript_reset(transcript *transcript);

/* A segment of the search is settled: hypotheses best first, borrowed for the call; a segment whose
 * first hypothesis has no words adds nothing.  end_frame: the first frame after it. */
void transcript_segment(transcript *transcript, const transcript_hypothesis *hypotheses,
    size_t count, uint64_t end_frame);

/* Decoding has reached `position` (frames), `trailing` frames after the last token.
 * The running segment's hypotheses (count may be 0) are what is not settled yet; `stable` tokens
 * of the first one are shared by all, and settled.  A word of it is settled when its last token and
 * the token after, which begins the next word, are. */
void transcript_advance(transcript *transcript, const transcript_hypothesis *hypotheses,
    size_t count, size_t stable, uint64_t position, uint64_t trailing);

/* The audio is over (or was flushed): what is gathered becomes final.  More may follow. */
void transcript_finish(transcript *transcript);

/* The final result waiting, STENO_AGAIN if none.  At most one waits after each of the calls above:
 * take it before the next of them (asserted, since it would be lost).  Valid until that call. */
steno_status transcript_take_final(transcript *transcript, const steno_result **out_result);
/* The interim result as of the last advance, with one alternative: the words gathered and those of
 * the running segment's first hypothesis.  STENO_AGAIN if it has no words, if its words, times and
 * settled words are those last taken, or if a final was made since that advance.  Valid until the
 * next call on this transcript. */
steno_status transcript_take_interim(transcript *transcript, const steno_result **out_result);

#endif
