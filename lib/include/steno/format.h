/*
 * Formatters: final results to text files as people use them.
 *
 *     steno_formatter *formatter;
 *     steno_formatter_create(STENO_FORMAT_SRT, "talk.wav", write, file, &formatter, NULL);
 *     steno_formatter_add(formatter, result, 0);    for each final result
 *     steno_formatter_finish(formatter, duration_ms);
 *     steno_formatter_destroy(formatter);
 *
 * All output is UTF-8 with "\n" line ends and does not depend on the locale.  What is not UTF-8 in
 * a text becomes U+FFFD, and so do control characters (JSON escapes those).  Times are those of the
 * words; confidences have three decimals.
 *
 * TEXT   "hello world", one line per result, "[2] hello world" for channel 2.
 * JSON   one object; `alternatives` has the other readings, where there are any, like a result:
 *            {"file": "talk.wav",
 *             "results": [{"channel": 0, "start_ms": 80, "end_ms": 640, "text": "hello world",
 *                          "confidence": 0.912, "words": [{"word": "hello", "start_ms": 80,
 *                          "end_ms": 320, "confidence": 0.900}, ...], "alternatives": [...]}],
 *             "text": "hello world", "duration_ms": 1000}
 * SRT, VTT   cues of at most two lines of 42 characters and 7 s, broken at pauses, shown for at
 *        least 1 s where the next leaves room; a channel's cues never overlap.  Each is written
 *        when the next is known.  Cues of channel 2 begin with "[2] ".
 * CTM    "talk 1 0.080 0.240 hello 0.900": the source's name without folders and extension and
 *        with "_" for spaces, the channel (1 for the mix), start and duration in seconds.
 * TSV    start_ms, end_ms, channel, confidence, word, with a header line.
 *
 * SRT, VTT and CTM want their lines in order (by time; CTM by channel first), so with channels
 * apart everything is kept in memory and written by finish.  JSON keeps the whole text to write it
 * at the end.  The others keep nothing.
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
    STENO_FORMAT_TSV,  /* start_ms, end_ms, channel, confidence, word, with a header line */
} steno_format;

/* "text", "json", ...: STENO_ERROR_ARGUMENT for others. */
STENO_API steno_status steno_format_parse(const char *name, steno_format *out_format);
/* The usual file extension without a dot: "txt", "json", "srt", "vtt", "ctm", "tsv". */
STENO_API const char *steno_format_extension(steno_format format);

/* Takes bytes of output; anything but STENO_OK ends the writing and is returned to the caller, now
 * and from every later call. */
typedef steno_status (*steno_write)(void *context, const char *bytes, size_t size);

typedef struct steno_formatter steno_formatter;

/* source: the name of what was transcribed, for formats that carry one; copied, may be NULL.
 * Nothing is written yet.  Errors: ARGUMENT (an unknown format, no write), MEMORY. */
STENO_API steno_status steno_formatter_create(steno_format format, const char *source,
    steno_write write, void *context, steno_formatter **out_formatter, steno_error *error);
STENO_API void steno_formatter_destroy(steno_formatter *formatter);

/* One more final result, of channel `channel` (from 1; 0: the mix).  Interim results are ignored.
 * Errors: what `write` returned; MEMORY; ARGUMENT (a channel beyond STENO_CHANNELS_MAX); STATE
 * after finish. */
STENO_API steno_status steno_formatter_add(
    steno_formatter *formatter, const steno_result *result, unsigned channel);
/* Writes what was kept and what ends the file, which is then valid also without any result.  Once;
 * STATE after that.  Without it the file is incomplete. */
STENO_API steno_status steno_formatter_finish(steno_formatter *formatter, uint64_t duration_ms);

#ifdef __cplusplus
}
#endif

#endif
