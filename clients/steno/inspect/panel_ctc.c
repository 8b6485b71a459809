/* CTC: at each of its frames the probability of the blank, as a line, and of tokens, as spikes. */
#include "inspect/panels.h"

enum {
    NAMES_HEIGHT = 50, /* room for the names above the spikes */
    SPIKE_HEIGHT = 60,
    NAME_WIDTH = 11, /* of a name, which stands upright */
    NAMES_NEAR = 4,
};

/* Length of a letter of a name. */
static const double LETTER = 5.5;

/* Tokens with less are not drawn, and those with less are not named. */
static const float DRAWN = 0.05f, NAMED = 0.3f;

static void draw_axis(sink *out, const view *v, double top)
{
    double right = view_x(v, (double)v->to_ms);
    sink_text(out, "<g class=\"grid\" stroke=\"#ddd\">");
    for (int tenths = 0; tenths <= 10; tenths += 5)
        sink_print(out, "<path d=\"M%d %.1fH%.1f\"/>", PANEL_LEFT,
            top + SPIKE_HEIGHT * (10 - tenths) / 10.0, right);
    sink_print(out,
        "</g>\n<g class=\"label\" fill=\"#555\" text-anchor=\"end\">"
        "<text x=\"%d\" y=\"%.1f\">CTC</text><text x=\"%d\" y=\"%.1f\">1</text>"
        "<text x=\"%d\" y=\"%.1f\">0</text></g>\n",
        PANEL_LEFT - 24, top + SPIKE_HEIGHT / 2.0 + 4, PANEL_LEFT - 8, top + 5, PANEL_LEFT - 8,
        top + SPIKE_HEIGHT + 4);
}

/* The frames that are shown: [*out_first, returned) of the array. */
static size_t shown(const view *v, size_t *out_first)
{
    size_t count, end;
    heard_get_ctc(v->heard, &count);
    uint64_t first_ms = heard_ctc_ms(v->heard, v->heard->first_ctc);
    *out_first = v->from_ms > first_ms ? (v->from_ms - first_ms) / v->heard->ctc_frame_ms : 0;
    end = v->to_ms > first_ms ? (v->to_ms - first_ms) / v->heard->ctc_frame_ms : 0;
    return end < count ? end : count;
}

static double frame_ms(const view *v, size_t index)
{
    return (double)heard_ctc_ms(v->heard, v->heard->first_ctc + index);
}

static void draw_blank(sink *out, const view *v, double top, size_t first, size_t end)
{
    const heard_ctc *ctc = heard_get_ctc(v->heard, &(size_t){0});
    if (first >= end)
        return;
    sink_print(out, "<path class=\"blank\" fill=\"none\" stroke=\"#b0b0b0\" d=\"M%.1f %.1f",
        view_x(v, frame_ms(v, first)), top + SPIKE_HEIGHT * (1 - (double)ctc[first].blank));
    for (size_t i = first; i < end; i++)
        sink_print(out, "V%.1fH%.1f", top + SPIKE_HEIGHT * (1 - (double)ctc[i].blank),
            view_x(v, frame_ms(v, i + 1)));
    sink_text(out, "\"/>\n");
}

static void draw_spikes(sink *out, const view *v, double top, size_t first, size_t end)
{
    const heard_ctc *ctc = heard_get_ctc(v->heard, &(size_t){0});
    double half = v->heard->ctc_frame_ms * v->scale / 2, bottom = top + SPIKE_HEIGHT;
    sink_text(out, "<g class=\"spikes\" stroke=\"#c2410c\" stroke-width=\"3\">");
    for (size_t i = first; i < end; i++)
        if (ctc[i].best[0].probability >= DRAWN)
            sink_print(out, "<path d=\"M%.1f %.1fV%.1f\"/>", view_x(v, frame_ms(v, i)) + half,
                bottom, bottom - SPIKE_HEIGHT * (double)ctc[i].best[0].probability);
    sink_text(out, "</g>\n<g class=\"others\" fill=\"#c2410c\" fill-opacity=\"0.55\">");
    for (size_t i = first; i < end; i++)
        for (size_t k = 1; k < HEARD_BEST && ctc[i].best[k].probability >= DRAWN; k++)
            sink_print(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.6\"/>",
                view_x(v, frame_ms(v, i)) + half,
                bottom - SPIKE_HEIGHT * (double)ctc[i].best[k].probability);
    sink_text(out, "</g>\n");
}

/* A frame is named unless one beside it has more of the same token. */
static bool is_named(const heard_ctc *ctc, size_t i, size_t count)
{
    uint32_t token = ctc[i].best[0].token;
    float probability = ctc[i].best[0].probability;
    if (probability < NAMED)
        return false;
    if (i > 0 && ctc[i - 1].best[0].token == token && ctc[i - 1].best[0].probability > probability)
        return false;
    return !(i + 1 < count && ctc[i + 1].best[0].token == token &&
             ctc[i + 1].best[0].probability >= probability);
}

/* The names that the next one may come too close to. */
typedef struct names {
    struct {
        double x, low, high; /* upright: from low up to high */
    } near[NAMES_NEAR];
    size_t count;
} names;

static bool is_free(const names *self, double x, double low, double high)
{
    for (size_t i = 0; i < self->count && i < NAMES_NEAR; i++)
        if (x - self->near[i].x < NAME_WIDTH && low > self->near[i].high &&
            high < self->near[i].low)
            return false;
    return true;
}

/* Where a name of that length may stand: over its spike, or above a name that is too close for
 * that; false if there is no room. */
static bool place_name(names *self, double top, double x, double length, double *out_low)
{
    double low = top - 4;
    bool found = is_free(self, x, low, low - length);
    for (size_t i = 0; i < self->count && i < NAMES_NEAR && !found; i++) {
        low = self->near[i].high - 3;
        found = low - length > top - NAMES_HEIGHT - 6 && is_free(self, x, low, low - length);
    }
    if (!found)
        return false;
    size_t place = self->count++ % NAMES_NEAR;
    self->near[place].x = x;
    self->near[place].low = low;
    self->near[place].high = low - length;
    *out_low = low;
    return true;
}

/* Names stand upright over their spikes.  One without room is left out: the pointer finds it. */
static void draw_names(sink *out, const view *v, double top, size_t first, size_t end)
{
    size_t count;
    const heard_ctc *ctc = heard_get_ctc(v->heard, &count);
    double half = v->heard->ctc_frame_ms * v->scale / 2, y;
    names placed = {.count = 0};
    sink_text(out, "<g class=\"names\" font-size=\"9\" fill=\"#7c2d12\">");
    for (size_t i = first; i < end; i++) {
        char text[64];
        if (!is_named(ctc, i, count))
            continue;
        panel_token_text(
            steno_model_token(v->heard->model, ctc[i].best[0].token), text, sizeof text);
        double x = view_x(v, frame_ms(v, i)) + half;
        if (!place_name(&placed, top, x, LETTER * (double)panel_letters(text), &y))
            continue;
        sink_print(out, "<text transform=\"translate(%.1f %.1f) rotate(-90)\">", x + 3, y);
        sink_escaped(out, text);
        sink_text(out, "</text>");
    }
    sink_text(out, "</g>\n");
}

/* For the pointer: what CTC says at each frame. */
static void draw_titles(sink *out, const view *v, double top, size_t first, size_t end)
{
    const heard_ctc *ctc = heard_get_ctc(v->heard, &(size_t){0});
    sink_text(out, "<g class=\"frames\" fill-opacity=\"0\">\n");
    for (size_t i = first; i < end; i++) {
        double x = view_x(v, frame_ms(v, i));
        sink_print(out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>%.2f s: blank %.2f", x,
            top - NAMES_HEIGHT, view_x(v, frame_ms(v, i + 1)) - x, NAMES_HEIGHT + SPIKE_HEIGHT,
            frame_ms(v, i) / 1000, (double)ctc[i].blank);
        for (size_t k = 0; k < HEARD_BEST; k++) {
            char text[64];
            panel_token_text(
                steno_model_token(v->heard->model, ctc[i].best[k].token), text, sizeof text);
            sink_text(out, ", ");
            sink_escaped(out, text);
            sink_print(out, " %.2f", (double)ctc[i].best[k].probability);
        }
        sink_text(out, "</title></rect>\n");
    }
    sink_text(out, "</g>\n");
}

double panel_ctc(sink *out, const view *v, double y)
{
    size_t first, end = shown(v, &first);
    double top = y + NAMES_HEIGHT;
    draw_axis(out, v, top);
    draw_blank(out, v, top, first, end);
    draw_spikes(out, v, top, first, end);
    draw_names(out, v, top, first, end);
    draw_titles(out, v, top, first, end);
    return NAMES_HEIGHT + SPIKE_HEIGHT + 8;
}
