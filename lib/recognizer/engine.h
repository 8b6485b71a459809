/*
 * The engine as streams see it: an engine_task is what a worker can take a turn of.  A stream has
 * one as its first member.
 *
 * Two kinds of locks, never held together by a thread:
 *   - a task's own mutex guards what a stream's owner and a worker share (positions, results) and
 *     is held for a few assignments at a time;
 *   - the engine's mutex, inside engine.c, guards the queue and the tasks' states.
 */
#ifndef RECOGNIZER_ENGINE_H
#define RECOGNIZER_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "nn/scratch.h"
#include "steno/engine.h"
#include "steno/model.h"

typedef enum engine_state {
    ENGINE_IDLE,
    ENGINE_QUEUED,  /* waits for a worker */
    ENGINE_RUNNING, /* a worker has it */
    ENGINE_AGAIN,   /* a worker has it, and it was scheduled meanwhile: queued again afterwards */
} engine_state;

typedef struct engine_task {
    /* Immutable after engine_task_init. */
    steno_engine *engine;
    const steno_model *model; /* tasks of one batch have the same */
    size_t rows;              /* the least number of encodings in a turn */

    pthread_mutex_t mutex;
    pthread_cond_t changed; /* goes with mutex: something the owner may wait for */

    /* Under the engine's mutex. */
    engine_state state;
    bool leaving;       /* never queue again */
    uint64_t queued_ns; /* when it was queued last */
    struct engine_task *next;
} engine_task;

/* Adds a task to the engine, which makes the working memory of its workers at least as large as
 * scratch_bytes.  Errors: MEMORY. */
steno_status engine_task_init(engine_task *task, steno_engine *engine, const steno_model *model,
    size_t rows, size_t scratch_bytes, steno_error *error);
/* Takes it out again: waits for the worker that has it, if one has. */
void engine_task_finish(engine_task *task);

/* Asks for a turn.  Not with the task's mutex held. */
void engine_task_schedule(engine_task *task);

void engine_task_lock(engine_task *task);
void engine_task_unlock(engine_task *task);

/* With the mutex held: wakes whoever waits for a change. */
void engine_task_notify(engine_task *task);

/* With the mutex held, which is released meanwhile: waits for a notification until deadline_ns
 * (engine_now_ns; UINT64_MAX: for ever).  False once the deadline has passed.  May return early:
 * call in a loop on the condition waited for. */
bool engine_task_wait(engine_task *task, uint64_t deadline_ns);

/* The monotonic clock. */
uint64_t engine_now_ns(void);

#endif
