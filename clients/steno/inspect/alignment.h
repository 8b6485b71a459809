/* The alignment alone: of all that is shown one picture, not cut into lines. */
#ifndef STENO_INSPECT_ALIGNMENT_H
#define STENO_INSPECT_ALIGNMENT_H

#include "inspect/heard.h"
#include "inspect/sink.h"

/* As SVG, with time axis, words and labels. */
void alignment_write_svg(sink *out, const heard *heard, const char *name);

/* Whether this build writes PNG (it needs libpng). */
bool alignment_has_png(void);
/* As PNG: a column of cells for each encoding and a row for each token, without labels, the
 * triggers in orange.  STENO_ERROR_UNSUPPORTED where has_png is false, else MEMORY or what writing
 * said. */
steno_status alignment_write_png(sink *out, const heard *heard);

#endif
