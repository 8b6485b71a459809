#include "inspect/panels.h"

#include <stdio.h>

double view_x(const view *self, double ms)
{
    return PANEL_LEFT + (ms - (double)self->from_ms) * self->scale;
}

bool view_has(const view *self, uint64_t ms)
{
    return ms >= self->from_ms && ms < self->to_ms;
}

double view_width(const view *self)
{
    return view_x(self, (double)self->to_ms) + PANEL_RIGHT;
}

void panel_label(sink *out, double y, const char *text)
{
    sink_print(out,
        "<text class=\"label\" fill=\"#555\" x=\"%d\" y=\"%.1f\" "
        "text-anchor=\"end\">%s</text>\n",
        PANEL_LEFT - 8, y, text);
}

void panel_token_text(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%s%s", *text == ' ' ? "\xE2\x96\x81" : "", *text == ' ' ? text + 1 : text);
}

size_t panel_letters(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}
