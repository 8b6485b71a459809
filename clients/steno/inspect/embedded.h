/* The page's style sheet and script, as they lie in page.css and page.js; embedded while steno is
 * built. */
#ifndef STENO_INSPECT_EMBEDDED_H
#define STENO_INSPECT_EMBEDDED_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t page_css[], page_js[];
extern const size_t page_css_size, page_js_size;

#endif
