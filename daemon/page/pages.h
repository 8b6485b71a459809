/* The pages of captions, as they lie in this folder; each is put together with its style and script
 * when stenod is built (assemble.py). */
#ifndef PAGE_PAGES_H
#define PAGE_PAGES_H

typedef struct page_text {
    const char *html;   /* with {{KEY}} where something is to be filled in */
    const char *policy; /* for the header Content-Security-Policy: what stands in it and no more */
} page_text;

extern const page_text page_index, page_captions, page_token;

#endif
