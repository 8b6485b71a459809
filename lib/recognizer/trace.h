/* What a stream that is looked on at tells (steno/trace.h), for turn.c to call.  All of it is the
 * worker's. */
#ifndef RECOGNIZER_TRACE_H
#define RECOGNIZER_TRACE_H

#include "decoder/decoder.h"
#include "recognizer/model.h"
#include "steno/engine.h"
#include "steno/trace.h"

typedef struct trace trace;

/* functions: copied.  segment_tokens: the most tokens of one segment.  Errors: MEMORY. */
steno_status trace_create(const steno_model *model, const steno_trace *functions,
    size_t segment_tokens, trace **out_trace, steno_error *error);
void trace_destroy(trace *trace);

/* To be given to the stream's search.  Valid as long as the trace. */
const search_observer *trace_observer(const trace *trace);

/* The next samples [count], then the next frames [count, mel_bins] that they give, in any pieces.
 */
void trace_samples(trace *trace, const float *samples, size_t count);
void trace_frames(trace *trace, const float *frames, size_t count);

/* A turn with the next `encodings` is over; spent: what it added to the engine's times. */
void trace_turn(
    trace *trace, size_t encodings, size_t chunk, size_t streams, const steno_engine_times *spent);

#endif
