#include "captions/record.h"

#include <string.h>

#include "base/memory.h"

void captions_record_release(captions_record *self)
{
    if (self != NULL && --self->holders == 0)
        memory_free(self);
}

/* Copies a text to where *place points, and moves that on. */
static const char *put_text(char **place, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*place, text, size);
    *place += size;
    return copy;
}

captions_record *captions_record_segment(
    captions_kind kind, const steno_result *result, uint64_t origin_ms, uint64_t sequence)
{
    const steno_alternative *best = &result->alternatives[0];
    size_t bytes = strlen(best->text) + 1;
    for (size_t i = 0; i < best->word_count; i++)
        bytes += strlen(best->words[i].text) + 1;
    size_t words_at = sizeof(captions_record),
           texts_at = words_at + best->word_count * sizeof(steno_word);
    _Static_assert(
        sizeof(captions_record) % _Alignof(steno_word) == 0, "words come after the record");
    captions_record *self = memory_allocate(1, texts_at + bytes);
    if (self == NULL)
        return NULL;
    steno_word *words = (steno_word *)((char *)self + words_at);
    char *texts = (char *)self + texts_at;
    self->holders = 1;
    self->event.kind = kind;
    self->event.segment = (captions_segment){
        .sequence = sequence,
        .start_ms = result->start_ms + origin_ms,
        .end_ms = result->end_ms + origin_ms,
        .text = put_text(&texts, best->text),
        .words = words,
        .word_count = best->word_count,
        .stable_words = kind == CAPTIONS_FINAL ? best->word_count : result->stable_words,
        .confidence = best->confidence,
        .endpoint = result->endpoint,
    };
    for (size_t i = 0; i < best->word_count; i++) {
        words[i] = best->words[i];
        words[i].text = put_text(&texts, best->words[i].text);
        words[i].start_ms += origin_ms;
        words[i].end_ms += origin_ms;
    }
    return self;
}

captions_record *captions_record_empty(uint64_t sequence)
{
    static const steno_alternative nothing = {.text = ""};
    const steno_result result = {.alternatives = &nothing, .alternative_count = 1};
    return captions_record_segment(CAPTIONS_INTERIM, &result, 0, sequence);
}

captions_record *captions_record_status(const captions_status *status)
{
    captions_record *self =
        memory_allocate(1, sizeof(*self) + strlen(status->device) + 1 + strlen(status->reason) + 1);
    if (self == NULL)
        return NULL;
    char *texts = (char *)(self + 1);
    self->holders = 1;
    self->event.kind = CAPTIONS_STATUS;
    self->event.status = *status;
    self->event.status.device = put_text(&texts, status->device);
    self->event.status.reason = put_text(&texts, status->reason);
    return self;
}
