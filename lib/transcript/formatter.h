/* What the families of formats share: see steno/format.h for what they write. */
#ifndef TRANSCRIPT_FORMATTER_H
#define TRANSCRIPT_FORMATTER_H

#include "steno/audio.h"
#include "steno/format.h"
#include "transcript/store.h"
#include "transcript/subtitle.h"
#include "transcript/writer.h"

/* A format.  Functions write to the formatter's writers, which remember failures. */
typedef struct format_family {
    const char *name, *extension;
    void (*begin)(steno_formatter *formatter); /* NULL: nothing to do, as for finish */
    void (*add)(steno_formatter *formatter, const steno_result *result, unsigned channel);
    void (*finish)(steno_formatter *formatter, uint64_t duration_ms);
} format_family;

extern const format_family format_text, format_json, format_srt, format_vtt, format_ctm, format_tsv;

struct steno_formatter {
    const format_family *family;
    char *source;
    bool begun, finished;
    writer out;  /* to the caller */
    writer kept; /* to the store */
    store store; /* records of channels apart; JSON: the text so far */

    uint64_t written;                           /* JSON: results; SRT: cues */
    subtitle subtitles[STENO_CHANNELS_MAX + 1]; /* SRT, VTT: by channel */
};

/* "[2] ", or "" for the mix. */
enum { FORMAT_PREFIX_BYTES = 16 };
void format_prefix(unsigned channel, char out_prefix[FORMAT_PREFIX_BYTES]);

/* Where a record of this channel is to be written: to the caller as long as all is the mix, else to
 * the store, as a record once it has ended. */
writer *format_record_begin(steno_formatter *formatter, unsigned channel);
void format_record_end(
    steno_formatter *formatter, writer *writer, unsigned channel, uint64_t start_ms);

#endif
