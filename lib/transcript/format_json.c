#include "transcript/formatter.h"

static void write_number_field(writer *out, const char *name, uint64_t value)
{
    writer_string(out, name);
    writer_number(out, value, 1);
}

static void write_word(writer *out, const steno_word *word)
{
    writer_string(out, "{\"word\": ");
    writer_json(out, word->text);
    write_number_field(out, ", \"start_ms\": ", word->start_ms);
    write_number_field(out, ", \"end_ms\": ", word->end_ms);
    writer_string(out, ", \"confidence\": ");
    writer_share(out, word->confidence);
    writer_string(out, "}");
}

/* The fields that results and alternatives have in common. */
static void write_alternative(writer *out, const steno_alternative *alternative)
{
    writer_string(out, "\"text\": ");
    writer_json(out, alternative->text);
    writer_string(out, ", \"confidence\": ");
    writer_share(out, alternative->confidence);
    writer_string(out, ", \"words\": [");
    for (size_t i = 0; i < alternative->word_count; i++) {
        writer_string(out, i > 0 ? ", " : "");
        write_word(out, alternative->words + i);
    }
    writer_string(out, "]");
}

static void json_begin(steno_formatter *formatter)
{
    writer_string(&formatter->out, "{\n\"file\": ");
    writer_json(&formatter->out, formatter->source);
    writer_string(&formatter->out, ",\n\"results\": [");
}

static void json_add(steno_formatter *formatter, const steno_result *result, unsigned channel)
{
    writer *out = &formatter->out;
    writer_string(out, formatter->written > 0 ? ",\n" : "\n");
    write_number_field(out, "{\"channel\": ", channel);
    write_number_field(out, ", \"start_ms\": ", result->start_ms);
    write_number_field(out, ", \"end_ms\": ", result->end_ms);
    writer_string(out, ", ");
    write_alternative(out, result->alternatives);
    for (size_t i = 1; i < result->alternative_count; i++) {
        writer_string(out, i > 1 ? ", {" : ", \"alternatives\": [{");
        write_alternative(out, result->alternatives + i);
        writer_string(out, i + 1 < result->alternative_count ? "}" : "}]");
    }
    writer_string(out, "}");

    writer_string(&formatter->kept, formatter->written > 0 ? " " : "");
    writer_string(&formatter->kept, result->alternatives[0].text);
    formatter->written++;
}

static void json_finish(steno_formatter *formatter, uint64_t duration_ms)
{
    writer *out = &formatter->out;
    writer_bytes(&formatter->kept, "", 1); /* terminates the text */
    writer_string(out, formatter->written > 0 ? "\n],\n\"text\": " : "],\n\"text\": ");
    if (writer_flush(&formatter->kept) == STENO_OK)
        writer_json(out, formatter->store.bytes);
    write_number_field(out, ",\n\"duration_ms\": ", duration_ms);
    writer_string(out, "\n}\n");
}

const format_family format_json = {.name = "json",
    .extension = "json",
    .begin = json_begin,
    .add = json_add,
    .finish = json_finish};
