/*
 * The page is written from top to bottom: the text, the lines of pictures, tables, then the data
 * that the script draws and plays.  Without the script all but the spectrogram and the player is
 * there.
 *
 * The recording goes in as WAV: larger than FLAC, but every browser plays it and seeks in it to the
 * sample, and nothing is needed to write it.
 */
#include "inspect/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "inspect/embedded.h"
#include "inspect/lines.h"
#include "inspect/panels.h"
#include "steno/steno.h"

static const double SCALE = 1024.0 / PANEL_LINE_MS;

static void write_head(sink *out, const char *name)
{
    sink_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                   /* Nothing is fetched, whatever a name or a model's text says. */
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
                   "media-src data:\"/>\n<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                   "<title>");
    sink_escaped(out, name);
    sink_text(out, " \xE2\x80\x93 steno inspect</title>\n<style>\n");
    sink_bytes(out, (const char *)page_css, page_css_size);
    sink_text(out, "</style>\n</head>\n<body>\n");
}

/* Minutes and seconds. */
static void write_time(sink *out, uint64_t ms)
{
    sink_print(out, "%" PRIu64 ":%05.2f", ms / 60000, (double)(ms % 60000) / 1000);
}

static void write_header(sink *out, const heard *h, const page_facts *facts)
{
    sink_text(out, "<header>\n<h1>");
    sink_escaped(out, facts->name);
    sink_text(out, "</h1>\n<p>");
    write_time(out, h->from_ms);
    sink_text(out, " to ");
    write_time(out, h->to_ms < facts->recognised_ms ? h->to_ms : facts->recognised_ms);
    if (facts->audio_ms != UINT64_MAX) {
        sink_text(out, " of ");
        write_time(out, facts->audio_ms);
    }
    sink_text(out, " minutes, as ");
    sink_text(out, "<code>steno</code> ");
    sink_escaped(out, steno_version());
    sink_text(out, " heard it</p>\n</header>\n<main>\n");
}

static void write_words(sink *out, const heard *h, const steno_result *result)
{
    const steno_alternative *best = &result->alternatives[0];
    sink_text(out, "<p><span class=\"time\">");
    write_time(out, result->start_ms);
    sink_text(out, "</span>");
    for (size_t i = 0; i < best->word_count; i++) {
        const steno_word *word = &best->words[i];
        if (word->start_ms < h->from_ms || word->start_ms >= h->to_ms)
            continue;
        sink_print(out,
            " <button type=\"button\" class=\"heard\" data-start=\"%" PRIu64
            "\" data-end=\"%" PRIu64
            "\" title=\"%.2f to %.2f s, confidence %.3f\" style=\"--sure:%.2f\">",
            word->start_ms, word->end_ms, (double)word->start_ms / 1000,
            (double)word->end_ms / 1000, (double)word->confidence, (double)word->confidence);
        sink_escaped(out, word->text);
        sink_text(out, "</button>");
    }
    sink_text(out, "</p>\n");
}

static void write_text(sink *out, const heard *h)
{
    steno_model_info info;
    steno_model_get_info(h->model, &info);
    sink_text(
        out, "<section aria-labelledby=\"text\">\n<h2 id=\"text\">Text</h2>\n<div class=\"text\"");
    if (*info.language != '\0') {
        sink_text(out, " lang=\"");
        sink_escaped(out, info.language);
        sink_text(out, "\"");
    }
    sink_text(out, ">\n");
    for (size_t i = 0; i < h->results.count; i++)
        write_words(out, h, h->results.results[i].result);
    if (h->results.count == 0)
        sink_text(out, "<p>Nothing was said.</p>\n");
    sink_text(out,
        "</div>\n<p class=\"note\">The fainter a word's line, the less sure it is. A word "
        "plays from where it begins.</p>\n</section>\n");
}

static const char explanation[] =
    "<details>\n<summary>What one sees</summary>\n<dl>\n"
    "<dt>chunks</dt><dd>What the encoder takes at once. It sees a chunk whole, and about five "
    "seconds "
    "before it.</dd>\n"
    "<dt>waveform, log-mel spectrum</dt><dd>The sound as it is recognised: mixed to one channel, "
    "at "
    "16 kHz; below, its energy by frequency, low at the bottom. This is all that the network is "
    "given.</dd>\n"
    "<dt>CTC</dt><dd>When text may have been said. The grey line is the probability that nothing "
    "new "
    "was; a spike is that of the likeliest text unit, dots are those of others. \xE2\x96\x81 "
    "begins a "
    "word.</dd>\n"
    "<dt>words</dt><dd>The outcome: each under its time, with its confidence; brackets are "
    "results, "
    "and a dashed line is the moment at which a pause had made one final.</dd>\n"
    "<dt>attention</dt><dd>A row for each text unit of the outcome, from top to bottom. An orange "
    "frame is where CTC proposed it; the attention decoder then looked at the encodings in blue "
    "and "
    "said how likely it is after those before. Where it follows the speech, the blue is a diagonal."
    "</dd>\n</dl>\n</details>\n";

static steno_status discard(void *context, const char *bytes, size_t size)
{
    return STENO_OK;
}

/* All panels of a line; returns the height of the whole. */
static double draw_panels(sink *out, const view *v)
{
    double y = 4;
    y += panel_ruler(out, v, y);
    y += panel_waveform(out, v, y);
    y += panel_spectrogram(out, v, y);
    y += panel_ctc(out, v, y);
    y += panel_words(out, v, y);
    if (v->heard->weights.size > 0)
        y += panel_attention(out, v, y);
    panel_endpoints(out, v, y);
    return y;
}

static void write_line(sink *out, const heard *h, uint64_t from_ms, uint64_t to_ms)
{
    view v = {.heard = h, .from_ms = from_ms, .to_ms = to_ms, .scale = SCALE};
    double height = draw_panels(&(sink){.write = discard}, &v);
    sink_print(out,
        "<figure>\n<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"line\" role=\"img\" "
        "aria-label=\"%.2f to %.2f seconds: waveform, spectrum, CTC, words, attention\" "
        "viewBox=\"0 0 %.0f %.0f\" data-from=\"%" PRIu64 "\" data-to=\"%" PRIu64
        "\" data-left=\"%d\" data-scale=\"%.6f\" font-family=\"ui-monospace, 'DejaVu Sans Mono', "
        "monospace\" font-size=\"10\">\n",
        (double)from_ms / 1000, (double)to_ms / 1000,
        PANEL_LEFT + PANEL_LINE_MS * SCALE + PANEL_RIGHT, height, from_ms, to_ms, PANEL_LEFT,
        SCALE);
    draw_panels(out, &v);
    sink_text(out, "</svg>\n</figure>\n");
}

static void write_lines(sink *out, const heard *h)
{
    uint64_t longest_ms = PANEL_LINE_MS / h->encoding_ms * h->encoding_ms;
    sink_text(out, "<section aria-labelledby=\"pictures\">\n<h2 id=\"pictures\">Pictures</h2>\n");
    sink_text(out, explanation);
    for (uint64_t from_ms = h->from_ms; from_ms < h->to_ms;) {
        uint64_t to_ms = lines_next(h, from_ms, longest_ms);
        write_line(out, h, from_ms, to_ms);
        from_ms = to_ms;
    }
    sink_text(out, "</section>\n");
}

/* --- Tables --- */

static void begin_table(sink *out, const char *id, const char *title)
{
    sink_print(
        out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n<table>\n", id, id, title);
}

static void end_table(sink *out)
{
    sink_text(out, "</table>\n</section>\n");
}

static void write_fact(sink *out, const char *what, const char *value)
{
    sink_print(out, "<tr><th scope=\"row\">%s</th><td>", what);
    sink_escaped(out, *value != '\0' ? value : "not stated");
    sink_text(out, "</td></tr>\n");
}

STENO_PRINTF(3, 4)
static void print_fact(sink *out, const char *what, const char *format, ...)
{
    char value[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(value, sizeof value, format, arguments);
    va_end(arguments);
    write_fact(out, what, value);
}

static void write_model(sink *out, const heard *h, const page_facts *facts)
{
    steno_model_info info;
    steno_model_get_info(h->model, &info);
    begin_table(out, "model", "Model");
    write_fact(out, "file", facts->model_path);
    write_fact(out, "name", info.name);
    write_fact(out, "language", info.language);
    print_fact(out, "size", "%.1f MB, %.2f million parameters", (double)info.file_bytes / 1e6,
        (double)info.parameters / 1e6);
    print_fact(out, "units",
        "%" PRIu32 " text units; an encoding each %" PRIu32 " ms, a frame of CTC each %" PRIu32
        " ms",
        info.tokens, info.encoding_ms, info.ctc_frame_ms);
    if (info.lm_ngrams > 0)
        print_fact(out, "language model", "%" PRIu64 " n-grams", info.lm_ngrams);
    else
        write_fact(out, "language model", "none");
    write_fact(out, "training data", info.training_data);
    write_fact(out, "training", info.trained_with);
    write_fact(out, "word error rate", info.word_error_rate);
    write_fact(out, "licence", info.licence);
    print_fact(
        out, "ran in", "%s, operators: %s", steno_precision_name(info.precision), info.operators);
    end_table(out);
}

static void write_weight(sink *out, const char *what, float value)
{
    if (isnan(value))
        write_fact(out, what, "the model's");
    else
        print_fact(out, what, "%g", (double)value);
}

static void write_settings(sink *out, const page_facts *facts)
{
    const steno_stream_options *s = facts->stream;
    begin_table(out, "settings", "Recording and settings");
    write_fact(out, "recording", facts->path);
    print_fact(out, "format", "%s, %" PRIu32 " Hz, %" PRIu32 " channel%s", facts->info->format,
        facts->info->rate_hz, facts->info->channels, facts->info->channels == 1 ? "" : "s, mixed");
    print_fact(out, "chunk", "%" PRIu32 " ms", s->chunk_ms);
    write_fact(out, "search", s->search == STENO_SEARCH_CTC ? "CTC alone" : "CTC and attention");
    if (s->beam > 0)
        print_fact(out, "beam", "%" PRIu32, s->beam);
    else
        write_fact(out, "beam", "the model's");
    write_weight(out, "language model's weight", s->lm_weight);
    write_weight(out, "attention's weight", s->attention_weight);
    write_weight(out, "bonus of a token", s->token_bonus);
    print_fact(out, "phrases", "%zu", s->phrase_count);
    if (s->endpointing)
        print_fact(out, "endpoint", "%" PRIu32 " ms of pause", s->endpoint_ms);
    else
        write_fact(out, "endpoint", "none");
    end_table(out);
}

static void write_times(sink *out, const heard *h, const page_facts *facts)
{
    const heard_turn *total = &h->total;
    const struct {
        const char *name;
        uint64_t ns;
    } stages[] = {{"features", total->feature_ns}, {"encoder", total->encoder_ns},
        {"decoder", total->decoder_ns}, {"transcript", total->transcript_ns}};
    double audio_s = (double)facts->recognised_ms / 1000, sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += (double)stages[i].ns / 1e9;
    begin_table(out, "times", "Time spent");
    sink_text(out, "<tr><th scope=\"col\">stage</th><th scope=\"col\">seconds</th><th "
                   "scope=\"col\">share</th><th scope=\"col\">per second of audio</th></tr>\n");
    for (size_t i = 0; i < 4; i++) {
        double seconds = (double)stages[i].ns / 1e9;
        sink_print(out,
            "<tr><th scope=\"row\">%s</th><td>%.3f</td><td>%.0f %%</td><td>%.2f ms</td></tr>\n",
            stages[i].name, seconds, sum > 0 ? 100 * seconds / sum : 0,
            audio_s > 0 ? 1000 * seconds / audio_s : 0);
    }
    sink_print(out,
        "<tr><th scope=\"row\">together</th><td>%.3f</td><td></td><td>%.2f ms: %.1f times faster "
        "than "
        "speech</td></tr>\n",
        sum, audio_s > 0 ? 1000 * sum / audio_s : 0, sum > 0 ? audio_s / sum : 0);
    end_table(out);
}

/* --- What the script draws and plays --- */

static void put_le(uint8_t *to, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* RIFF WAVE, PCM of 16 bits, one channel. */
static void write_wav(sink *out, const heard *h)
{
    size_t count;
    const int16_t *samples = heard_get_samples(h, &count);
    /* 45 bytes are a multiple of three: a sample's first byte ends the header's base64. */
    uint8_t head[45] = "RIFF....WAVEfmt ....................data....", block[3 * 1024];
    put_le(head + 4, (uint32_t)(36 + 2 * count), 4);
    put_le(head + 16, 16, 4);
    put_le(head + 20, 1, 2);
    put_le(head + 22, 1, 2);
    put_le(head + 24, h->rate_hz, 4);
    put_le(head + 28, 2 * h->rate_hz, 4);
    put_le(head + 32, 2, 2);
    put_le(head + 34, 16, 2);
    put_le(head + 40, (uint32_t)(2 * count), 4);
    head[44] = count > 0 ? (uint8_t)((uint16_t)samples[0] & 0xFF) : 0;
    sink_base64(out, head, count > 0 ? 45 : 44);
    for (size_t byte = 1; byte < 2 * count;) {
        size_t used = 0;
        for (; used < sizeof block && byte < 2 * count; byte++)
            block[used++] = (uint8_t)((uint16_t)samples[byte / 2] >> (8 * (byte % 2)));
        sink_base64(out, block, used);
    }
}

static void write_data(sink *out, const heard *h)
{
    sink_text(out, "<footer class=\"player\">\n<audio id=\"audio\" controls=\"controls\" "
                   "aria-label=\"the recording\" src=\"data:audio/wav;base64,");
    write_wav(out, h);
    sink_text(out,
        "\"></audio>\n<label><input type=\"checkbox\" id=\"follow\" checked=\"checked\"/> "
        "follow</label>\n<output id=\"readout\"></output>\n</footer>\n");
    sink_print(out,
        "<script type=\"text/plain\" id=\"frames\" data-bins=\"%" PRIu32 "\" "
        "data-from=\"%" PRIu64 "\">",
        h->bins, h->from_ms);
    sink_base64(out, h->frames.bytes, h->frames.size);
    sink_text(out, "</script>\n<script>\n");
    sink_bytes(out, (const char *)page_js, page_js_size);
    sink_text(out, "</script>\n");
}

void page_write(sink *out, const heard *h, const page_facts *facts)
{
    write_head(out, facts->name);
    write_header(out, h, facts);
    write_text(out, h);
    write_lines(out, h);
    write_times(out, h, facts);
    write_model(out, h, facts);
    write_settings(out, facts);
    sink_text(out, "</main>\n");
    write_data(out, h);
    sink_text(out, "</body>\n</html>\n");
}
