#include "capture/captures.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "capture/capture.h"
#include "system/alarms.h"

enum { WAIT_STEP_MS = 10 };

/* A capture and its thread. */
typedef struct listener {
    capture capture;
    captures *all;
    pthread_t thread;
    bool has_thread;
} listener;

struct captures {
    capture_shared shared;
    captions *captions;
    listener *items; /* [count] */
    size_t count;
    _Atomic int running; /* threads */
};

static void *run(void *context)
{
    listener *self = context;
    capture_run(&self->capture);
    atomic_fetch_sub(&self->all->running, 1);
    return NULL;
}

static steno_status create_captions(
    captures *self, const capture_options *options, steno_error *error)
{
    char abouts[CAPTURES_MAX][256];
    captions_setting settings[CAPTURES_MAX];
    for (size_t i = 0; i < options->count; i++) {
        capture_options_describe(&options->items[i], abouts[i], sizeof(abouts[i]));
        settings[i] =
            (captions_setting){options->items[i].name, abouts[i], options->items[i].history};
    }
    return captions_create(settings, options->count, &self->captions, error);
}

steno_status captures_create(const capture_options *options, speech *maker, log_sink *log,
    captures **out_captures, steno_error *error)
{
    captures *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    self->shared.speech = maker;
    self->shared.log = log;
    self->shared.stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->items = memory_allocate(options->count, sizeof(*self->items));
    steno_status status = self->items != NULL ? STENO_OK : error_memory(error);
    if (status == STENO_OK && self->shared.stop_fd < 0)
        status = error_set(error, STENO_ERROR_IO, "can't create an eventfd: %s", strerror(errno));
    if (status == STENO_OK)
        status = create_captions(self, options, error);
    for (size_t i = 0; i < options->count && status == STENO_OK; i++) {
        listener *one = &self->items[self->count++];
        one->all = self;
        status = capture_init(&one->capture, &self->shared, &options->items[i],
            captions_at(self->captions, i), error);
    }
    if (status < 0) {
        captures_destroy(self);
        return status;
    }
    *out_captures = self;
    return STENO_OK;
}

steno_status captures_start(captures *self, steno_error *error)
{
    for (size_t i = 0; i < self->count; i++) {
        listener *one = &self->items[i];
        atomic_fetch_add(&self->running, 1);
        int code = pthread_create(&one->thread, NULL, run, one);
        one->has_thread = code == 0;
        if (code != 0) {
            atomic_fetch_sub(&self->running, 1);
            return error_set(error, STENO_ERROR_IO, "can't start a thread: %s", strerror(code));
        }
    }
    return STENO_OK;
}

void captures_stop(captures *self, bool at_once)
{
    if (at_once)
        atomic_store(&self->shared.at_once, true);
    atomic_store(&self->shared.stopping, true);
    /* Nobody reads it: it stays to be read from. */
    eventfd_write(self->shared.stop_fd, 1);
}

void captures_wait(captures *self, uint32_t most_ms)
{
    uint64_t until = alarms_now_ms() + most_ms;
    while (atomic_load(&self->running) > 0 && alarms_now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000}, NULL);
}

static void finish(listener *self)
{
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    capture_finish(&self->capture);
}

void captures_destroy(captures *self)
{
    if (self == NULL)
        return;
    captures_stop(self, true);
    for (size_t i = 0; i < self->count; i++)
        finish(&self->items[i]);
    captions_destroy(self->captions);
    memory_free(self->items);
    if (self->shared.stop_fd >= 0)
        close(self->shared.stop_fd);
    memory_free(self);
}

captions *captures_captions(captures *self)
{
    return self->captions;
}
