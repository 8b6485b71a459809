/* A turn: what a worker does with a batch of streams, from their samples to their results. */
#ifndef RECOGNIZER_TURN_H
#define RECOGNIZER_TURN_H

#include "recognizer/engine.h"

/* Runs whole chunks that are there for each stream, and to the end for those whose audio is over.
 * All tasks are of one model; the sum of their rows is at most MODEL_MAX_ROWS.  Adds to *times. */
void turn_run(engine_task **tasks, size_t count, nn_scratch *scratch, steno_engine_times *times);

/* Scratch bytes that turn_run takes at most with streams of that model. */
size_t turn_scratch(const steno_model *model);

#endif
