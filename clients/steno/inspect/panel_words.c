/*
 * Words under their times.  A word is often shorter than its letters are wide, so words take turns
 * in lanes: each goes to the first lane that is free where it begins.
 */
#include <math.h>

#include "inspect/panels.h"

enum {
    LANES = 8,
    LANE_HEIGHT = 30,
    RESULT_HEIGHT = 20,
    LETTER = 7, /* width of one, in the size of words */
    GAP = 8,
};

typedef struct lanes {
    double ends[LANES];
    int used;
} lanes;

static int take_lane(lanes *self, double from, double to)
{
    int lane = 0;
    for (int i = 0; i < LANES; i++) {
        if (self->ends[i] <= from) {
            lane = i;
            break;
        }
        if (self->ends[i] < self->ends[lane])
            lane = i;
    }
    self->ends[lane] = to;
    self->used = lane + 1 > self->used ? lane + 1 : self->used;
    return lane;
}

static void draw_word(sink *out, const view *v, double y, lanes *free_lanes, const steno_word *word)
{
    double bar = view_x(v, (double)word->start_ms), right = view_x(v, (double)v->to_ms);
    double bar_width = fmax(2,
        (double)((word->end_ms < v->to_ms ? word->end_ms : v->to_ms) - word->start_ms) * v->scale);
    double width = LETTER * (double)(panel_letters(word->text) > 4 ? panel_letters(word->text) : 4);
    double x = fmin(bar, fmax(PANEL_LEFT, right - width));
    int lane = take_lane(free_lanes, x, fmax(bar + bar_width, x + width) + GAP);
    double top = y + lane * LANE_HEIGHT;
    sink_print(out,
        "<g class=\"word\" data-start=\"%llu\" data-end=\"%llu\"><title>%.2f to %.2f s, confidence "
        "%.3f</title><rect class=\"bar\" fill=\"#15803d\" fill-opacity=\"%.2f\" x=\"%.1f\" "
        "y=\"%.1f\" width=\"%.1f\" height=\"4\"/><text class=\"spoken\" font-size=\"11.5\" "
        "x=\"%.1f\" "
        "y=\"%.1f\">",
        (unsigned long long)word->start_ms, (unsigned long long)word->end_ms,
        (double)word->start_ms / 1000, (double)word->end_ms / 1000, (double)word->confidence,
        0.25 + 0.75 * (double)word->confidence, bar, top, bar_width, x, top + 15);
    sink_escaped(out, word->text);
    sink_print(out,
        "</text><text class=\"confidence\" fill=\"#666\" font-size=\"8.5\" x=\"%.1f\" y=\"%.1f\">"
        "%.2f</text></g>\n",
        x, top + 25, (double)word->confidence);
}

/* A bracket under the words of a result. */
static void draw_result(sink *out, const view *v, double y, const steno_result *result)
{
    double from = fmax((double)result->start_ms, (double)v->from_ms);
    double to = fmin((double)result->end_ms, (double)v->to_ms);
    if (from >= to)
        return;
    double left = view_x(v, from), right = view_x(v, to);
    sink_text(out, "<path class=\"result\" fill=\"none\" stroke=\"#777\" d=\"");
    if (result->start_ms >= v->from_ms)
        sink_print(out, "M%.1f %.1fv6H%.1f", left, y, right);
    else
        sink_print(out, "M%.1f %.1fH%.1f", left, y + 6, right);
    sink_text(out, result->end_ms <= v->to_ms ? "v-6\"/>\n" : "\"/>\n");
}

double panel_words(sink *out, const view *v, double y)
{
    const kept *results = &v->heard->results;
    lanes free_lanes = {.used = 0};
    panel_label(out, y + 15, "words");
    for (size_t i = 0; i < results->count; i++) {
        const steno_alternative *best = &results->results[i].result->alternatives[0];
        for (size_t w = 0; w < best->word_count; w++)
            if (view_has(v, best->words[w].start_ms))
                draw_word(out, v, y, &free_lanes, &best->words[w]);
    }
    double height = LANE_HEIGHT * (free_lanes.used > 0 ? free_lanes.used : 1);
    for (size_t i = 0; i < results->count; i++)
        draw_result(out, v, y + height, results->results[i].result);
    return height + RESULT_HEIGHT;
}

void panel_endpoints(sink *out, const view *v, double height)
{
    const kept *results = &v->heard->results;
    for (size_t i = 0; i < results->count; i++) {
        const steno_result *result = results->results[i].result;
        if (!result->endpoint || !view_has(v, result->audio_ms))
            continue;
        double x = view_x(v, (double)result->audio_ms);
        bool at_end = x + 60 > view_x(v, (double)v->to_ms);
        sink_print(out,
            "<g class=\"endpoint\"><title>endpoint: after %.2f s, with words up to %.2f s, the "
            "result "
            "became final</title><path stroke=\"#15803d\" stroke-dasharray=\"3 3\" fill=\"none\" "
            "d=\"M%.1f 34V%.1f\"/><text fill=\"#15803d\" font-size=\"9\" x=\"%.1f\" y=\"43\" "
            "text-anchor=\"%s\">endpoint</text></g>\n",
            (double)result->audio_ms / 1000, (double)result->end_ms / 1000, x, height,
            at_end ? x - 4 : x + 4, at_end ? "end" : "start");
    }
}
