#include "transcript/formatter.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static const format_family *const families[] = {
    [STENO_FORMAT_TEXT] = &format_text,
    [STENO_FORMAT_JSON] = &format_json,
    [STENO_FORMAT_SRT] = &format_srt,
    [STENO_FORMAT_VTT] = &format_vtt,
    [STENO_FORMAT_CTM] = &format_ctm,
    [STENO_FORMAT_TSV] = &format_tsv,
};
enum { FAMILIES = sizeof families / sizeof *families };

static const format_family *find_family(steno_format format)
{
    return (unsigned)format < FAMILIES ? families[format] : NULL;
}

steno_status steno_format_parse(const char *name, steno_format *out_format)
{
    if (!name || !out_format)
        return STENO_ERROR_ARGUMENT;
    for (unsigned i = 0; i < FAMILIES; i++) {
        if (strcmp(families[i]->name, name) == 0) {
            *out_format = (steno_format)i;
            return STENO_OK;
        }
    }
    return STENO_ERROR_ARGUMENT;
}

const char *steno_format_extension(steno_format format)
{
    const format_family *family = find_family(format);
    return family ? family->extension : "";
}

steno_status steno_formatter_create(steno_format format, const char *source, steno_write write,
    void *context, steno_formatter **out_formatter, steno_error *error)
{
    const format_family *family = find_family(format);
    if (!family)
        return error_set(error, STENO_ERROR_ARGUMENT, "unknown format %d", (int)format);
    if (!write || !out_formatter)
        return error_set(error, STENO_ERROR_ARGUMENT, "no %s", write ? "out_formatter" : "write");
    steno_formatter *formatter = memory_allocate(1, sizeof *formatter);
    if (!formatter)
        return error_memory(error);
    formatter->source = memory_duplicate(source ? source : "");
    if (!formatter->source) {
        memory_free(formatter);
        return error_memory(error);
    }
    formatter->family = family;
    writer_init(&formatter->out, write, context);
    writer_init(&formatter->kept, store_append, &formatter->store);
    *out_formatter = formatter;
    return STENO_OK;
}

void steno_formatter_destroy(steno_formatter *formatter)
{
    if (!formatter)
        return;
    store_finish(&formatter->store);
    memory_free(formatter->source);
    memory_free(formatter);
}

/* The first failure of either writer. */
static steno_status flush(steno_formatter *formatter)
{
    writer_flush(&formatter->kept);
    if (formatter->kept.status != STENO_OK)
        return formatter->kept.status;
    return writer_flush(&formatter->out);
}

/* Whether more may be written; begins the file if this is the first of it. */
static steno_status begin_once(steno_formatter *formatter)
{
    steno_status status = flush(formatter);
    if (status != STENO_OK)
        return status;
    if (formatter->finished)
        return STENO_ERROR_STATE;
    if (formatter->begun)
        return STENO_OK;
    formatter->begun = true;
    if (formatter->family->begin)
        formatter->family->begin(formatter);
    return STENO_OK;
}

steno_status steno_formatter_add(
    steno_formatter *formatter, const steno_result *result, unsigned channel)
{
    if (!formatter || !result || channel > STENO_CHANNELS_MAX)
        return STENO_ERROR_ARGUMENT;
    steno_status status = begin_once(formatter);
    if (status != STENO_OK)
        return status;
    if (result->is_final && result->alternative_count > 0 && result->alternatives[0].word_count > 0)
        formatter->family->add(formatter, result, channel);
    return flush(formatter);
}

steno_status steno_formatter_finish(steno_formatter *formatter, uint64_t duration_ms)
{
    if (!formatter)
        return STENO_ERROR_ARGUMENT;
    steno_status status = begin_once(formatter);
    if (status != STENO_OK)
        return status;
    formatter->finished = true;
    if (formatter->family->finish)
        formatter->family->finish(formatter, duration_ms);
    return flush(formatter);
}

void format_prefix(unsigned channel, char out_prefix[FORMAT_PREFIX_BYTES])
{
    out_prefix[0] = '\0';
    if (channel > 0)
        snprintf(out_prefix, FORMAT_PREFIX_BYTES, "[%u] ", channel);
}

writer *format_record_begin(steno_formatter *formatter, unsigned channel)
{
    bool keeps = channel > 0 || formatter->store.record_count > 0;
    return keeps ? &formatter->kept : &formatter->out;
}

void format_record_end(steno_formatter *formatter, writer *out, unsigned channel, uint64_t start_ms)
{
    if (out != &formatter->kept)
        return;
    if (writer_flush(out) == STENO_OK)
        out->status = store_record_add(&formatter->store, channel, start_ms);
}
