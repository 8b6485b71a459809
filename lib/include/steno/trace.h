/*
 * Looking on while a stream recognises: what it hears, frame by frame, and why it says what it
 * says, for pictures, measurements and tests.
 *
 *     steno_trace trace = {.frames = gather, .segment = gather_more, .context = mine};
 *     options.trace = &trace;
 *     steno_stream_create(engine, model, &options, &stream, &error);
 *
 * The numbers are those that the stream itself computed with.  Its results do not change by it; it
 * has more memory, taken when it is created.  A stream without a trace does no more than before.
 *
 * Calls come on worker threads, one at a time and in order for each stream; what they have written
 * may be read by the stream's owner once steno_stream_next has said STENO_END or an error. Pointers
 * are valid during the call.  As with `ready`, a call must not call the stream; one that takes long
 * delays recognising.
 *
 * Positions count from the stream's start: samples at the model's rate, log-mel frames,
 * encodings, and frames of CTC (steno_model_info says how many milliseconds the latter two are).
 * After the audio's end some silence follows that only the recogniser hears; it is told like the
 * rest.
 */
#ifndef STENO_TRACE_H
#define STENO_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the network hears: mixed and resampled. */
typedef struct steno_trace_samples {
    uint64_t first;
    size_t count;
    uint32_t rate_hz;
    const float *values; /* [count], -1..1 */
} steno_trace_samples;

/* Log-mel frames: frame t covers samples hop_samples t .. hop_samples t + window_samples - 1. */
typedef struct steno_trace_frames {
    uint64_t first;
    size_t count;
    uint32_t bins; /* from low to high */
    uint32_t hop_samples, window_samples;
    const float *values; /* [count, bins]: each bin with mean 0 and deviation 1, over the speech
                            that the model learnt from */
} steno_trace_frames;

/* What CTC says at one of its frames, as that is decoded. */
typedef struct steno_trace_ctc {
    uint64_t frame;                 /* an encoding has one of them or more */
    size_t tokens;                  /* the model's text units and one, which is 0: the blank */
    const float *log_probabilities; /* [tokens], natural; steno_model_token names them */
} steno_trace_ctc;

/* One token of the text that the search settled on. */
typedef struct steno_trace_token {
    const char *text;     /* begins with a space where a word does; lives as long as the model */
    uint32_t token;       /* index, 1 or more */
    float probability;    /* CTC's, where it is highest while the token lasts, 0..1 */
    uint64_t frame;       /* of CTC, where that is: the token's time */
    uint64_t trigger;     /* the encoding in which CTC first proposed it, not after that frame's */
    uint64_t first;       /* the attention decoder saw encodings first .. first + count - 1 */
    size_t count;         /* 0: it was not asked (STENO_SEARCH_CTC) */
    const float *weights; /* [count], and looked so much at each: their sum is 1 */
} steno_trace_token;

/* A segment: the stretch between two pauses that is searched as one. */
typedef struct steno_trace_segment {
    const steno_trace_token *tokens; /* in order */
    size_t count;                    /* 1 or more */
    uint64_t end;                    /* the first frame of CTC that is not part of it */
} steno_trace_segment;

/* What was done at once: whole chunks, the last of which is cut short where the audio ends or a
 * flush was asked for.  Times are those of the stages for all streams that took part. */
typedef struct steno_trace_turn {
    uint64_t first; /* encoding */
    size_t count;   /* encodings */
    size_t chunk;   /* encodings of a chunk: they begin at first, first + chunk, ... */
    size_t streams;
    uint64_t feature_ns, encoder_ns, decoder_ns, transcript_ns;
} steno_trace_turn;

/* Each may be NULL. */
typedef struct steno_trace {
    void (*samples)(void *context, const steno_trace_samples *samples);
    void (*frames)(void *context, const steno_trace_frames *frames);
    void (*ctc)(void *context, const steno_trace_ctc *ctc);
    void (*segment)(void *context, const steno_trace_segment *segment);
    void (*turn)(void *context, const steno_trace_turn *turn);
    void *context;
} steno_trace;

#ifdef __cplusplus
}
#endif

#endif
