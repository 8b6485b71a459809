#include "decoder/ranking.h"

#include <assert.h>

#include "base/error.h"
#include "base/memory.h"

steno_status ranking_create(size_t capacity, ranking *out_ranking, steno_error *error)
{
    *out_ranking = (ranking){.capacity = capacity,
        .places = memory_allocate(capacity, sizeof(place)),
        .merges = memory_allocate(capacity, sizeof(merge))};
    if (out_ranking->places && out_ranking->merges)
        return STENO_OK;
    ranking_destroy(out_ranking);
    return error_memory(error);
}

void ranking_destroy(ranking *r)
{
    memory_free(r->places);
    memory_free(r->merges);
    *r = (ranking){0};
}

void ranking_clear(ranking *r)
{
    r->count = r->merge_count = 0;
}

void ranking_add(ranking *r, place added)
{
    assert(r->count < r->capacity);
    size_t i = r->count++;
    for (; i > 0 && added.score > r->places[i - 1].score; i--)
        r->places[i] = r->places[i - 1];
    r->places[i] = added;
}

/* The rank of the one of that ending among the first `count`, or count. */
static size_t rank_of(const ranking *r, size_t count, uint64_t ending)
{
    size_t rank = 0;
    while (rank < count && r->places[rank].ending != ending)
        rank++;
    return rank;
}

void ranking_select(ranking *r, size_t width, double margin)
{
    double floor = r->places[0].score - margin;
    size_t surviving = 0;
    r->merge_count = 0;
    for (size_t i = 0; i < r->count && surviving < width && !(r->places[i].score < floor); i++) {
        place p = r->places[i];
        size_t same = rank_of(r, surviving, p.ending);
        if (same < surviving)
            r->merges[r->merge_count++] = (merge){.survivor = same, .lost = p};
        else
            r->places[surviving++] = p;
    }
    r->count = surviving;
}
