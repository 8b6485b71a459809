/*
 * One queue of tasks, first come first served, and a fixed number of workers.
 *
 *     schedule --> [ queue ] --> a worker takes a batch --> turn_run --> idle, or queued again
 *
 * A task is in the queue once or with one worker, never both, so a stream's working state needs no
 * lock.  A worker takes its share of what is ready, ceil(ready / workers) tasks of one model, and
 * never waits for company: with little to do every stream has a worker of its own and with much to
 * do batches grow by themselves.  A thread per stream was rejected: hundreds of streams would
 * fight for the cores and nothing could be batched; so was a batching delay: it costs latency
 * exactly when there is nothing to gain.
 *
 * Working memory is one scratch a worker, sized for the largest model in use.  When a stream with
 * a larger need comes, its creator makes new ones; each worker changes over before its next batch.
 */
#include "recognizer/engine.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "recognizer/cores.h"
#include "recognizer/model.h"
#include "recognizer/turn.h"

enum { MAX_THREADS = 1024 };

typedef struct worker {
    steno_engine *engine;
    pthread_t thread;
    nn_scratch *scratch;                /* the worker's own */
    engine_task *tasks[MODEL_MAX_ROWS]; /* its batch: each has one row or more */
    nn_scratch *next_scratch;           /* under the engine's mutex: to change over to */
} worker;

struct steno_engine {
    worker *workers; /* [threads] */
    uint32_t threads;

    pthread_mutex_t mutex;
    pthread_cond_t work; /* a task was queued, or stopping */
    pthread_cond_t left; /* a leaving task is idle */

    /* All below under the mutex. */
    bool stopping;
    engine_task *first, *last; /* the queue */
    size_t queued;
    size_t members; /* tasks there are */
    size_t scratch_bytes;
    steno_engine_times times;
    steno_engine_load load; /* its sums alone */
};

uint64_t engine_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The queue; the engine's mutex is held. */

static void queue_append(steno_engine *engine, engine_task *task)
{
    task->state = ENGINE_QUEUED;
    task->queued_ns = engine_now_ns();
    task->next = NULL;
    if (engine->last)
        engine->last->next = task;
    else
        engine->first = task;
    engine->last = task;
    engine->queued++;
    pthread_cond_signal(&engine->work);
}

static void queue_unlink(steno_engine *engine, engine_task *before, engine_task *task)
{
    if (before)
        before->next = task->next;
    else
        engine->first = task->next;
    if (engine->last == task)
        engine->last = before;
    task->next = NULL;
    engine->queued--;
}

static void queue_remove(steno_engine *engine, engine_task *task)
{
    engine_task *before = NULL;
    for (engine_task *at = engine->first; at != task; at = at->next)
        before = at;
    queue_unlink(engine, before, task);
}

/* Takes a batch off the queue, oldest first: as many as are this worker's share and fit, all of
 * the first one's model.  Others keep their places. */
static size_t take_batch(steno_engine *engine, engine_task **tasks)
{
    size_t share = (engine->queued + engine->threads - 1) / engine->threads;
    const steno_model *model = engine->first->model;
    size_t count = 0, rows = 0;
    engine_task *before = NULL;
    for (engine_task *task = engine->first, *next; task && count < share; task = next) {
        next = task->next;
        if (task->model != model || rows + task->rows > MODEL_MAX_ROWS) {
            before = task;
            continue;
        }
        queue_unlink(engine, before, task);
        task->state = ENGINE_RUNNING;
        rows += task->rows;
        tasks[count++] = task;
    }
    return count;
}

/* The bucket of a value among `count` that double: of those up to 1, up to 2, up to 4, ... */
static size_t bucket_of(uint64_t value, size_t count)
{
    size_t bucket = 0;
    while (bucket + 1 < count && value > (uint64_t)1 << bucket)
        bucket++;
    return bucket;
}

static void count_turns(steno_engine_load *load, engine_task *const *tasks, size_t count)
{
    uint64_t now = engine_now_ns();
    load->batch_sizes[bucket_of(count, STENO_ENGINE_BATCH_BUCKETS)]++;
    for (size_t i = 0; i < count; i++) {
        uint64_t latency_ns = now - tasks[i]->queued_ns;
        uint64_t ms = (latency_ns + 999999) / 1000000;
        load->turn_latencies[bucket_of(ms, STENO_ENGINE_LATENCY_BUCKETS)]++;
        load->turn_latency_ns += latency_ns;
    }
}

static void give_back(steno_engine *engine, engine_task **tasks, size_t count)
{
    bool left = false;
    for (size_t i = 0; i < count; i++) {
        if (tasks[i]->state == ENGINE_AGAIN && !tasks[i]->leaving) {
            queue_append(engine, tasks[i]);
        } else {
            tasks[i]->state = ENGINE_IDLE;
            left |= tasks[i]->leaving;
        }
    }
    if (left)
        pthread_cond_broadcast(&engine->left);
}

static void add_times(steno_engine_times *sum, const steno_engine_times *times)
{
    sum->feature_ns += times->feature_ns;
    sum->encoder_ns += times->encoder_ns;
    sum->decoder_ns += times->decoder_ns;
    sum->transcript_ns += times->transcript_ns;
    sum->audio_ms += times->audio_ms;
    sum->batches += times->batches;
    sum->items += times->items;
}

static void change_scratch(worker *w)
{
    if (w->next_scratch) {
        nn_scratch_destroy(w->scratch);
        w->scratch = w->next_scratch;
        w->next_scratch = NULL;
    }
}

static void *work(void *argument)
{
    worker *w = argument;
    steno_engine *engine = w->engine;
    pthread_mutex_lock(&engine->mutex);
    for (;;) {
        while (!engine->first && !engine->stopping)
            pthread_cond_wait(&engine->work, &engine->mutex);
        if (!engine->first)
            break;
        size_t count = take_batch(engine, w->tasks);
        change_scratch(w);
        pthread_mutex_unlock(&engine->mutex);

        steno_engine_times times = {0};
        turn_run(w->tasks, count, w->scratch, &times);

        pthread_mutex_lock(&engine->mutex);
        add_times(&engine->times, &times);
        count_turns(&engine->load, w->tasks, count);
        give_back(engine, w->tasks, count);
    }
    pthread_mutex_unlock(&engine->mutex);
    return NULL;
}

/* Starts as many threads as it can; false when not all.  A program's signals are its own: workers
 * take none. */
static bool start_threads(steno_engine *engine, uint32_t threads)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (engine->threads = 0; engine->threads < threads; engine->threads++) {
        worker *w = &engine->workers[engine->threads];
        w->engine = engine;
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            break;
        char name[16];
        snprintf(name, sizeof name, "steno-%u", (unsigned)engine->threads);
        pthread_setname_np(w->thread, name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return engine->threads == threads;
}

static void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

steno_status steno_engine_create(
    const steno_engine_options *options, steno_engine **out_engine, steno_error *error)
{
    if (!out_engine)
        return error_set(error, STENO_ERROR_ARGUMENT, "steno_engine_create: out_engine is NULL");
    uint32_t threads = options ? options->threads : 0;
    if (threads > MAX_THREADS)
        return error_set(error, STENO_ERROR_ARGUMENT, "threads: %u, should be 1 to %d or 0",
            (unsigned)threads, (int)MAX_THREADS);
    if (threads == 0)
        threads = cores_available();
    if (threads > MAX_THREADS)
        threads = MAX_THREADS;

    steno_engine *engine = memory_allocate(1, sizeof *engine);
    worker *workers = memory_allocate(threads, sizeof *workers);
    if (!engine || !workers) {
        memory_free(engine);
        memory_free(workers);
        return error_memory(error);
    }
    engine->workers = workers;
    pthread_mutex_init(&engine->mutex, NULL);
    condition_init(&engine->work);
    condition_init(&engine->left);
    if (!start_threads(engine, threads)) {
        uint32_t started = engine->threads;
        steno_engine_destroy(engine);
        return error_set(error, STENO_ERROR_LIMIT, "the system gives %u of %u threads",
            (unsigned)started, (unsigned)threads);
    }
    *out_engine = engine;
    return STENO_OK;
}

void steno_engine_destroy(steno_engine *engine)
{
    if (!engine)
        return;
    pthread_mutex_lock(&engine->mutex);
    assert(engine->members == 0);
    engine->stopping = true;
    pthread_cond_broadcast(&engine->work);
    pthread_mutex_unlock(&engine->mutex);
    for (uint32_t i = 0; i < engine->threads; i++) {
        pthread_join(engine->workers[i].thread, NULL);
        nn_scratch_destroy(engine->workers[i].scratch);
        nn_scratch_destroy(engine->workers[i].next_scratch);
    }
    pthread_cond_destroy(&engine->left);
    pthread_cond_destroy(&engine->work);
    pthread_mutex_destroy(&engine->mutex);
    memory_free(engine->workers);
    memory_free(engine);
}

uint32_t steno_engine_threads(const steno_engine *engine)
{
    return engine->threads;
}

uint32_t steno_engine_cores(void)
{
    return cores_available();
}

void steno_engine_get_times(const steno_engine *engine, steno_engine_times *out_times)
{
    /* The mutex is no part of what the caller sees as constant. */
    steno_engine *own = (steno_engine *)engine;
    pthread_mutex_lock(&own->mutex);
    *out_times = own->times;
    pthread_mutex_unlock(&own->mutex);
}

void steno_engine_get_load(const steno_engine *engine, steno_engine_load *out_load)
{
    steno_engine *own = (steno_engine *)engine;
    pthread_mutex_lock(&own->mutex);
    *out_load = own->load;
    out_load->streams = own->members;
    out_load->queued = own->queued;
    pthread_mutex_unlock(&own->mutex);
}

/* Gives every worker a scratch of `bytes` at least.  The engine's mutex is held: creating streams
 * of a larger model than before is rare, and two creators at once must not undo each other. */
static steno_status grow_scratch(steno_engine *engine, size_t bytes, steno_error *error)
{
    if (bytes <= engine->scratch_bytes)
        return STENO_OK;
    for (uint32_t i = 0; i < engine->threads; i++) {
        nn_scratch *scratch;
        steno_status status = nn_scratch_create(bytes, &scratch, error);
        if (status != STENO_OK)
            return status; /* those made so far are larger than needed, which does no harm */
        nn_scratch_destroy(engine->workers[i].next_scratch);
        engine->workers[i].next_scratch = scratch;
    }
    engine->scratch_bytes = bytes;
    return STENO_OK;
}

steno_status engine_task_init(engine_task *task, steno_engine *engine, const steno_model *model,
    size_t rows, size_t scratch_bytes, steno_error *error)
{
    assert(rows >= 1 && rows <= MODEL_MAX_ROWS);
    pthread_mutex_lock(&engine->mutex);
    steno_status status = grow_scratch(engine, scratch_bytes, error);
    if (status == STENO_OK)
        engine->members++;
    pthread_mutex_unlock(&engine->mutex);
    if (status != STENO_OK)
        return status;
    task->engine = engine;
    task->model = model;
    task->rows = rows;
    task->state = ENGINE_IDLE;
    pthread_mutex_init(&task->mutex, NULL);
    condition_init(&task->changed);
    return STENO_OK;
}

void engine_task_finish(engine_task *task)
{
    steno_engine *engine = task->engine;
    pthread_mutex_lock(&engine->mutex);
    task->leaving = true;
    if (task->state == ENGINE_QUEUED) {
        queue_remove(engine, task);
        task->state = ENGINE_IDLE;
    }
    while (task->state != ENGINE_IDLE)
        pthread_cond_wait(&engine->left, &engine->mutex);
    engine->members--;
    pthread_mutex_unlock(&engine->mutex);
    pthread_cond_destroy(&task->changed);
    pthread_mutex_destroy(&task->mutex);
}

void engine_task_schedule(engine_task *task)
{
    steno_engine *engine = task->engine;
    pthread_mutex_lock(&engine->mutex);
    if (task->state == ENGINE_IDLE && !task->leaving)
        queue_append(engine, task);
    else if (task->state == ENGINE_RUNNING)
        task->state = ENGINE_AGAIN;
    pthread_mutex_unlock(&engine->mutex);
}

void engine_task_lock(engine_task *task)
{
    pthread_mutex_lock(&task->mutex);
}

void engine_task_unlock(engine_task *task)
{
    pthread_mutex_unlock(&task->mutex);
}

void engine_task_notify(engine_task *task)
{
    pthread_cond_broadcast(&task->changed);
}

bool engine_task_wait(engine_task *task, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        pthread_cond_wait(&task->changed, &task->mutex);
        return true;
    }
    const struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / 1000000000u),
        .tv_nsec = (long)(deadline_ns % 1000000000u),
    };
    pthread_cond_timedwait(&task->changed, &task->mutex, &deadline);
    return engine_now_ns() < deadline_ns;
}
