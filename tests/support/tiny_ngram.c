#include "support/tiny_ngram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count, size_t size)
{
    void *block = calloc(count + 1, size);
    if (!block)
        abort();
    return block;
}

static unsigned draw(uint64_t *state, unsigned below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % below;
}

/* The last level has neither back-offs nor children. */
static void allocate_level(tiny_ngram *t, size_t level, size_t count, uint64_t *random)
{
    t->count[level] = count;
    t->token[level] = allocate(count, sizeof *t->token[level]);
    t->probability[level] = allocate(count, 1);
    for (size_t i = 0; i < count; i++)
        t->probability[level][i] = (uint8_t)(10 + draw(random, 80));
    if (level + 1 == t->order)
        return;
    t->backoff[level] = allocate(count, 1);
    t->child[level] = allocate(count + 1, sizeof *t->child[level]);
    for (size_t i = 0; i < count; i++)
        t->backoff[level][i] = (uint8_t)draw(random, 40);
}

/* Behind others the tokens from `least` on are drawn. */
static tiny_ngram *random_from(size_t tokens, size_t order, uint64_t seed, size_t least)
{
    tiny_ngram *t = allocate(1, sizeof *t);
    uint64_t random = seed;
    *t = (tiny_ngram){
        .tokens = tokens, .order = order, .probability_scale = 0.0625, .backoff_scale = 0.03125};
    allocate_level(t, 0, tokens, &random);
    for (size_t i = 0; i < tokens; i++)
        t->token[0][i] = (uint16_t)i;
    for (size_t level = 1; level < order; level++) {
        size_t parents = t->count[level - 1], count = 0;
        uint16_t *found = allocate(parents * tokens, sizeof *found);
        for (size_t i = 0; i < parents; i++) {
            for (size_t token = least; token < tokens; token++)
                if (draw(&random, 3) == 0)
                    found[count++] = (uint16_t)token;
            t->child[level - 1][i + 1] = (int32_t)count;
        }
        allocate_level(t, level, count, &random);
        memcpy(t->token[level], found, count * sizeof *found);
        free(found);
    }
    return t;
}

tiny_ngram *tiny_ngram_random(size_t tokens, size_t order, uint64_t seed)
{
    return random_from(tokens, order, seed, 0);
}

tiny_ngram *tiny_ngram_random_packed(size_t tokens, size_t order, uint64_t seed, bool narrow)
{
    tiny_ngram *t = random_from(tokens, order, seed, narrow ? 1 : 0);
    tiny_ngram_pack(t, narrow);
    return t;
}

static void set_bit(uint64_t *map, size_t bit)
{
    map[bit / 64] |= UINT64_C(1) << bit % 64;
}

void tiny_ngram_pack(tiny_ngram *t, bool narrow)
{
    t->packed = true;
    t->narrow = narrow;
    for (size_t level = 0; level < t->order; level++) {
        size_t count = t->count[level];
        t->pack.first[level] = allocate(count / 64 + 1, 8);
        t->pack.inner[level] = allocate(count / 64 + 1, 8);
        t->pack.backoff[level] = allocate(count, 1);
        t->pack.token[level] = allocate(count, 1);
        t->pack.inner_count[level] = 0;
        for (size_t i = 0; i < count; i++)
            t->pack.token[level][i] = (uint8_t)(t->token[level][i] - 1);
    }
    for (size_t level = 0; level + 1 < t->order; level++)
        for (size_t i = 0; i < t->count[level]; i++) {
            if (t->child[level][i] == t->child[level][i + 1]) {
                t->backoff[level][i] = 0;
                continue;
            }
            set_bit(t->pack.inner[level], i);
            set_bit(t->pack.first[level + 1], (size_t)t->child[level][i]);
            t->pack.backoff[level][t->pack.inner_count[level]++] = t->backoff[level][i];
        }
}

void tiny_ngram_unpack(tiny_ngram *t)
{
    for (size_t level = 0; level < t->order && t->packed; level++) {
        free(t->pack.first[level]);
        free(t->pack.inner[level]);
        free(t->pack.backoff[level]);
        free(t->pack.token[level]);
    }
    t->packed = false;
}

void tiny_ngram_destroy(tiny_ngram *t)
{
    tiny_ngram_unpack(t);
    for (size_t level = 0; level < t->order; level++) {
        free(t->token[level]);
        free(t->probability[level]);
        free(t->backoff[level]);
        free(t->child[level]);
    }
    free(t);
}

/* The child `token` of an entry, or -1. */
static int find_child(const tiny_ngram *t, size_t level, int entry, uint32_t token)
{
    for (int i = t->child[level][entry]; i < t->child[level][entry + 1]; i++)
        if (t->token[level + 1][i] == token)
            return i;
    return -1;
}

double tiny_ngram_score(const tiny_ngram *t, const uint32_t *context, size_t length, uint32_t token)
{
    if (length == 0)
        return -t->probability_scale * t->probability[0][token];
    if (length > t->order - 1)
        return tiny_ngram_score(t, context + 1, length - 1, token);
    int entry = (int)context[0];
    for (size_t i = 1; i < length && entry >= 0; i++)
        entry = find_child(t, i - 1, entry, context[i]);
    if (entry < 0)
        return tiny_ngram_score(t, context + 1, length - 1, token);
    int found = find_child(t, length - 1, entry, token);
    if (found >= 0)
        return -t->probability_scale * t->probability[length][found];
    return -t->backoff_scale * t->backoff[length - 1][entry] +
           tiny_ngram_score(t, context + 1, length - 1, token);
}

static void add(tiny_tensor *out, size_t level, const char *what, const char *type, size_t bytes,
    size_t count, const void *data)
{
    *out = (tiny_tensor){.type = type, .count = count, .size = count * bytes, .bytes = data};
    snprintf(out->name, sizeof out->name, "lm.%zu.%s", level + 1, what);
}

static size_t packed_tensors(const tiny_ngram *t, tiny_tensor *out)
{
    size_t tensors = 0;
    for (size_t level = 0; level < t->order; level++) {
        size_t count = t->count[level], map = (count + 63) / 64 * 8;
        if (level > 0 && t->narrow)
            add(&out[tensors++], level, "token", "U8", 1, count, t->pack.token[level]);
        else if (level > 0)
            add(&out[tensors++], level, "token", "U16", 2, count, t->token[level]);
        if (level > 0)
            add(&out[tensors++], level, "first", "U8", 1, map, t->pack.first[level]);
        add(&out[tensors++], level, "probability", "U8", 1, count, t->probability[level]);
        if (level + 1 == t->order)
            break;
        add(&out[tensors++], level, "inner", "U8", 1, map, t->pack.inner[level]);
        add(&out[tensors++], level, "backoff", "U8", 1, t->pack.inner_count[level],
            t->pack.backoff[level]);
    }
    return tensors;
}

size_t tiny_ngram_tensors(const tiny_ngram *t, tiny_tensor out[TINY_NGRAM_MAX_TENSORS])
{
    if (t->packed)
        return packed_tensors(t, out);
    size_t tensors = 0;
    for (size_t level = 0; level < t->order; level++) {
        size_t count = t->count[level];
        add(&out[tensors++], level, "token", "U16", 2, count, t->token[level]);
        add(&out[tensors++], level, "probability", "U8", 1, count, t->probability[level]);
        if (level + 1 == t->order)
            break;
        add(&out[tensors++], level, "backoff", "U8", 1, count, t->backoff[level]);
        add(&out[tensors++], level, "child", "I32", 4, count + 1, t->child[level]);
    }
    return tensors;
}

void tiny_ngram_describe(const tiny_ngram *t, char *out, size_t size)
{
    snprintf(out, size, "{\"order\":%zu,\"probability_scale\":%g,\"backoff_scale\":%g}", t->order,
        t->probability_scale, t->backoff_scale);
}

void *tiny_ngram_write(const tiny_ngram *t, size_t *out_size)
{
    tiny_tensor tensors[TINY_NGRAM_MAX_TENSORS];
    size_t count = tiny_ngram_tensors(t, tensors), data = 0;
    char header[128 * TINY_NGRAM_MAX_TENSORS];
    size_t used = (size_t)snprintf(header, sizeof header, "{");
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(header + used, sizeof header - used,
            "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}", i ? "," : "",
            tensors[i].name, tensors[i].type, tensors[i].count, data, data + tensors[i].size);
        data += tensors[i].size;
    }
    used += (size_t)snprintf(header + used, sizeof header - used, "}");
    char *file = allocate(8 + used + data, 1), *end = file + 8;
    for (int i = 0; i < 8; i++)
        file[i] = (char)(unsigned char)((uint64_t)used >> (8 * i));
    memcpy(end, header, used);
    end += used;
    for (size_t i = 0; i < count; end += tensors[i].size, i++)
        if (tensors[i].size > 0)
            memcpy(end, tensors[i].bytes, tensors[i].size);
    *out_size = (size_t)(end - file);
    return file;
}
