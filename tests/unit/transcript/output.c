#include "output.h"

#include <check.h>
#include <string.h>

steno_status output_write(void *context, const char *bytes, size_t size)
{
    output *self = context;
    if (++self->writes == self->fail_at)
        return STENO_ERROR_IO;
    ck_assert_uint_lt(self->size + size, sizeof self->bytes);
    memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
    self->bytes[self->size] = '\0';
    return STENO_OK;
}

void result_init(made_result *self)
{
    self->result = (steno_result){
        .is_final = true,
        .stability = 1,
        .alternatives = self->alternatives,
    };
}

void result_add(made_result *self, const steno_word *words, size_t count)
{
    size_t index = self->result.alternative_count++;
    steno_alternative *alternative = self->alternatives + index;
    char *at = self->texts[index];
    float confidence = 0;
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_lt(
            (size_t)(at - self->texts[index]) + strlen(words[i].text) + 2, sizeof *self->texts);
        if (i > 0)
            *at++ = ' ';
        at = stpcpy(at, words[i].text);
        confidence += words[i].confidence;
    }
    *alternative = (steno_alternative){
        self->texts[index], words, count, count > 0 ? confidence / (float)count : 0};
    if (index == 0 && count > 0) {
        self->result.start_ms = words[0].start_ms;
        self->result.end_ms = self->result.audio_ms = words[count - 1].end_ms;
    }
}

void format_words(output *out, steno_format format, const char *source, const steno_word *words,
    const size_t *counts, size_t results, uint64_t duration_ms)
{
    steno_formatter *formatter;
    memset(out, 0, sizeof *out);
    ck_assert_int_eq(
        steno_formatter_create(format, source, output_write, out, &formatter, NULL), STENO_OK);
    for (size_t i = 0; i < results; i++) {
        static made_result made;
        result_init(&made);
        result_add(&made, words, counts[i]);
        ck_assert_int_eq(steno_formatter_add(formatter, &made.result, 0), STENO_OK);
        words += counts[i];
    }
    ck_assert_int_eq(steno_formatter_finish(formatter, duration_ms), STENO_OK);
    steno_formatter_destroy(formatter);
}
