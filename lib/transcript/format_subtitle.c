/* SubRip and WebVTT.  Cues come from subtitle.h; here they are written down. */
#include <string.h>

#include "transcript/formatter.h"

/* "00:00:12,345"; more than two digits of hours where needed. */
static void write_time(writer *out, uint64_t ms, const char *point)
{
    writer_number(out, ms / 3600000, 2);
    writer_string(out, ":");
    writer_number(out, ms / 60000 % 60, 2);
    writer_string(out, ":");
    writer_number(out, ms / 1000 % 60, 2);
    writer_string(out, point);
    writer_number(out, ms % 1000, 3);
}

static void write_times(writer *out, const subtitle_cue *cue, const char *point)
{
    write_time(out, cue->start_ms, point);
    writer_string(out, " --> ");
    write_time(out, cue->end_ms, point);
    writer_string(out, "\n");
}

/* WebVTT text: what would begin a tag or an entity is escaped, and so is what would end "-->". */
static void write_escaped(writer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            writer_string(out, "&amp;");
        else if (*text == '<')
            writer_string(out, "&lt;");
        else if (*text == '>')
            writer_string(out, "&gt;");
        else
            writer_bytes(out, text, 1);
    }
}

/* The channel whose cues a sink is given. */
typedef struct channel_sink {
    steno_formatter *formatter;
    unsigned channel;
} channel_sink;

/* SubRip numbers its cues in the order of the file: just before they go there. */
static void write_cue_number(steno_formatter *formatter)
{
    if (formatter->family != &format_srt)
        return;
    writer_number(&formatter->out, ++formatter->written, 1);
    writer_string(&formatter->out, "\n");
}

static void write_cue(void *context, const subtitle_cue *cue)
{
    const channel_sink *sink = context;
    steno_formatter *formatter = sink->formatter;
    writer *out = format_record_begin(formatter, sink->channel);
    if (out == &formatter->out)
        write_cue_number(formatter);
    if (formatter->family == &format_srt) {
        write_times(out, cue, ",");
        writer_string(out, cue->text);
    } else {
        write_times(out, cue, ".");
        write_escaped(out, cue->text);
    }
    writer_string(out, "\n\n");
    format_record_end(formatter, out, sink->channel, cue->start_ms);
}

static void subtitle_format_add(
    steno_formatter *formatter, const steno_result *result, unsigned channel)
{
    channel_sink sink = {formatter, channel};
    char prefix[FORMAT_PREFIX_BYTES];
    format_prefix(channel, prefix);
    subtitle_add(&formatter->subtitles[channel], result->alternatives, prefix, write_cue, &sink);
}

static void subtitle_format_finish(steno_formatter *formatter, uint64_t duration_ms)
{
    for (unsigned channel = 0; channel <= STENO_CHANNELS_MAX; channel++) {
        channel_sink sink = {formatter, channel};
        subtitle_finish(&formatter->subtitles[channel], duration_ms, write_cue, &sink);
    }
    store *kept = &formatter->store;
    store_sort_by_time(kept);
    for (size_t i = 0; i < kept->record_count; i++) {
        write_cue_number(formatter);
        writer_bytes(&formatter->out, kept->bytes + kept->records[i].at, kept->records[i].size);
    }
}

static void vtt_begin(steno_formatter *formatter)
{
    writer_string(&formatter->out, "WEBVTT\n\n");
}

const format_family format_srt = {.name = "srt",
    .extension = "srt",
    .add = subtitle_format_add,
    .finish = subtitle_format_finish};

const format_family format_vtt = {.name = "vtt",
    .extension = "vtt",
    .begin = vtt_begin,
    .add = subtitle_format_add,
    .finish = subtitle_format_finish};
