#include "inspect/lines.h"

/* How far the nearest token is from a cut, which is made before its encoding. */
static uint64_t room_at(const heard *h, uint64_t cut_ms)
{
    size_t count;
    const heard_token *tokens = heard_get_tokens(h, &count);
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t ms = heard_ctc_ms(h, tokens[i].frame);
        uint64_t room = ms < cut_ms ? cut_ms - ms : ms - cut_ms;
        least = room < least ? room : least;
    }
    return least;
}

uint64_t lines_next(const heard *h, uint64_t from_ms, uint64_t longest_ms)
{
    uint64_t left_ms = h->to_ms - from_ms;
    uint64_t lines = (left_ms + longest_ms - 1) / longest_ms;
    if (lines <= 1)
        return h->to_ms;
    /* The others must hold what is left. */
    uint64_t unit_ms = h->encoding_ms, even_ms = left_ms / lines;
    uint64_t least_ms = left_ms - (lines - 1) * longest_ms;
    uint64_t first_ms = even_ms > longest_ms / 8 ? even_ms - longest_ms / 8 : 0;
    uint64_t last_ms = even_ms + longest_ms / 8;
    first_ms = first_ms > least_ms ? first_ms : least_ms;
    last_ms = last_ms < longest_ms ? last_ms : longest_ms;
    first_ms = (first_ms + unit_ms - 1) / unit_ms * unit_ms;
    uint64_t best_ms = first_ms, most = 0;
    for (uint64_t ms = first_ms; ms <= last_ms; ms += unit_ms) {
        uint64_t room = room_at(h, from_ms + ms);
        if (room > most) {
            most = room;
            best_ms = ms;
        }
    }
    return from_ms + best_ms;
}
