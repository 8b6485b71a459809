/*
 * Results: what a stream says about its audio.
 *
 * A final result never changes and is never empty; the finals in order, joined by single spaces,
 * are the transcript.  An interim result replaces the interim result before it: it is the best
 * guess at everything after the last final.  Times are milliseconds of audio since the start of
 * the stream; they never run backwards.
 */
#ifndef STENO_RESULT_H
#define STENO_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct steno_word {
    const char *text; /* lower case, no spaces */
    uint64_t start_ms, end_ms;
    float confidence; /* 0..1 */
} steno_word;

typedef struct steno_alternative {
    const char *text; /* words joined by single spaces */
    const steno_word *words;
    size_t word_count;
    float confidence; /* 0..1: mean of the words' */
} steno_alternative;

/* With steno_stream_options.activity only.  An event is a result without alternatives, neither
 * final nor interim, in order with the finals and never lost.  Begin and end take turns, begin
 * first: begin comes before the final of the words that it announces, end after the final of the
 * words before the pause (with endpointing), and at the end of the audio if speech lasts so
 * long. */
typedef enum steno_event {
    STENO_EVENT_NONE,         /* an ordinary result */
    STENO_EVENT_SPEECH_BEGIN, /* words are being said after silence */
    STENO_EVENT_SPEECH_END,   /* nothing has been said for endpoint_ms, whether or not endpointing
                                 makes a final of it */
} steno_event;

typedef struct steno_result {
    steno_event event;
    uint64_t event_ms; /* of an event: where speech begins (a little before its first word) or has
                          ended (with its last word); audio_ms tells when that was noticed */
    bool is_final;
    bool endpoint;       /* final because the speaker paused (not because the audio ended or the
                            utterance grew too long) */
    float stability;     /* interim: share 0..1 of the words that are settled; final: 1 */
    size_t stable_words; /* interim: the first so many words of alternative 0 are settled */
    uint64_t start_ms, end_ms;             /* of the words */
    uint64_t audio_ms;                     /* audio decoded when this was said */
    const steno_alternative *alternatives; /* best first */
    size_t alternative_count;              /* 1 or more; 0 for an event */
} steno_result;

#ifdef __cplusplus
}
#endif

#endif
