/* What the recogniser hears: the time axis, waveform and spectrogram. */
#include <math.h>

#include "inspect/panels.h"

enum {
    RULER_HEIGHT = 32,
    CHUNK_HEIGHT = 9,
    WAVEFORM_HEIGHT = 52,
    SPECTROGRAM_HEIGHT = 100,
    COLUMN = 2, /* width of a column of the waveform */
};

/* A tick for each second and half second; with less room only some of them have a number. */
static void draw_ticks(sink *out, const view *v, double y)
{
    uint64_t step_ms = v->scale * 500 >= 40 ? 500 : 1000;
    sink_text(out, "<g class=\"ticks\" stroke=\"#999\">");
    for (uint64_t ms = (v->from_ms + step_ms - 1) / step_ms * step_ms; ms <= v->to_ms;
         ms += step_ms)
        sink_print(
            out, "<path d=\"M%.1f %.1fv%d\"/>", view_x(v, (double)ms), y, ms % 1000 == 0 ? 6 : 3);
    sink_text(out, "</g>\n<g class=\"times\" fill=\"#555\" text-anchor=\"middle\">");
    for (uint64_t ms = (v->from_ms + step_ms - 1) / step_ms * step_ms; ms <= v->to_ms;
         ms += step_ms)
        sink_print(out, "<text x=\"%.1f\" y=\"%.1f\">%.1f</text>", view_x(v, (double)ms), y - 4,
            (double)ms / 1000);
    sink_text(out, "</g>\n");
}

static void draw_chunk(sink *out, const view *v, double y, const heard_turn *turn, uint64_t number,
    double from_ms, double to_ms)
{
    double from = fmax(from_ms, (double)v->from_ms), to = fmin(to_ms, (double)v->to_ms);
    if (from >= to)
        return;
    double chunks = ceil((double)turn->count / (double)turn->chunk);
    sink_print(out,
        "<rect class=\"%s\" fill=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\">"
        "<title>chunk %llu: %.2f to %.2f s; %s%.1f ms of features, %.1f ms of encoder, "
        "%.1f ms of decoder</title></rect>\n",
        number % 2 ? "chunk odd" : "chunk", number % 2 ? "#d5d5d5" : "#bdbdbd", view_x(v, from), y,
        (to - from) * v->scale, CHUNK_HEIGHT, (unsigned long long)number, from_ms / 1000,
        to_ms / 1000, chunks > 1 ? "with others at once, the mean: " : "",
        (double)turn->feature_ns / 1e6 / chunks, (double)turn->encoder_ns / 1e6 / chunks,
        (double)turn->decoder_ns / 1e6 / chunks);
}

double panel_ruler(sink *out, const view *v, double y)
{
    double chunks_y = y + RULER_HEIGHT - CHUNK_HEIGHT - 2;
    size_t count;
    const heard_turn *turns = heard_get_turns(v->heard, &count);
    /* Farther off than other labels: the first number is in the middle of its tick. */
    sink_print(out, "<g transform=\"translate(-10)\">");
    panel_label(out, y + 10, "seconds");
    sink_text(out, "</g>\n");
    draw_ticks(out, v, y + 14);
    panel_label(out, chunks_y + 8, "chunks");
    for (size_t i = 0; i < count; i++)
        for (uint64_t first = 0; first < turns[i].count; first += turns[i].chunk) {
            uint64_t begin = turns[i].first + first, left = turns[i].count - first;
            uint64_t size = left < turns[i].chunk ? left : turns[i].chunk;
            draw_chunk(out, v, chunks_y, &turns[i], begin / turns[i].chunk + 1,
                (double)(begin * v->heard->encoding_ms),
                (double)((begin + size) * v->heard->encoding_ms));
        }
    return RULER_HEIGHT;
}

/* The least and largest sample of a column; false behind the last one. */
static bool column_range(const view *v, size_t column, int *out_low, int *out_high)
{
    size_t count;
    const int16_t *samples = heard_get_samples(v->heard, &count);
    double per_unit = v->heard->rate_hz / 1000.0 / v->scale;
    double start = (double)(v->from_ms - v->heard->from_ms) * v->heard->rate_hz / 1000.0;
    size_t from = (size_t)(start + (double)column * COLUMN * per_unit);
    size_t to = (size_t)(start + (double)(column + 1) * COLUMN * per_unit);
    if (from >= count)
        return false;
    *out_low = *out_high = samples[from];
    for (size_t i = from; i < to && i < count; i++) {
        *out_low = samples[i] < *out_low ? samples[i] : *out_low;
        *out_high = samples[i] > *out_high ? samples[i] : *out_high;
    }
    return true;
}

/* The loudest sample of all that is shown, so that quiet recordings are seen too. */
static double loudest(const heard *h)
{
    size_t count;
    const int16_t *samples = heard_get_samples(h, &count);
    int most = 328; /* not more than a hundredfold */
    for (size_t i = 0; i < count; i++) {
        int level = samples[i] < 0 ? -samples[i] : samples[i];
        most = level > most ? level : most;
    }
    return most;
}

double panel_waveform(sink *out, const view *v, double y)
{
    double middle = y + WAVEFORM_HEIGHT / 2.0,
           unit = (WAVEFORM_HEIGHT / 2.0 - 2) / loudest(v->heard);
    size_t columns = (size_t)((double)(v->to_ms - v->from_ms) * v->scale / COLUMN);
    int low, high;
    panel_label(out, middle + 4, "waveform");
    sink_print(out,
        "<path class=\"wave\" stroke=\"#4a6fa5\" fill=\"none\" stroke-width=\"%d\" d=\"", COLUMN);
    for (size_t i = 0; i < columns && column_range(v, i, &low, &high); i++)
        sink_print(out, "M%.0f %.1fV%.1f", PANEL_LEFT + ((double)i + 0.5) * COLUMN,
            middle - high * unit - 0.4, middle - low * unit + 0.4);
    sink_text(out, "\"/>\n");
    return WAVEFORM_HEIGHT;
}

double panel_spectrogram(sink *out, const view *v, double y)
{
    const heard *h = v->heard;
    size_t frames = h->bins ? h->frames.size / h->bins : 0;
    size_t first = (size_t)((double)(v->from_ms - h->from_ms) / h->hop_ms + 0.5);
    size_t end = (size_t)((double)(v->to_ms - h->from_ms) / h->hop_ms + 0.5);
    end = end < frames ? end : frames;
    panel_label(out, y + SPECTROGRAM_HEIGHT / 2.0, "log-mel");
    panel_label(out, y + SPECTROGRAM_HEIGHT / 2.0 + 12, "spectrum");
    if (first < end)
        sink_print(out,
            "<image class=\"spectrogram\" data-first=\"%zu\" data-count=\"%zu\" x=\"%d\" "
            "y=\"%.1f\" "
            "width=\"%.1f\" height=\"%d\" preserveAspectRatio=\"none\"/>\n",
            first, end - first, PANEL_LEFT, y, (double)(end - first) * h->hop_ms * v->scale,
            SPECTROGRAM_HEIGHT);
    return SPECTROGRAM_HEIGHT + 4;
}
