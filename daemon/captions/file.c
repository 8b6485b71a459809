#include "captions/file.h"

#include <string.h>

#include "base/error.h"

static steno_status write_bytes(void *context, const char *bytes, size_t size)
{
    FILE *file = context;
    return fwrite(bytes, 1, size, file) == size ? STENO_OK : STENO_ERROR_IO;
}

static steno_status add(steno_formatter *formatter, const captions_segment *segment)
{
    const steno_alternative best = {
        .text = segment->text,
        .words = segment->words,
        .word_count = segment->word_count,
        .confidence = segment->confidence,
    };
    const steno_result result = {
        .is_final = true,
        .endpoint = segment->endpoint,
        .stability = 1,
        .stable_words = segment->word_count,
        .start_ms = segment->start_ms,
        .end_ms = segment->end_ms,
        .audio_ms = segment->end_ms,
        .alternatives = &best,
        .alternative_count = 1,
    };
    return steno_formatter_add(formatter, &result, 0);
}

/* Nobody waits here: what is there is taken at once. */
static void wake_nobody(void *context) {}

static steno_status add_all(steno_formatter *formatter, captions_reader *reader)
{
    captions_event event;
    uint64_t end_ms = 0;
    steno_status status = STENO_OK;
    while (status == STENO_OK && captions_next(reader, &event) == STENO_OK) {
        if (event.kind == CAPTIONS_FINAL) {
            status = add(formatter, &event.segment);
            if (event.segment.end_ms > end_ms)
                end_ms = event.segment.end_ms;
        } else if (event.kind == CAPTIONS_STATUS) {
            end_ms = event.status.heard_ms;
        }
    }
    return status == STENO_OK ? steno_formatter_finish(formatter, end_ms) : status;
}

steno_status captions_file_write(
    captions_source *source, steno_format format, FILE *file, steno_error *error)
{
    const captions_from beginning = {.recent = SIZE_MAX};
    captions_reader *reader = NULL;
    steno_formatter *formatter = NULL;
    steno_status status =
        steno_formatter_create(format, captions_name(source), write_bytes, file, &formatter, error);
    if (status == STENO_OK)
        status = captions_join(source, &beginning, wake_nobody, NULL, &reader, error);
    if (status == STENO_OK && (status = add_all(formatter, reader)) < 0)
        error_set(error, status, "can't write the captions of %s", captions_name(source));
    captions_leave(reader);
    steno_formatter_destroy(formatter);
    return status;
}
