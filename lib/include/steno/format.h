/*
 * Formatters: final results to text files as people use them.
 *
 *     steno_formatter *formatter;
 *     steno_formatter_create(STENO_FORMAT_SRT, "talk.wav", write, file, &formatter, NULL);
 *     steno_formatter_add(formatter, result);       for each final result
 *     steno_formatter_finish(formatter, duration_ms);
 *     steno_formatter_destroy(formatter);
 */
#ifndef STENO_FORMAT_H
#define STENO_FORMAT_H

#include "steno/result.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum steno_format {
    STENO_FORMAT_TEXT, /* one line per final result */
    STENO_FORMAT_JSON, /* one object: file, duration, text, results with words */
    STENO_FORMAT_SRT,  /* SubRip subtitles, at most two lines of 42 characters */
    STENO_FORMAT_VTT,  /* WebVTT, likewise */
    STENO_FORMAT_CTM,  /* NIST: file channel start duration word confidence */
    STENO_FORMAT_TSV,  /* start_ms, end_ms, confidence, word, with a header line */
} steno_format;

/* "text", "json", ...: STENO_ERROR_ARGUMENT for others. */
STENO_API steno_status steno_format_parse(const char *name, steno_format *out_format);
/* The usual file extension without a dot: "txt", "json", "srt", "vtt", "ctm", "tsv". */
STENO_API const char *steno_format_extension(steno_format format);

/* Takes bytes of output; anything but STENO_OK ends the writing and is returned to the caller. */
typedef steno_status (*steno_write)(void *context, const char *bytes, size_t size);

typedef struct steno_formatter steno_formatter;

/* source: the name of what was transcribed, for formats that carry one. */
STENO_API steno_status steno_formatter_create(steno_format format, const char *source,
    steno_write write, void *context, steno_formatter **out_formatter, steno_error *error);
STENO_API void steno_formatter_destroy(steno_formatter *formatter);

/* One more final result, of channel `channel` (from 1; 0: the mix). Interim results are ignored. */
STENO_API steno_status steno_formatter_add(
    steno_formatter *formatter, const steno_result *result, unsigned channel);
STENO_API steno_status steno_formatter_finish(steno_formatter *formatter, uint64_t duration_ms);

#ifdef __cplusplus
}
#endif

#endif
