/*
 * A stream: audio in, results out.  Used by one thread at a time (its owner); the engine's workers
 * do the recognising behind it.
 *
 *     steno_stream_create(engine, model, &options, &stream, &error);
 *     while (there is audio) {
 *         while (steno_stream_feed(stream, samples, frames, &taken) == STENO_FULL) ... wait, retry
 *         while (steno_stream_next(stream, &result, &error) == STENO_OK) show(result);
 *     }
 *     steno_stream_finish(stream);
 *     for (;;) {
 *         status = steno_stream_next(stream, &result, &error);
 *         if (status == STENO_AGAIN) steno_stream_wait(stream, -1);
 *         else if (status == STENO_OK) show(result);
 *         else break;                                  STENO_END, or an error
 *     }
 *     steno_stream_destroy(stream);
 *
 * Memory is fixed at creation: an hour uses what ten seconds do.
 */
#ifndef STENO_STREAM_H
#define STENO_STREAM_H

#include "steno/engine.h"
#include "steno/model.h"
#include "steno/result.h"
#include "steno/trace.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum steno_search {
    STENO_SEARCH_JOINT, /* CTC and the attention decoder together: the default */
    STENO_SEARCH_CTC,   /* CTC alone: cheaper, less accurate */
} steno_search;

/* Words that are likely to be said, names say, which need not be known to the model. */
typedef struct steno_phrase {
    const char *text; /* words separated by spaces; case does not matter */
    float boost;      /* 0..20: how much to prefer it; 0 does nothing, 4 to 10 are usual */
} steno_phrase;

enum {
    STENO_PHRASES_MAX = 500,
    STENO_PHRASE_MAX_CHARACTERS = 100,
    STENO_PHRASES_MAX_CHARACTERS = 20000, /* of all together */
};

typedef struct steno_stream_options {
    uint32_t rate_hz;     /* of the samples fed: 8000..192000; default 16000 */
    uint32_t channels;    /* interleaved: 1..8; default 1 */
    uint32_t channel;     /* 0: the mean of all (default); 1..channels: that one */
    uint32_t chunk_ms;    /* 160, 320, 640 (default) or 1280: latency against accuracy;
                             STENO_ERROR_UNSUPPORTED where the model lacks one */
    bool interim;         /* give interim results; default false */
    bool endpointing;     /* finals at pauses; default true */
    uint32_t endpoint_ms; /* the pause that ends an utterance; default 800, 400..10000; in effect
                             at least the pause that ends a segment of the model's search */
    uint32_t
        max_utterance_ms; /* a final at the latest after this much; default 20000, 5000..60000 */
    uint32_t max_alternatives; /* 1 (default) to 10 */
    steno_search search;
    uint32_t beam;                /* hypotheses kept, 1..128; 0: the model's default */
    float lm_weight;              /* of the language model, 0 (not used)..100; NAN, here and below:
                                     the model's default.  STENO_ERROR_UNSUPPORTED above 0 where the
                                     model has none */
    float attention_weight;       /* of the attention decoder, 0..100; with STENO_SEARCH_CTC 0 */
    float token_bonus;            /* per token, -100..100: more words or fewer */
    const steno_phrase *phrases;  /* [phrase_count], copied at creation; NULL if there are none */
    size_t phrase_count;          /* STENO_ERROR_LIMIT above the limits, ARGUMENT for a boost that
                                     is out of range or a text that is not UTF-8 */
    bool activity;                /* give results that are events: when speech begins and ends;
                                     default false */
    uint32_t backlog_ms;          /* audio held unrecognised before feed says FULL; default 5000,
                                     from two chunks to 60000 */
    void (*ready)(void *context); /* called on a worker thread when `next` has something or room
                                     has come after FULL: must return quickly, must not call the
                                     stream; may be NULL */
    void *ready_context;
    const steno_trace *trace; /* who looks on, copied at creation; NULL (default): nobody */
} steno_stream_options;

STENO_API void steno_stream_options_init(steno_stream_options *options);

typedef struct steno_stream steno_stream;

/* options: NULL for defaults.  Takes a reference to the model.  STENO_ERROR_ARGUMENT names the
 * option out of range. */
STENO_API steno_status steno_stream_create(steno_engine *engine, steno_model *model,
    const steno_stream_options *options, steno_stream **out_stream, steno_error *error);
/* At any time, also with audio not yet recognised, which is dropped. NULL is fine. */
STENO_API void steno_stream_destroy(steno_stream *stream);

/* Offers interleaved samples [frames, channels] in [-1, 1).  Takes as many frames as there is room
 * for and says how many: STENO_OK if all, STENO_FULL if not (offer the rest again).  Allocates
 * nothing.  Samples beyond the range are clipped, what is no number becomes 0.  STENO_ERROR_STATE
 * after finish. */
STENO_API steno_status steno_stream_feed(
    steno_stream *stream, const float *samples, size_t frames, size_t *out_taken);

/* The audio is over: every last sample is recognised and all results become final.
 * STENO_ERROR_STATE the second time. */
STENO_API steno_status steno_stream_finish(steno_stream *stream);

/* What was fed so far becomes final at once, without waiting for a pause; the stream goes on, with
 * times counted as before.  A word being said at that moment is cut in two.  STENO_ERROR_STATE
 * after finish. */
STENO_API steno_status steno_stream_flush(steno_stream *stream);

/* The next result: STENO_OK and a result valid until the next call on this stream; STENO_AGAIN
 * when there is none now; STENO_END after the last; an error if recognising failed. Finals come in
 * order and none is lost; of interim results only the newest is kept. */
STENO_API steno_status steno_stream_next(
    steno_stream *stream, const steno_result **out_result, steno_error *error);

/* Waits until `next` would not say STENO_AGAIN, or feed has room after STENO_FULL, or timeout_ms
 * have passed (negative: for ever).  STENO_OK, or STENO_AGAIN on time-out. */
STENO_API steno_status steno_stream_wait(steno_stream *stream, int timeout_ms);

/* Milliseconds of audio fed, and recognised so far. */
STENO_API uint64_t steno_stream_fed_ms(const steno_stream *stream);
STENO_API uint64_t steno_stream_done_ms(const steno_stream *stream);

/* Bytes this stream holds (beyond what the resampler's library takes for itself). */
STENO_API size_t steno_stream_bytes(const steno_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
