/*
 * Final results lie one after the other in a ring of bytes as records: a header with the record's
 * length, then the result with all it points to.  A record is never cut by the ring's end; a
 * record without a result fills up the rest of the ring instead.  Positions only grow; modulo the
 * capacity they are places.
 *
 *     capacity   |......[ head ... owner reads ... published ][ worker writes ... tail )......|
 *
 * A ring of slots of the largest size was rejected: the largest result is some hundred times the
 * usual one.
 *
 * Interim results have three slots that change roles: the worker fills `back`, publishing swaps it
 * with `pending`, taking swaps `pending` with `front`, which the owner reads.
 */
#include "recognizer/outbox.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { ALIGNMENT = 16 };

typedef struct record {
    size_t bytes; /* with this header */
    bool filler;
    steno_result result;
} record;

struct outbox {
    /* Immutable. */
    unsigned char *ring; /* [capacity] */
    size_t capacity, turn_bytes;
    unsigned char *slots; /* [3, turn_bytes], or NULL without interim results */

    /* The worker's. */
    uint64_t tail;    /* where the next record goes */
    size_t back;      /* slot to fill */
    bool back_filled; /* since the last publish, */
    bool final_put;   /* and so for these */

    /* Under the mutex; head changes by the owner alone, published by the worker alone. */
    uint64_t head, published;
    size_t pending;
    bool pending_filled;

    /* The owner's. */
    size_t front;
    size_t taken; /* bytes of the record taken last: still at head */
};

static size_t align(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* Each alternative has its words' letters twice: in the words, each with an end, and in its text,
 * with a space or the end after each word. */
size_t outbox_result_bytes(size_t alternatives, size_t words, size_t letters)
{
    return align(
        sizeof(record) + alternatives * (sizeof(steno_alternative) + words * sizeof(steno_word) +
                                            2 * (letters + words) + 1));
}

static size_t exact_bytes(const steno_result *result)
{
    size_t bytes = sizeof(record) + result->alternative_count * sizeof(steno_alternative);
    for (size_t i = 0; i < result->alternative_count; i++) {
        const steno_alternative *alternative = &result->alternatives[i];
        bytes += alternative->word_count * sizeof(steno_word) + strlen(alternative->text) + 1;
        for (size_t j = 0; j < alternative->word_count; j++)
            bytes += strlen(alternative->words[j].text) + 1;
    }
    return align(bytes);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static const char *copy_text(char **end, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = memcpy(*end, text, bytes);
    *end += bytes;
    return copy;
}

/* In the block: record, alternatives, all words, all texts; the alignment of each is no stricter
 * than that of the one before it. */
static void copy_result(void *block, size_t bytes, const steno_result *result, uint64_t limit_ms)
{
    record *copy = block;
    *copy = (record){.bytes = bytes, .result = *result};
    copy->result.start_ms = least(result->start_ms, limit_ms);
    copy->result.end_ms = least(result->end_ms, limit_ms);
    copy->result.audio_ms = least(result->audio_ms, limit_ms);
    copy->result.event_ms = least(result->event_ms, limit_ms);

    steno_alternative *alternatives = (steno_alternative *)(copy + 1);
    steno_word *words = (steno_word *)(alternatives + result->alternative_count);
    size_t word_count = 0;
    for (size_t i = 0; i < result->alternative_count; i++)
        word_count += result->alternatives[i].word_count;
    char *end = (char *)(words + word_count);

    copy->result.alternatives = result->alternative_count ? alternatives : NULL;
    for (size_t i = 0; i < result->alternative_count; i++) {
        alternatives[i] = result->alternatives[i];
        alternatives[i].text = copy_text(&end, result->alternatives[i].text);
        alternatives[i].words = words;
        for (size_t j = 0; j < alternatives[i].word_count; j++, words++) {
            *words = result->alternatives[i].words[j];
            words->text = copy_text(&end, words->text);
            words->start_ms = least(words->start_ms, limit_ms);
            words->end_ms = least(words->end_ms, limit_ms);
        }
    }
    assert((size_t)(end - (char *)block) <= bytes);
}

/* Three turns' worth: a turn may waste up to one on the filler at the ring's end, so it starts
 * with room for two; the third is how far the worker may run ahead of the reader. */
steno_status outbox_create(size_t turn_bytes, bool interim, outbox **out_outbox, steno_error *error)
{
    outbox *o = memory_allocate(1, sizeof *o);
    if (!o)
        return error_memory(error);
    o->turn_bytes = align(turn_bytes);
    o->capacity = 3 * o->turn_bytes;
    o->front = 1;
    o->pending = 2;
    o->ring = memory_allocate(3, o->turn_bytes);
    if (interim)
        o->slots = memory_allocate(3, o->turn_bytes);
    if (!o->ring || (interim && !o->slots)) {
        outbox_destroy(o);
        return error_memory(error);
    }
    *out_outbox = o;
    return STENO_OK;
}

void outbox_destroy(outbox *o)
{
    if (!o)
        return;
    memory_free(o->slots);
    memory_free(o->ring);
    memory_free(o);
}

bool outbox_has_room(const outbox *o)
{
    return o->capacity - (o->published - o->head) >= 2 * o->turn_bytes;
}

/* The worker saw at least two turns' worth of room when its turn began, and the owner only makes
 * more; so what it may write is counted from what was published then. */
steno_status outbox_put_final(outbox *o, const steno_result *result, uint64_t limit_ms)
{
    size_t bytes = exact_bytes(result);
    size_t place = (size_t)(o->tail % o->capacity), rest = o->capacity - place;
    size_t skip = bytes > rest ? rest : 0;
    if (o->tail + skip + bytes - o->published > 2 * o->turn_bytes)
        return STENO_ERROR_LIMIT;
    if (skip) {
        /* The header's first two members fit into any rest, which is a multiple of 16. */
        record *filler = (record *)(o->ring + place);
        filler->bytes = skip;
        filler->filler = true;
        o->tail += skip;
    }
    copy_result(o->ring + o->tail % o->capacity, bytes, result, limit_ms);
    o->tail += bytes;
    o->final_put |= result->is_final;
    return STENO_OK;
}

steno_status outbox_put_interim(outbox *o, const steno_result *result, uint64_t limit_ms)
{
    size_t bytes = exact_bytes(result);
    if (!o->slots || bytes > o->turn_bytes)
        return STENO_ERROR_LIMIT;
    copy_result(o->slots + o->back * o->turn_bytes, bytes, result, limit_ms);
    o->back_filled = true;
    return STENO_OK;
}

static void swap(size_t *a, size_t *b)
{
    size_t kept = *a;
    *a = *b;
    *b = kept;
}

bool outbox_publish(outbox *o)
{
    bool news = o->published != o->tail || o->back_filled;
    o->published = o->tail;
    if (o->final_put)
        o->pending_filled = false;
    o->final_put = false;
    if (o->back_filled) {
        swap(&o->back, &o->pending);
        o->pending_filled = true;
        o->back_filled = false;
    }
    return news;
}

bool outbox_has_result(const outbox *o)
{
    return o->published - o->head > o->taken || o->pending_filled;
}

void outbox_release(outbox *o)
{
    o->head += o->taken;
    o->taken = 0;
}

const steno_result *outbox_take(outbox *o)
{
    outbox_release(o);
    if (o->head != o->published) {
        const record *oldest = (const record *)(o->ring + o->head % o->capacity);
        if (oldest->filler) {
            o->head += oldest->bytes;
            oldest = (const record *)(o->ring + o->head % o->capacity);
        }
        o->taken = oldest->bytes;
        return &oldest->result;
    }
    if (o->pending_filled) {
        swap(&o->pending, &o->front);
        o->pending_filled = false;
        return &((const record *)(o->slots + o->front * o->turn_bytes))->result;
    }
    return NULL;
}
