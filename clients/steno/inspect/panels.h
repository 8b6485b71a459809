/*
 * The pictures of one stretch of time, one below the other on a common time axis, as elements of
 * SVG.  Each draws its panel from `y` on and returns the panel's height; labels stand in the margin
 * to the left.  Colours are given twice: as attributes, for whatever shows the picture alone, and
 * by class, for the page's style sheet, which knows light and dark.
 *
 * Text is set in a monospaced font, so that its width is known well enough for nothing to overlap.
 */
#ifndef STENO_INSPECT_PANELS_H
#define STENO_INSPECT_PANELS_H

#include "inspect/heard.h"
#include "inspect/sink.h"

enum {
    PANEL_LEFT = 84,      /* margin for labels */
    PANEL_RIGHT = 16,     /* margin */
    PANEL_LINE_MS = 6400, /* the longest line of a page */
    PANEL_ROW = 13,       /* height of a token's row */
};

typedef struct view {
    const heard *heard;
    uint64_t from_ms, to_ms; /* what is shown: whole encodings */
    double scale;            /* user units per millisecond */
    bool beside; /* labels of tokens beside what they label, not in the margin: for wide pictures */
} view;

double view_x(const view *self, double ms);
/* Whether the moment is shown. */
bool view_has(const view *self, uint64_t ms);
/* Width of the whole picture, with its margins. */
double view_width(const view *self);

/* Seconds, and the chunks with the time that was spent on them. */
double panel_ruler(sink *out, const view *v, double y);
double panel_waveform(sink *out, const view *v, double y);
/* Room for the spectrogram, which the page's script draws. */
double panel_spectrogram(sink *out, const view *v, double y);
/* CTC: spikes of tokens, and the blank's probability. */
double panel_ctc(sink *out, const view *v, double y);
/* Words at their times, with confidences, and the results that they are part of. */
double panel_words(sink *out, const view *v, double y);
/* Where attention looked, a row for each token. */
double panel_attention(sink *out, const view *v, double y);
/* Where it was settled that an utterance is over, through all panels down to `height`. */
void panel_endpoints(sink *out, const view *v, double height);

/* What all of them use: a label in the margin; a token's text as people know it, "▁the" for " the",
 * cut where it does not fit; and the letters of a text. */
void panel_label(sink *out, double y, const char *text);
void panel_token_text(const char *text, char *out, size_t size);
size_t panel_letters(const char *text);

#endif
