#include "inspect/alignment.h"
#include "inspect/panels.h"

static const double SCALE = 0.16;

static steno_status discard(void *context, const char *bytes, size_t size)
{
    return STENO_OK;
}

static double draw(sink *out, const view *v)
{
    double y = 4;
    y += panel_ruler(out, v, y);
    y += panel_words(out, v, y);
    y += panel_attention(out, v, y);
    return y;
}

void alignment_write_svg(sink *out, const heard *h, const char *name)
{
    view v = {.heard = h, .from_ms = h->from_ms, .to_ms = h->to_ms, .scale = SCALE};
    v.beside = (h->to_ms - h->from_ms) > PANEL_LINE_MS;
    double height = draw(&(sink){.write = discard}, &v), width = view_width(&v);
    sink_print(out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
        "role=\"img\" aria-labelledby=\"title\" width=\"%.0f\" height=\"%.0f\" "
        "viewBox=\"0 0 %.0f %.0f\" font-family=\"'DejaVu Sans Mono', monospace\" "
        "font-size=\"10\">\n"
        "<title id=\"title\">",
        width, height, width, height);
    sink_escaped(out, name);
    sink_text(out,
        ": where the attention decoder looked</title>\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"#fff\"/>\n");
    draw(out, &v);
    sink_text(out, "</svg>\n");
}
