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

typedef struct steno_result {
    bool is_final;
    bool endpoint;        /* final because the speaker paused (not because the audio ended or the
                             utterance grew too long) */
    float stability;      /* interim: share 0..1 of the words that are settled; final: 1 */
    size_t stable_words;  /* interim: the first so many words of alternative 0 are settled */
    uint64_t start_ms, end_ms; /* of the words */
    uint64_t audio_ms;    /* audio decoded when this was said */
    const steno_alternative *alternatives; /* best first */
    size_t alternative_count;              /* 1 or more */
} steno_result;

#ifdef __cplusplus
}
#endif

#endif
