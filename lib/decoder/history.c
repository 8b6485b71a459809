/*
 * Records are counted by reference, from slots and from the records after them.  A slot that the
 * beam has given up keeps its records until the next step is left in it: that costs nothing, as
 * there are enough records for every slot to have a longest prefix of its own.
 */
#include "decoder/history.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* No record: before a prefix's first token, and in slots without one. */
enum { NONE = 0 };

typedef struct record {
    uint32_t references;
    uint32_t parent; /* of the token before, or NONE; while unused: the next unused one */
    uint64_t trigger;
    uint64_t first;
    size_t count;
} record;

struct history {
    size_t slots, window, record_count;
    record *records; /* [record_count]; 0 is NONE */
    float *weights;  /* [record_count, window] */
    uint32_t *tips;  /* [slots]: the record of a slot's last token */

    /* Cleared by history_clear, with the above. */
    uint32_t unused; /* the first of them */
};

steno_status history_create(
    size_t slots, size_t window, size_t max_length, history **out_history, steno_error *error)
{
    history *h = memory_allocate(1, sizeof *h);
    if (!h)
        return error_memory(error);
    h->slots = slots;
    h->window = window;
    /* One more than the longest: the step that asks what follows its last token. */
    h->record_count = 1 + slots * (max_length + 1);
    h->records = memory_allocate(h->record_count, sizeof *h->records);
    h->weights = memory_allocate(h->record_count * window, sizeof *h->weights);
    h->tips = memory_allocate(slots, sizeof *h->tips);
    if (!h->records || !h->weights || !h->tips) {
        history_destroy(h);
        return error_memory(error);
    }
    history_clear(h);
    *out_history = h;
    return STENO_OK;
}

void history_destroy(history *h)
{
    if (!h)
        return;
    memory_free(h->records);
    memory_free(h->weights);
    memory_free(h->tips);
    memory_free(h);
}

void history_clear(history *h)
{
    memset(h->tips, 0, h->slots * sizeof *h->tips);
    memset(h->records, 0, h->record_count * sizeof *h->records);
    for (uint32_t i = 1; i + 1 < h->record_count; i++)
        h->records[i].parent = i + 1;
    h->unused = 1;
}

/* One reference fewer to a record, and to those before it that nobody else knows. */
static void release(history *h, uint32_t index)
{
    while (index != NONE && --h->records[index].references == 0) {
        uint32_t parent = h->records[index].parent;
        h->records[index].parent = h->unused;
        h->unused = index;
        index = parent;
    }
}

void history_add(
    history *h, size_t before, size_t after, uint64_t trigger, const attention_state *state)
{
    assert(before < h->slots && after < h->slots && before != after);
    assert(state->count <= h->window);
    release(h, h->tips[after]);
    uint32_t index = h->unused;
    assert(index != NONE);
    record *r = &h->records[index];
    h->unused = r->parent;
    *r = (record){.references = 1,
        .parent = h->tips[before],
        .trigger = trigger,
        .first = state->first,
        .count = state->count};
    if (r->parent != NONE)
        h->records[r->parent].references++;
    memcpy(
        h->weights + index * h->window, state->alignment, state->count * sizeof *state->alignment);
    h->tips[after] = index;
}

void history_read(const history *h, size_t slot, size_t count, search_alignment *out_alignments)
{
    uint32_t index = h->tips[slot];
    for (size_t i = count; i-- > 0; index = h->records[index].parent) {
        const record *r = &h->records[index];
        assert(index != NONE);
        out_alignments[i] = (search_alignment){.trigger = r->trigger,
            .first = r->first,
            .count = r->count,
            .weights = h->weights + index * h->window};
    }
}

void history_keep(history *h, size_t slot, size_t count)
{
    uint32_t *link = &h->tips[slot];
    for (size_t i = 0; i < count; i++) {
        assert(*link != NONE);
        link = &h->records[*link].parent;
    }
    uint32_t dropped = *link;
    *link = NONE;
    release(h, dropped);
}
