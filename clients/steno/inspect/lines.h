/* Cuts what was heard into the lines of a page, as text is: about as long as each other, none
 * longer than there is room for, and cut where nothing is being said, if there is such a place. */
#ifndef STENO_INSPECT_LINES_H
#define STENO_INSPECT_LINES_H

#include "inspect/heard.h"

/* The end of the line that begins at from_ms; the last ends at the part's end.  longest_ms: whole
 * encodings. */
uint64_t lines_next(const heard *heard, uint64_t from_ms, uint64_t longest_ms);

#endif
