/*
 * A stream from inside: its fields by who owns them.  stream.c is the owner's side (feed, next),
 * turn.c the worker's (from samples to results).
 *
 *     owner:  samples -> clean -> converter -> [ ring of samples ] \
 *                                                                    worker's turn
 *     owner:  result  <----------------------- [ outbox ]         <-/
 *
 * Of the two rings each side writes its own part unlocked; only the positions that hand a part
 * over are guarded by the task's mutex, so neither side ever waits for the other's copying.
 */
#ifndef RECOGNIZER_STREAM_H
#define RECOGNIZER_STREAM_H

#include "audio/convert.h"
#include "base/error.h"
#include "decoder/phrases.h"
#include "recognizer/activity.h"
#include "recognizer/engine.h"
#include "recognizer/model.h"
#include "recognizer/outbox.h"
#include "recognizer/trace.h"
#include "steno/stream.h"
#include "transcript/transcript.h"

struct steno_stream {
    engine_task task; /* first: the engine's view of a stream */

    /* Immutable after creation. */
    steno_model *model;           /* a reference */
    steno_stream_options options; /* without phrases and trace, which are the caller's */
    phrases *phrases;             /* or NULL */
    size_t chunk;                 /* C, encodings */
    size_t backlog_samples;       /* in the ring: feed takes no more from here on */
    size_t ring_samples;          /* the ring's size: the backlog and what one piece may add */
    size_t piece_frames;          /* feed converts so many frames at a time */
    size_t beam;                  /* hypotheses of the search at most */
    size_t segment_tokens;        /* tokens of one of them at most */
    size_t bytes;                 /* all this stream has allocated */

    float *ring; /* [ring_samples]: [read, written) is the worker's, the rest the owner's */
    outbox *outbox;

    /* The owner's. */
    converter *converter;
    float *piece;     /* [piece_frames, channels]: cleaned samples */
    float *converted; /* what converting one piece, or flushing, gives at most */
    uint64_t fed_frames;

    /* Under task.mutex.  Positions are samples at the model's rate from the stream's start. */
    uint64_t written, read;
    size_t wanted;       /* samples in the ring that complete the next chunk */
    uint64_t done_ms;    /* audio recognised */
    bool scheduled;      /* has, or will have, a turn */
    bool full_told;      /* the last feed said FULL */
    bool flushing;       /* all up to flush_at is to become final */
    uint64_t flush_at;   /* what was written when that was asked for */
    bool finishing;      /* nothing more will be written */
    uint64_t end_ms;     /* then: the audio's length */
    bool ended;          /* nothing more will be put in the outbox */
    steno_error failure; /* status below zero: recognising failed */

    /* The worker's, in whose turn the stream is. */
    frontend *frontend;
    encoder_state *encoder_state;
    search *search;
    transcript *transcript;
    activity activity;
    trace *trace;                      /* or NULL */
    transcript_token *tokens;          /* [beam, segment_tokens] */
    transcript_hypothesis *hypotheses; /* [beam] */
    bool tail_known;                   /* finishing was seen: silence and limit_ms are set */
    size_t silence;                    /* zeros still to be fed after the last sample */
    uint64_t limit_ms;      /* the audio's end once known: no result speaks of later times */
    steno_error turn_error; /* to become `failure` at the end of the turn */
};

/* With the mutex held: true if the stream should now be scheduled, which is then noted; the
 * caller unlocks and calls engine_task_schedule. */
bool stream_claim_turn(steno_stream *stream);

/* Samples that complete `chunks` more chunks.  Worker only (or before the first turn). */
size_t stream_samples_wanted(const steno_stream *stream, size_t chunks);

/* The sink of the stream's search: `context` is the stream (turn.c). */
void turn_segment(
    void *context, const search_hypothesis *hypotheses, size_t count, uint64_t end_frame);

#endif
