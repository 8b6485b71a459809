/* The page: all that was heard and said, in one HTML file that needs nothing from elsewhere. */
#ifndef STENO_INSPECT_PAGE_H
#define STENO_INSPECT_PAGE_H

#include "inspect/heard.h"
#include "inspect/sink.h"
#include "steno/audio.h"
#include "steno/stream.h"

typedef struct page_facts {
    const char *name, *path;      /* of the recording */
    uint64_t audio_ms;            /* of all of it, UINT64_MAX if unknown */
    uint64_t recognised_ms;       /* and of what was recognised of it */
    const steno_audio_info *info; /* its format */
    const char *model_path;
    const steno_stream_options *stream;
} page_facts;

void page_write(sink *out, const heard *heard, const page_facts *facts);

#endif
