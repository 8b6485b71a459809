/*
 * Each source has a lock, a ring of its last finals, and one place each for the newest interim and
 * the newest status.  What is published lies in records of one block, counted by those who point
 * to it: the source, and each reader to the one it was given last.  So an event is copied once
 * however many read it, and a slow reader holds no more than one record that others have done with.
 *
 * A reader is the id of what it got last.  What comes next for it is the first, in the order of
 * ids, of its next final, the interim and the status, as far as they are newer than that. Rejected:
 * a queue for each reader, which would have to be bounded, filled by the publisher, and emptied of
 * interims when a newer comes.
 *
 * The lock is held for moments only, by readers for no more than finding an event, so the publisher
 * does not wait for what a reader does with it.  `wake` is called with the lock held:
 * captions_leave takes it, too, and so knows that none is under way.
 */
#include "captions/captions.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "captions/record.h"

/* A final of the ring. */
typedef struct kept {
    uint64_t id;
    captions_record *record; /* NULL: there was no memory for it */
} kept;

struct captions_source {
    char *name, *about; /* constant, as is the capacity */
    size_t capacity;    /* of the ring */

    pthread_mutex_t mutex;
    bool has_mutex; /* constant */

    /* Under the mutex. */
    bool closed;
    uint64_t last_id;    /* given out */
    uint64_t first_id;   /* the one before the first that was given out */
    uint64_t dropped_id; /* of the last final that the ring has lost; 0: none */
    uint64_t finals;     /* sequence of the last; it lies in ring[(finals - 1) % capacity] */
    uint64_t words, heard_ms;
    kept *ring;                        /* [capacity]; the last min(finals, capacity) are there */
    captions_record *interim, *status; /* the newest; interim may be NULL */
    captions_reader *readers;
    uint32_t reader_count;
};

struct captions {
    captions_source *sources; /* [count] */
    size_t count;
};

/* All but the source under its mutex. */
struct captions_reader {
    captions_source *source;
    captions_reader *previous, *next;
    void (*wake)(void *context);
    void *context;
    bool is_waiting;    /* was told STENO_AGAIN, and not woken since */
    bool has_begun;     /* was given the status it begins with */
    uint64_t status_id; /* of the last status given, which its event may not have had */
    uint64_t id;        /* of the last event given */
    uint64_t sequence;  /* of the next final; 0: of one that the ring has lost, not known which */
    captions_record *held; /* that the last event given points into; may be NULL */
};

const char *captions_state_name(captions_state state)
{
    static const char *const names[] = {"STARTING", "LISTENING", "WAITING", "ENDED"};
    return names[state];
}

static uint64_t unix_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- Sources ---- */

static void finish_source(captions_source *self)
{
    for (size_t i = 0; self->ring != NULL && i < self->capacity; i++)
        captions_record_release(self->ring[i].record);
    captions_record_release(self->interim);
    captions_record_release(self->status);
    memory_free(self->ring);
    memory_free(self->name);
    memory_free(self->about);
    if (self->has_mutex)
        pthread_mutex_destroy(&self->mutex);
}

static steno_status init_source(captions_source *self, const captions_setting *setting)
{
    static const captions_status starting = {.device = "", .reason = ""};
    self->capacity = setting->history;
    self->name = memory_duplicate(setting->name);
    self->about = memory_duplicate(setting->about);
    self->ring = memory_allocate(setting->history, sizeof(*self->ring));
    self->status = captions_record_status(&starting);
    self->has_mutex = pthread_mutex_init(&self->mutex, NULL) == 0;
    if (self->name == NULL || self->about == NULL || self->ring == NULL || self->status == NULL ||
        !self->has_mutex)
        return STENO_ERROR_MEMORY;
    uint64_t now = unix_us();
    self->first_id = self->last_id = now;
    self->status->event.id = now;
    self->status->event.unix_ms = now / 1000;
    return STENO_OK;
}

steno_status captions_create(
    const captions_setting *settings, size_t count, captions **out_captions, steno_error *error)
{
    captions *self = memory_allocate(1, sizeof(*self));
    captions_source *sources = memory_allocate(count, sizeof(*sources));
    steno_status status = self != NULL && sources != NULL ? STENO_OK : STENO_ERROR_MEMORY;
    if (status < 0) {
        memory_free(sources);
        memory_free(self);
        return error_memory(error);
    }
    self->sources = sources;
    self->count = count;
    for (size_t i = 0; i < count && status == STENO_OK; i++)
        status = init_source(&sources[i], &settings[i]);
    if (status < 0) {
        captions_destroy(self);
        return error_memory(error);
    }
    *out_captions = self;
    return STENO_OK;
}

void captions_destroy(captions *self)
{
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        finish_source(&self->sources[i]);
    memory_free(self->sources);
    memory_free(self);
}

size_t captions_count(const captions *self)
{
    return self->count;
}

captions_source *captions_at(captions *self, size_t index)
{
    return &self->sources[index];
}

captions_source *captions_find(captions *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->sources[i].name, name) == 0)
            return &self->sources[i];
    return NULL;
}

const char *captions_name(const captions_source *source)
{
    return source->name;
}

const char *captions_about(const captions_source *source)
{
    return source->about;
}

void captions_get_counts(captions_source *self, captions_counts *out_counts)
{
    pthread_mutex_lock(&self->mutex);
    const captions_status *status = &self->status->event.status;
    *out_counts = (captions_counts){
        .state = status->state,
        .heard_ms = self->heard_ms > status->heard_ms ? self->heard_ms : status->heard_ms,
        .lost_ms = status->lost_ms,
        .gaps = status->gaps,
        .device_overruns = status->device_overruns,
        .finals = self->finals,
        .words = self->words,
        .readers = self->reader_count,
    };
    pthread_mutex_unlock(&self->mutex);
}

/* ---- Publishing; what is called locked_ has the mutex ---- */

static void locked_wake(captions_source *self)
{
    for (captions_reader *reader = self->readers; reader != NULL; reader = reader->next)
        if (reader->is_waiting) {
            reader->is_waiting = false;
            reader->wake(reader->context);
        }
}

/* Gives it the next id; NULL takes one, too. */
static void locked_stamp(captions_source *self, captions_record *one)
{
    self->last_id++;
    if (one == NULL)
        return;
    one->event.id = self->last_id;
    one->event.unix_ms = unix_us() / 1000;
}

static void locked_replace(captions_record **place, captions_record *one)
{
    captions_record_release(*place);
    *place = one;
}

steno_status captions_publish_final(
    captions_source *self, const steno_result *result, uint64_t origin_ms)
{
    /* Only this thread changes the count. */
    captions_record *one =
        captions_record_segment(CAPTIONS_FINAL, result, origin_ms, self->finals + 1);
    pthread_mutex_lock(&self->mutex);
    if (self->closed) {
        memory_free(one);
    } else {
        locked_stamp(self, one);
        kept *place = &self->ring[self->finals++ % self->capacity];
        self->dropped_id = place->id;
        locked_replace(&place->record, one);
        place->id = self->last_id;
        locked_replace(&self->interim, NULL);
        self->words += result->alternatives[0].word_count;
        if (self->heard_ms < result->end_ms + origin_ms)
            self->heard_ms = result->end_ms + origin_ms;
        locked_wake(self);
    }
    pthread_mutex_unlock(&self->mutex);
    return one != NULL ? STENO_OK : STENO_ERROR_MEMORY;
}

static void publish_newest(captions_source *self, captions_record **place, captions_record *one)
{
    pthread_mutex_lock(&self->mutex);
    if (self->closed) {
        memory_free(one);
    } else {
        locked_stamp(self, one);
        locked_replace(place, one);
        locked_wake(self);
    }
    pthread_mutex_unlock(&self->mutex);
}

steno_status captions_publish_interim(
    captions_source *self, const steno_result *result, uint64_t origin_ms)
{
    captions_record *one =
        captions_record_segment(CAPTIONS_INTERIM, result, origin_ms, self->finals + 1);
    publish_newest(self, &self->interim, one);
    return one != NULL ? STENO_OK : STENO_ERROR_MEMORY;
}

void captions_take_back(captions_source *self)
{
    /* Only this thread changes it.  Readers that had none are not told either. */
    if (self->interim != NULL && self->interim->event.segment.word_count > 0)
        publish_newest(self, &self->interim, captions_record_empty(self->finals + 1));
}

steno_status captions_publish_status(captions_source *self, const captions_status *status)
{
    captions_record *one = captions_record_status(status);
    if (one == NULL)
        return STENO_ERROR_MEMORY;
    publish_newest(self, &self->status, one);
    return STENO_OK;
}

void captions_set_heard(captions_source *self, uint64_t heard_ms)
{
    pthread_mutex_lock(&self->mutex);
    self->heard_ms = heard_ms;
    pthread_mutex_unlock(&self->mutex);
}

void captions_end(captions_source *self)
{
    pthread_mutex_lock(&self->mutex);
    self->closed = true;
    locked_wake(self);
    pthread_mutex_unlock(&self->mutex);
}

/* ---- Reading ---- */

static kept *ring_at(captions_source *self, uint64_t sequence)
{
    return &self->ring[(sequence - 1) % self->capacity];
}

/* The sequence of the oldest final that is kept; one more than the last if there is none. */
static uint64_t oldest(const captions_source *self)
{
    return self->finals < self->capacity ? 1 : self->finals - self->capacity + 1;
}

/* Sets a reader after an id that was given out. */
static void begin_after(captions_reader *self, uint64_t id)
{
    captions_source *source = self->source;
    uint64_t low = oldest(source), high = source->finals + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (ring_at(source, middle)->id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    self->id = id;
    self->sequence = source->dropped_id > id ? 0 : low;
}

/* Sets it before so many finals, or as many as there are, and before the interim. */
static void begin_before(captions_reader *self, size_t recent)
{
    captions_source *source = self->source;
    uint64_t first = oldest(source), there = source->finals + 1 - first;
    if (recent < there)
        first = source->finals + 1 - recent;
    self->sequence = first;
    if (first <= source->finals)
        self->id = ring_at(source, first)->id - 1;
    else
        self->id = source->finals > 0 ? ring_at(source, source->finals)->id : source->first_id;
}

steno_status captions_join(captions_source *source, const captions_from *from,
    void (*wake)(void *context), void *context, captions_reader **out_reader, steno_error *error)
{
    captions_reader *self = memory_allocate(1, sizeof(*self));
    if (self == NULL)
        return error_memory(error);
    *self = (captions_reader){.source = source, .wake = wake, .context = context};
    pthread_mutex_lock(&source->mutex);
    if (from->after >= source->first_id && from->after <= source->last_id)
        begin_after(self, from->after);
    else
        begin_before(self, from->after == 0 ? from->recent : SIZE_MAX);
    self->next = source->readers;
    if (self->next != NULL)
        self->next->previous = self;
    source->readers = self;
    source->reader_count++;
    pthread_mutex_unlock(&source->mutex);
    *out_reader = self;
    return STENO_OK;
}

void captions_leave(captions_reader *self)
{
    if (self == NULL)
        return;
    captions_source *source = self->source;
    pthread_mutex_lock(&source->mutex);
    if (self->previous != NULL)
        self->previous->next = self->next;
    else
        source->readers = self->next;
    if (self->next != NULL)
        self->next->previous = self->previous;
    source->reader_count--;
    captions_record_release(self->held);
    pthread_mutex_unlock(&source->mutex);
    memory_free(self);
}

static void hold(captions_reader *self, captions_record *one)
{
    one->holders++;
    self->held = one;
}

static void give(captions_reader *self, captions_record *one, captions_event *out_event)
{
    hold(self, one);
    *out_event = one->event;
    self->id = one->event.id;
}

/* The first final not before its next one that the ring has. */
static uint64_t available(const captions_reader *self)
{
    uint64_t first = oldest(self->source);
    return self->sequence < first ? first : self->sequence;
}

/* What this reader was too slow for, or there was no memory for. */
static void give_gap(
    captions_reader *self, uint64_t last_sequence, uint64_t id, captions_event *out)
{
    *out = (captions_event){
        .id = id,
        .unix_ms = unix_us() / 1000,
        .kind = CAPTIONS_GAP,
        .gap = {self->sequence, last_sequence},
    };
    self->sequence = last_sequence + 1;
    self->id = id;
}

static void give_final(captions_reader *self, captions_event *out_event)
{
    uint64_t sequence = available(self);
    const kept *next = ring_at(self->source, sequence);
    if (sequence > self->sequence) {
        give_gap(self, sequence - 1, next->id - 1, out_event);
    } else if (next->record == NULL) {
        give_gap(self, sequence, next->id, out_event);
    } else {
        give(self, next->record, out_event);
        self->sequence++;
    }
}

static steno_status locked_next(captions_reader *self, captions_event *out_event)
{
    captions_source *source = self->source;
    captions_record *newest[] = {source->interim, source->status};
    if (!self->has_begun) {
        self->has_begun = true;
        hold(self, source->status);
        *out_event = source->status->event;
        self->status_id = out_event->id;
        out_event->id = self->id;
        if (out_event->status.heard_ms < source->heard_ms)
            out_event->status.heard_ms = source->heard_ms;
        return STENO_OK;
    }
    bool has_final = self->sequence <= source->finals;
    uint64_t first_id = has_final ? ring_at(source, available(self))->id : UINT64_MAX;
    captions_record *first = NULL;
    for (size_t i = 0; i < 2; i++) {
        uint64_t id = newest[i] != NULL ? newest[i]->event.id : 0;
        if (id > self->id && id != self->status_id && id < first_id) {
            first = newest[i];
            first_id = id;
        }
    }
    if (first != NULL)
        give(self, first, out_event);
    else if (has_final)
        give_final(self, out_event);
    else
        return source->closed ? STENO_END : STENO_AGAIN;
    return STENO_OK;
}

steno_status captions_next(captions_reader *self, captions_event *out_event)
{
    captions_source *source = self->source;
    pthread_mutex_lock(&source->mutex);
    captions_record_release(self->held);
    self->held = NULL;
    steno_status status = locked_next(self, out_event);
    self->is_waiting = status == STENO_AGAIN;
    pthread_mutex_unlock(&source->mutex);
    return status;
}
