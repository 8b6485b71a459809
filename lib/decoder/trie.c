/*
 * The packed layout has no pointers: which entries have children is one bitmap, where the children
 * of one parent begin another of the order below, and the k'th entry that has children (rank) owns
 * the k'th run of siblings (select).  Small samples made on opening keep both short: the set bits
 * before each 64 for the rank, the place of every eighth run for the select.  2.5 bytes per n-gram
 * against the 7 of the plain layout; siblings are tokens side by side, so memchr finds one.
 * Rejected: the whole list of beginnings in memory, 4 bytes for each entry with children, for a few
 * nanoseconds; codes of fewer bits, which save less than what unaligned reading costs.
 *
 * The arrays stay in the mapped file, at any alignment, so elements are copied out one by one.
 */
#include "decoder/trie.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    WORD = 64,      /* bits that are read at once */
    RUN_SAMPLE = 8, /* of so many runs one's place is known */
};

/* One order.  What an order lacks is NULL: the last has no children, the first no siblings. */
typedef struct level {
    uint32_t count;
    const unsigned char *token, *probability, *backoff;
    bool narrow; /* tokens are U8, less one */
    /* plain */
    const unsigned char *child;
    /* packed */
    const unsigned char *inner, *first;
    uint32_t *inner_before; /* [words of inner]: set bits before each */
    uint32_t *runs;         /* [runs / RUN_SAMPLE + 1]: where every so many'th run begins */
} level;

struct trie {
    size_t order, tokens;
    bool packed;
    level *levels; /* [order] */
};

static uint32_t token_at(const level *l, uint32_t entry)
{
    if (l->narrow)
        return l->token[entry] + 1u;
    uint16_t token;
    memcpy(&token, l->token + entry * sizeof token, sizeof token);
    return token;
}

static int32_t child_at(const level *l, uint32_t entry)
{
    int32_t child;
    memcpy(&child, l->child + entry * sizeof child, sizeof child);
    return child;
}

/* --- Bitmaps --- */

static uint32_t words_of(uint32_t bits)
{
    return bits / WORD + (bits % WORD != 0);
}

static uint64_t word_at(const unsigned char *bits, uint32_t word)
{
    uint64_t value;
    memcpy(&value, bits + (size_t)word * sizeof value, sizeof value);
    return value;
}

static uint32_t ones(uint64_t word)
{
    return (uint32_t)__builtin_popcountll(word);
}

/* The first set bit at `from` or behind it; `bits`, how many there are, if there is none. */
static uint32_t next_one(const unsigned char *map, uint32_t bits, uint32_t from)
{
    if (from >= bits)
        return bits;
    uint32_t word = from / WORD, words = words_of(bits);
    uint64_t value = word_at(map, word) & ~UINT64_C(0) << from % WORD;
    while (value == 0) {
        if (++word == words)
            return bits;
        value = word_at(map, word);
    }
    return word * WORD + (uint32_t)__builtin_ctzll(value);
}

static uint32_t count_ones(const unsigned char *map, uint32_t bits)
{
    uint32_t count = 0;
    for (uint32_t word = 0; word < words_of(bits); word++)
        count += ones(word_at(map, word));
    return count;
}

/* --- Loading --- */

/* The tensor lm.N.WHAT, which must be there and one-dimensional, of type `type`, or `other`. */
static steno_status find_tensor(const nn_weights *weights, size_t order, const char *what,
    nn_type type, nn_type other, const char *type_name, const nn_tensor **out_tensor,
    steno_error *error)
{
    char name[48];
    snprintf(name, sizeof name, "lm.%zu.%s", order, what);
    const nn_tensor *tensor = nn_weights_get(weights, name);
    if (!tensor)
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s is not in the file", name);
    if ((tensor->type != type && tensor->type != other) || tensor->rank != 1)
        return error_set(
            error, STENO_ERROR_FORMAT, "tensor %s: should be %s of one dimension", name, type_name);
    if (tensor->shape[0] >= INT32_MAX)
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s: too large", name);
    *out_tensor = tensor;
    return STENO_OK;
}

/* The data of lm.N.WHAT, which must have `count` elements. */
static steno_status find_column(const nn_weights *weights, size_t order, const char *what,
    nn_type type, const char *type_name, size_t count, const unsigned char **out_data,
    steno_error *error)
{
    const nn_tensor *tensor = NULL;
    steno_status status = find_tensor(weights, order, what, type, type, type_name, &tensor, error);
    if (status != STENO_OK)
        return status;
    if (tensor->shape[0] != count)
        return error_set(error, STENO_ERROR_FORMAT, "tensor lm.%zu.%s: %zu elements, should be %zu",
            order, what, tensor->shape[0], count);
    *out_data = tensor->data;
    return STENO_OK;
}

static steno_status find_plain(
    const nn_weights *weights, size_t order, bool last, level *out, steno_error *error)
{
    const nn_tensor *token = NULL;
    steno_status status =
        find_tensor(weights, order, "token", NN_U16, NN_U16, "U16", &token, error);
    if (status != STENO_OK)
        return status;
    size_t count = token->shape[0];
    *out = (level){.token = token->data, .count = (uint32_t)count};
    status =
        find_column(weights, order, "probability", NN_U8, "U8", count, &out->probability, error);
    if (status == STENO_OK && !last)
        status = find_column(weights, order, "backoff", NN_U8, "U8", count, &out->backoff, error);
    if (status == STENO_OK && !last)
        status = find_column(weights, order, "child", NN_I32, "I32", count + 1, &out->child, error);
    return status;
}

/* A bitmap of lm.N.WHAT for count entries, with no bits beyond. */
static steno_status find_bitmap(const nn_weights *weights, size_t order, const char *what,
    uint32_t count, const unsigned char **out_map, steno_error *error)
{
    uint32_t words = words_of(count);
    steno_status status = find_column(
        weights, order, what, NN_U8, "U8", (size_t)words * sizeof(uint64_t), out_map, error);
    if (status != STENO_OK)
        return status;
    if (count % WORD != 0 && word_at(*out_map, words - 1) >> count % WORD != 0)
        return error_set(error, STENO_ERROR_FORMAT, "tensor lm.%zu.%s: bits beyond its %u entries",
            order, what, (unsigned)count);
    return STENO_OK;
}

static steno_status find_packed(const nn_weights *weights, size_t order, bool last, size_t tokens,
    level *out, steno_error *error)
{
    const nn_tensor *token = NULL;
    steno_status status = STENO_OK;
    *out = (level){.count = (uint32_t)tokens};
    if (order > 1) {
        status = find_tensor(weights, order, "token", NN_U8, NN_U16, "U8 or U16", &token, error);
        if (status != STENO_OK)
            return status;
        *out = (level){.count = (uint32_t)token->shape[0],
            .token = token->data,
            .narrow = token->type == NN_U8};
        status = find_bitmap(weights, order, "first", out->count, &out->first, error);
    }
    if (status == STENO_OK)
        status = find_column(
            weights, order, "probability", NN_U8, "U8", out->count, &out->probability, error);
    if (status == STENO_OK && !last)
        status = find_bitmap(weights, order, "inner", out->count, &out->inner, error);
    if (status == STENO_OK && !last)
        status = find_column(weights, order, "backoff", NN_U8, "U8",
            count_ones(out->inner, out->count), &out->backoff, error);
    return status;
}

/* --- Checking --- */

static steno_status check_first(const level *first, size_t tokens, steno_error *error)
{
    if (first->count != tokens)
        return error_set(error, STENO_ERROR_FORMAT, "tensor lm.1.token: %u elements, should be %zu",
            (unsigned)first->count, tokens);
    for (uint32_t i = 0; i < first->count; i++)
        if (token_at(first, i) != i)
            return error_set(error, STENO_ERROR_FORMAT, "tensor lm.1.token: %u at %u",
                (unsigned)token_at(first, i), (unsigned)i);
    return STENO_OK;
}

/* The siblings begin .. end - 1 are tokens and rise. */
static steno_status check_siblings(
    const level *l, size_t order, size_t tokens, uint32_t begin, uint32_t end, steno_error *error)
{
    for (uint32_t k = begin; k < end; k++)
        if (token_at(l, k) >= tokens || (k > begin && token_at(l, k) <= token_at(l, k - 1)))
            return error_set(error, STENO_ERROR_FORMAT, "tensor lm.%zu.token: %u at %u is %s",
                order, (unsigned)token_at(l, k), (unsigned)k,
                token_at(l, k) >= tokens ? "no token" : "out of order");
    return STENO_OK;
}

/* Every entry of `below`, of order + 1, has its parent. */
static steno_status check_plain(
    const level *l, const level *below, size_t order, size_t tokens, steno_error *error)
{
    if (child_at(l, 0) != 0 || child_at(l, l->count) != (int32_t)below->count)
        return error_set(error, STENO_ERROR_FORMAT,
            "tensor lm.%zu.child: runs from %d to %d, should from 0 to %u", order,
            (int)child_at(l, 0), (int)child_at(l, l->count), (unsigned)below->count);
    /* Rising from 0 to the count, so all lie between. */
    for (uint32_t i = 0; i < l->count; i++)
        if (child_at(l, i) > child_at(l, i + 1))
            return error_set(error, STENO_ERROR_FORMAT, "tensor lm.%zu.child: falls after %u",
                order, (unsigned)i);
    steno_status status = STENO_OK;
    for (uint32_t i = 0; i < l->count && status == STENO_OK; i++)
        status = check_siblings(below, order + 1, tokens, (uint32_t)child_at(l, i),
            (uint32_t)child_at(l, i + 1), error);
    return status;
}

static steno_status check_packed(
    const level *l, const level *below, size_t order, size_t tokens, steno_error *error)
{
    uint32_t inner = count_ones(l->inner, l->count);
    uint32_t runs = count_ones(below->first, below->count);
    if (inner != runs || (runs > 0 && (word_at(below->first, 0) & 1) == 0) ||
        (runs == 0 && below->count > 0))
        return error_set(error, STENO_ERROR_FORMAT,
            "tensor lm.%zu.first: %u runs of siblings, the first %s, for %u parents", order + 1,
            (unsigned)runs,
            below->count > 0 && (word_at(below->first, 0) & 1) ? "at 0" : "not at 0",
            (unsigned)inner);
    steno_status status = STENO_OK;
    for (uint32_t begin = 0; begin < below->count && status == STENO_OK;) {
        uint32_t end = next_one(below->first, below->count, begin + 1);
        status = check_siblings(below, order + 1, tokens, begin, end, error);
        begin = end;
    }
    return status;
}

/* What makes rank and select quick. */
static steno_status sample(level *l, const level *below, steno_error *error)
{
    uint32_t words = words_of(l->count), runs = count_ones(below->first, below->count);
    l->inner_before = memory_allocate((size_t)words + 1, sizeof *l->inner_before);
    l->runs = memory_allocate((size_t)runs / RUN_SAMPLE + 1, sizeof *l->runs);
    if (!l->inner_before || !l->runs)
        return error_memory(error);
    uint32_t before = 0;
    for (uint32_t word = 0; word < words; word++) {
        l->inner_before[word] = before;
        before += ones(word_at(l->inner, word));
    }
    uint32_t place = next_one(below->first, below->count, 0);
    for (uint32_t run = 0; run < runs; run++) {
        if (run % RUN_SAMPLE == 0)
            l->runs[run / RUN_SAMPLE] = place;
        place = next_one(below->first, below->count, place + 1);
    }
    return STENO_OK;
}

static steno_status load(trie *t, const nn_weights *weights, steno_error *error)
{
    steno_status status = STENO_OK;
    t->packed = nn_weights_get(weights, "lm.1.inner") != NULL;
    for (size_t n = 1; n <= t->order && status == STENO_OK; n++)
        status = t->packed
                     ? find_packed(weights, n, n == t->order, t->tokens, &t->levels[n - 1], error)
                     : find_plain(weights, n, n == t->order, &t->levels[n - 1], error);
    if (status == STENO_OK && !t->packed)
        status = check_first(&t->levels[0], t->tokens, error);
    for (size_t n = 1; n < t->order && status == STENO_OK; n++) {
        level *l = &t->levels[n - 1], *below = l + 1;
        status = t->packed ? check_packed(l, below, n, t->tokens, error)
                           : check_plain(l, below, n, t->tokens, error);
        if (status == STENO_OK && t->packed)
            status = sample(l, below, error);
    }
    return status;
}

steno_status trie_create(
    size_t order, size_t tokens, const nn_weights *weights, trie **out_trie, steno_error *error)
{
    trie *t = memory_allocate(1, sizeof *t);
    if (!t || !(t->levels = memory_allocate(order, sizeof *t->levels))) {
        memory_free(t);
        return error_memory(error);
    }
    t->order = order;
    t->tokens = tokens;
    steno_status status = load(t, weights, error);
    if (status != STENO_OK) {
        trie_destroy(t);
        return status;
    }
    *out_trie = t;
    return STENO_OK;
}

void trie_destroy(trie *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->order; i++) {
        memory_free(t->levels[i].inner_before);
        memory_free(t->levels[i].runs);
    }
    memory_free(t->levels);
    memory_free(t);
}

size_t trie_count(const trie *t)
{
    size_t count = 0;
    for (size_t i = 0; i < t->order; i++)
        count += t->levels[i].count;
    return count;
}

/* --- Look-ups --- */

static bool is_inner(const level *l, uint32_t entry)
{
    return word_at(l->inner, entry / WORD) >> entry % WORD & 1;
}

/* How many entries with children are before this one. */
static uint32_t rank(const level *l, uint32_t entry)
{
    uint64_t before = word_at(l->inner, entry / WORD) & ((UINT64_C(1) << entry % WORD) - 1);
    return l->inner_before[entry / WORD] + ones(before);
}

/* The children of an entry: out_begin .. out_end - 1 of the level below. */
static void children(
    const trie *t, const level *l, uint32_t entry, uint32_t *out_begin, uint32_t *out_end)
{
    const level *below = l + 1;
    if (!t->packed) {
        *out_begin = (uint32_t)child_at(l, entry);
        *out_end = (uint32_t)child_at(l, entry + 1);
        return;
    }
    *out_begin = *out_end = 0;
    if (!is_inner(l, entry))
        return;
    uint32_t run = rank(l, entry), place = l->runs[run / RUN_SAMPLE];
    for (uint32_t more = run % RUN_SAMPLE; more > 0; more--)
        place = next_one(below->first, below->count, place + 1);
    *out_begin = place;
    *out_end = next_one(below->first, below->count, place + 1);
}

uint32_t trie_find(const trie *t, size_t order, uint32_t parent, uint32_t token)
{
    assert(order >= 2 && order <= t->order && parent < t->levels[order - 2].count);
    const level *l = &t->levels[order - 1];
    uint32_t low, end;
    children(t, l - 1, parent, &low, &end);
    if (l->narrow) {
        if (token == 0 || token > UINT8_MAX + 1 || low == end)
            return TRIE_ABSENT;
        const unsigned char *at = memchr(l->token + low, (int)(token - 1), end - low);
        return at ? (uint32_t)(at - l->token) : TRIE_ABSENT;
    }
    uint32_t high = end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (token_at(l, middle) < token)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && token_at(l, low) == token ? low : TRIE_ABSENT;
}

unsigned trie_probability(const trie *t, size_t order, uint32_t entry)
{
    return t->levels[order - 1].probability[entry];
}

unsigned trie_backoff(const trie *t, size_t order, uint32_t entry)
{
    const level *l = &t->levels[order - 1];
    if (!t->packed)
        return l->backoff[entry];
    return is_inner(l, entry) ? l->backoff[rank(l, entry)] : 0;
}
