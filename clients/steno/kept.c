#include "kept.h"

#include <stdlib.h>
#include <string.h>

/*
 * A copy is one block: the result, its alternatives, all their words, then all texts.  The first
 * pass counts, the second fills.
 */
static size_t text_bytes(const steno_result *result, size_t *out_words)
{
    size_t bytes = 0;
    *out_words = 0;
    for (size_t a = 0; a < result->alternative_count; a++) {
        const steno_alternative *alternative = &result->alternatives[a];
        bytes += strlen(alternative->text) + 1;
        for (size_t w = 0; w < alternative->word_count; w++)
            bytes += strlen(alternative->words[w].text) + 1;
        *out_words += alternative->word_count;
    }
    return bytes;
}

static const char *put_text(char **end, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*end, text, size);
    *end += size;
    return copy;
}

static steno_result *copy_result(const steno_result *result)
{
    size_t word_count, bytes = text_bytes(result, &word_count);
    steno_result *copy =
        malloc(sizeof *copy + result->alternative_count * sizeof(steno_alternative) +
               word_count * sizeof(steno_word) + bytes);
    if (copy == NULL)
        return NULL;
    steno_alternative *alternatives = (steno_alternative *)(copy + 1);
    steno_word *words = (steno_word *)(alternatives + result->alternative_count);
    char *texts = (char *)(words + word_count);
    *copy = *result;
    copy->alternatives = alternatives;
    for (size_t a = 0; a < result->alternative_count; a++) {
        const steno_alternative *from = &result->alternatives[a];
        alternatives[a] = *from;
        alternatives[a].text = put_text(&texts, from->text);
        alternatives[a].words = words;
        for (size_t w = 0; w < from->word_count; w++, words++) {
            *words = from->words[w];
            words->text = put_text(&texts, from->words[w].text);
        }
    }
    return copy;
}

steno_status kept_add(kept *self, const steno_result *result, unsigned channel)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity * 2 + 16;
        kept_result *larger = realloc(self->results, capacity * sizeof *larger);
        if (larger == NULL)
            return STENO_ERROR_MEMORY;
        self->results = larger;
        self->capacity = capacity;
    }
    steno_result *copy = copy_result(result);
    if (copy == NULL)
        return STENO_ERROR_MEMORY;
    self->results[self->count] = (kept_result){copy, channel, self->count};
    self->count++;
    return STENO_OK;
}

static void delay(steno_result *result, uint64_t by_ms)
{
    result->start_ms += by_ms;
    result->end_ms += by_ms;
    result->audio_ms += by_ms;
    result->event_ms += by_ms;
    for (size_t a = 0; a < result->alternative_count; a++) {
        /* Ours, and only seen as constant from outside. */
        steno_word *words = (steno_word *)result->alternatives[a].words;
        for (size_t w = 0; w < result->alternatives[a].word_count; w++) {
            words[w].start_ms += by_ms;
            words[w].end_ms += by_ms;
        }
    }
}

void kept_delay(kept *self, uint64_t by_ms)
{
    for (size_t i = 0; i < self->count; i++)
        delay(self->results[i].result, by_ms);
}

static int compare(const void *one, const void *other)
{
    const kept_result *a = one, *b = other;
    if (a->result->start_ms != b->result->start_ms)
        return a->result->start_ms < b->result->start_ms ? -1 : 1;
    if (a->channel != b->channel)
        return a->channel < b->channel ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

void kept_sort(kept *self)
{
    if (self->count > 1)
        qsort(self->results, self->count, sizeof *self->results, compare);
}

void kept_finish(kept *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->results[i].result);
    free(self->results);
    *self = (struct kept){0};
}
