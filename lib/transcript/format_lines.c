/* Formats of plain lines: text (a line per result), TSV and CTM (a line per word). */
#include <string.h>

#include "transcript/formatter.h"

static void text_add(steno_formatter *formatter, const steno_result *result, unsigned channel)
{
    char prefix[FORMAT_PREFIX_BYTES];
    format_prefix(channel, prefix);
    writer_string(&formatter->out, prefix);
    writer_text(&formatter->out, result->alternatives[0].text, ' ');
    writer_string(&formatter->out, "\n");
}

const format_family format_text = {.name = "text", .extension = "txt", .add = text_add};

static void tsv_begin(steno_formatter *formatter)
{
    writer_string(&formatter->out, "start_ms\tend_ms\tchannel\tconfidence\tword\n");
}

static void tsv_add(steno_formatter *formatter, const steno_result *result, unsigned channel)
{
    writer *out = &formatter->out;
    const steno_alternative *best = result->alternatives;
    for (size_t i = 0; i < best->word_count; i++) {
        writer_number(out, best->words[i].start_ms, 1);
        writer_string(out, "\t");
        writer_number(out, best->words[i].end_ms, 1);
        writer_string(out, "\t");
        writer_number(out, channel, 1);
        writer_string(out, "\t");
        writer_share(out, best->words[i].confidence);
        writer_string(out, "\t");
        writer_text(out, best->words[i].text, ' ');
        writer_string(out, "\n");
    }
}

const format_family format_tsv = {
    .name = "tsv", .extension = "tsv", .begin = tsv_begin, .add = tsv_add};

/* The source's name as one CTM field: no folders, no extension, no spaces, and not the start of a
 * comment. */
static void write_name(writer *out, const char *source)
{
    const char *slash = strrchr(source, '/');
    const char *name = slash ? slash + 1 : source, *dot = strrchr(name, '.');
    const char *end = dot && dot > name ? dot : name + strlen(name);
    if (name == end)
        writer_string(out, "-");
    for (const char *at = name; at < end; at++) {
        unsigned char byte = (unsigned char)*at;
        bool unsafe = byte <= ' ' || byte == 0x7F || (at == name && byte == ';');
        writer_bytes(out, unsafe ? "_" : at, 1);
    }
}

static void ctm_add(steno_formatter *formatter, const steno_result *result, unsigned channel)
{
    const steno_alternative *best = result->alternatives;
    for (size_t i = 0; i < best->word_count; i++) {
        const steno_word *word = best->words + i;
        if (!*word->text)
            continue; /* would shift the fields */
        writer *out = format_record_begin(formatter, channel);
        write_name(out, formatter->source);
        writer_string(out, " ");
        writer_number(out, channel > 0 ? channel : 1, 1);
        writer_string(out, " ");
        writer_seconds(out, word->start_ms);
        writer_string(out, " ");
        writer_seconds(out, word->end_ms > word->start_ms ? word->end_ms - word->start_ms : 0);
        writer_string(out, " ");
        writer_text(out, word->text, '_');
        writer_string(out, " ");
        writer_share(out, word->confidence);
        writer_string(out, "\n");
        format_record_end(formatter, out, channel, word->start_ms);
    }
}

static void ctm_finish(steno_formatter *formatter, uint64_t duration_ms)
{
    store *kept = &formatter->store;
    store_sort_by_channel(kept);
    for (size_t i = 0; i < kept->record_count; i++)
        writer_bytes(&formatter->out, kept->bytes + kept->records[i].at, kept->records[i].size);
}

const format_family format_ctm = {
    .name = "ctm", .extension = "ctm", .add = ctm_add, .finish = ctm_finish};
