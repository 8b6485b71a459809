#include "transcript/assembly.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

steno_status assembly_init(
    assembly *self, size_t alternatives, size_t words, size_t word_bytes, uint32_t frame_ms)
{
    *self = (struct assembly){
        .alternative_capacity = alternatives,
        .word_capacity = alternatives * words,
        .text_capacity = alternatives * 2 * word_bytes, /* the words apart, and joined */
        .frame_ms = frame_ms,
    };
    self->alternatives = memory_allocate(alternatives, sizeof *self->alternatives);
    self->words = memory_allocate(self->word_capacity, sizeof *self->words);
    self->text = memory_allocate(self->text_capacity, 1);
    if (!self->alternatives || !self->words || !self->text)
        return STENO_ERROR_MEMORY;
    return STENO_OK;
}

void assembly_finish(assembly *self)
{
    memory_free(self->alternatives);
    memory_free(self->words);
    memory_free(self->text);
}

void assembly_clear(assembly *self)
{
    self->result = (steno_result){.alternatives = self->alternatives};
    self->alternative_count = self->word_count = self->text_bytes = 0;
    self->begun_at = 0;
}

void assembly_begin(assembly *self, uint64_t floor_ms)
{
    assert(self->alternative_count < self->alternative_capacity);
    self->begun_at = self->word_count;
    self->floor_ms = floor_ms;
}

char *assembly_word(assembly *self, size_t length, uint64_t first, uint64_t last, float confidence)
{
    assert(self->word_count < self->word_capacity);
    assert(length < self->text_capacity - self->text_bytes);
    char *text = self->text + self->text_bytes;
    self->text_bytes += length + 1;
    text[length] = '\0';

    uint64_t start_ms = first * self->frame_ms, end_ms = (last + 1) * self->frame_ms;
    if (start_ms < self->floor_ms)
        start_ms = self->floor_ms;
    if (end_ms < start_ms)
        end_ms = start_ms;
    self->floor_ms = end_ms;
    self->words[self->word_count++] = (steno_word){text, start_ms, end_ms, confidence};
    return text;
}

/* Words joined by single spaces, after the words' own texts. */
static const char *join(assembly *self, const steno_word *words, size_t count)
{
    char *text = self->text + self->text_bytes, *at = text;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(words[i].text);
        assert(at + length < self->text + self->text_capacity);
        memcpy(at, words[i].text, length);
        at += length;
        *at++ = i + 1 < count ? ' ' : '\0';
    }
    self->text_bytes += (size_t)(at - text);
    return text;
}

void assembly_end(assembly *self)
{
    const steno_word *words = self->words + self->begun_at;
    size_t count = self->word_count - self->begun_at;
    if (count == 0)
        return;
    double confidence = 0;
    for (size_t i = 0; i < count; i++)
        confidence += words[i].confidence;
    self->alternatives[self->alternative_count++] = (steno_alternative){
        .text = join(self, words, count),
        .words = words,
        .word_count = count,
        .confidence = (float)(confidence / (double)count),
    };
    self->result.alternative_count = self->alternative_count;
    if (self->alternative_count == 1) {
        self->result.start_ms = words[0].start_ms;
        self->result.end_ms = words[count - 1].end_ms;
    }
}

bool assembly_same(const assembly *a, const assembly *b)
{
    if (a->alternative_count == 0 || b->alternative_count == 0)
        return a->alternative_count == b->alternative_count;
    const steno_alternative *a_best = a->alternatives, *b_best = b->alternatives;
    if (a_best->word_count != b_best->word_count ||
        a->result.stable_words != b->result.stable_words)
        return false;
    for (size_t i = 0; i < a_best->word_count; i++) {
        const steno_word *x = a_best->words + i, *y = b_best->words + i;
        if (x->start_ms != y->start_ms || x->end_ms != y->end_ms || strcmp(x->text, y->text) != 0)
            return false;
    }
    return true;
}
