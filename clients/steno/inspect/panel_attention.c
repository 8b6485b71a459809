/*
 * Where the attention decoder looked: a row for each token of the text, from top to bottom as they
 * were said, and a cell for each encoding, the darker the more it looked there.  Speech goes from
 * left to right, so a decoder that follows it draws a diagonal.
 */
#include <math.h>

#include "inspect/panels.h"

/* Cells with less would hardly be seen. */
static const float DRAWN = 0.015f;

typedef struct row {
    const heard_token *token;
    double y;
} row;

static uint64_t cell_ms(const view *v, const row *r, size_t cell)
{
    return (r->token->first + cell) * v->heard->encoding_ms;
}

static bool is_drawn(const view *v, const row *r, size_t cell)
{
    return heard_get_weights(v->heard, r->token)[cell] >= DRAWN && view_has(v, cell_ms(v, r, cell));
}

static void draw_cells(sink *out, const view *v, const row *r)
{
    const float *weights = heard_get_weights(v->heard, r->token);
    double width = v->heard->encoding_ms * v->scale;
    for (size_t k = 0; k < r->token->count; k++) {
        if (!is_drawn(v, r, k))
            continue;
        /* The root shows that it also looked where it looked little. */
        sink_print(out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
            "fill-opacity=\"%.2f\"/>",
            view_x(v, (double)cell_ms(v, r, k)), r->y, width, PANEL_ROW, sqrt((double)weights[k]));
    }
}

/* Where the row's label ends: in the margin, or before the first cell drawn. */
static double label_x(const view *v, const row *r)
{
    size_t cell = 0;
    if (!v->beside)
        return PANEL_LEFT - 8;
    while (cell < r->token->count && !is_drawn(v, r, cell))
        cell++;
    double ms = cell < r->token->count ? (double)cell_ms(v, r, cell)
                                       : (double)(r->token->trigger * v->heard->encoding_ms);
    return fmax(view_x(v, ms) - 4, PANEL_LEFT - 8);
}

static void draw_label(sink *out, const view *v, const row *r)
{
    char text[64];
    panel_token_text(r->token->text, text, sizeof text);
    sink_print(out, "<text x=\"%.1f\" y=\"%.1f\">", label_x(v, r), r->y + 10);
    sink_escaped(out, text);
    sink_text(out, "</text>");
}

/* Mean of where it looked, and what else there is to say. */
static void draw_title(sink *out, const view *v, const row *r)
{
    const float *weights = heard_get_weights(v->heard, r->token);
    const heard_token *t = r->token;
    double mean = 0, encoding_s = v->heard->encoding_ms / 1000.0;
    char text[64];
    for (size_t k = 0; k < t->count; k++)
        mean += (double)weights[k] * ((double)(t->first + k) + 0.5) * encoding_s;
    panel_token_text(t->text, text, sizeof text);
    sink_print(out, "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>", PANEL_LEFT,
        r->y, view_x(v, (double)v->to_ms) - PANEL_LEFT, PANEL_ROW);
    sink_escaped(out, text);
    sink_print(out,
        ": CTC %.2f at %.2f s, proposed at %.2f s; attention on %.2f s</title></rect>\n",
        (double)t->probability, (double)heard_ctc_ms(v->heard, t->frame) / 1000,
        (double)t->trigger * encoding_s, mean);
}

/* The rows shown: [*out_first, returned) of the tokens, which are in order of time. */
static size_t shown(const view *v, size_t *out_first)
{
    size_t count, end = 0;
    const heard_token *tokens = heard_get_tokens(v->heard, &count);
    *out_first = count;
    for (size_t i = 0; i < count; i++) {
        if (!view_has(v, heard_ctc_ms(v->heard, tokens[i].frame)))
            continue;
        *out_first = i < *out_first ? i : *out_first;
        end = i + 1;
    }
    return end;
}

static row row_of(const view *v, double y, size_t first, size_t index)
{
    const heard_token *tokens = heard_get_tokens(v->heard, &(size_t){0});
    return (row){.token = &tokens[index], .y = y + (double)(index - first) * PANEL_ROW};
}

/* Words take turns in being shaded. */
static void draw_shades(sink *out, const view *v, double y, size_t first, size_t end)
{
    bool shaded = false;
    sink_text(out, "<g class=\"shades\" fill=\"#f2f2f2\">");
    for (size_t i = first, next; i < end; i = next) {
        row r = row_of(v, y, first, i);
        for (next = i + 1; next < end && !row_of(v, y, first, next).token->begins; next++)
            ;
        shaded = !shaded;
        if (shaded)
            sink_print(out, "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%zu\"/>", PANEL_LEFT,
                r.y, view_x(v, (double)v->to_ms) - PANEL_LEFT, (next - i) * PANEL_ROW);
    }
    sink_text(out, "</g>\n");
}

/* The encodings in which CTC proposed the tokens. */
static void draw_triggers(sink *out, const view *v, double y, size_t first, size_t end)
{
    double width = v->heard->encoding_ms * v->scale;
    sink_text(out, "<g class=\"triggers\" fill=\"none\" stroke=\"#c2410c\" stroke-width=\"1.2\">");
    for (size_t i = first; i < end; i++) {
        row r = row_of(v, y, first, i);
        uint64_t ms = r.token->trigger * v->heard->encoding_ms;
        if (view_has(v, ms))
            sink_print(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                view_x(v, (double)ms) + 0.6, r.y + 0.6, width - 1.2, PANEL_ROW - 1.2);
    }
    sink_text(out, "</g>\n");
}

double panel_attention(sink *out, const view *v, double y)
{
    size_t first, end = shown(v, &first);
    panel_label(out, y + 10, "attention");
    y += 16;
    if (first >= end) {
        sink_print(out,
            "<text class=\"label\" fill=\"#555\" x=\"%d\" y=\"%.1f\">nothing said</text>\n",
            PANEL_LEFT, y - 6);
        return 16;
    }
    draw_shades(out, v, y, first, end);
    sink_text(out, "<g class=\"cells\" fill=\"#0b4f8a\">\n");
    for (size_t i = first; i < end; i++) {
        row r = row_of(v, y, first, i);
        draw_cells(out, v, &r);
        sink_text(out, "\n");
    }
    sink_text(out, "</g>\n");
    draw_triggers(out, v, y, first, end);
    sink_text(out, "<g class=\"tokens\" fill=\"#333\" text-anchor=\"end\">");
    for (size_t i = first; i < end; i++) {
        row r = row_of(v, y, first, i);
        draw_label(out, v, &r);
    }
    sink_text(out, "</g>\n<g class=\"rows\" fill-opacity=\"0\">\n");
    for (size_t i = first; i < end; i++) {
        row r = row_of(v, y, first, i);
        draw_title(out, v, &r);
    }
    sink_text(out, "</g>\n");
    return 16 + (double)(end - first) * PANEL_ROW + 8;
}
