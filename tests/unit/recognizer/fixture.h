/* What the recognizer's tests share: model files in a folder of their own, and an audio signal that
 * the tiny model answers with words. */
#ifndef TEST_RECOGNIZER_FIXTURE_H
#define TEST_RECOGNIZER_FIXTURE_H

#include <stddef.h>

#include "steno/steno.h"
#include "support/tiny_model.h"

/* The "search" of the models made here. */
#define FIXTURE_SEARCH                                                                             \
    "{\"beam\":4,\"token_threshold\":0.01,\"ctc_weight\":0.4,\"attention_weight\":0.6,"            \
    "\"token_bonus\":0,\"segment_blanks\":4,\"segment_max\":60}"

/* The same with the language model of fixture_bytes_lm. */
#define FIXTURE_SEARCH_LM                                                                          \
    "{\"beam\":4,\"token_threshold\":0.01,\"ctc_weight\":0.4,\"attention_weight\":0.6,"            \
    "\"token_bonus\":0,\"segment_blanks\":4,\"segment_max\":60,\"lm_weight\":0.5}"
#define FIXTURE_LM_WEIGHT 0.5f

/* The bytes of a tiny model with that search (NULL: FIXTURE_SEARCH); free with free(). */
void *fixture_bytes(const char *search, size_t *out_size);

/* The same with a random language model of order 3. */
void *fixture_bytes_lm(const char *search, size_t *out_size);

/* Writes a file into a folder that is removed at exit; the path is valid until the next call. */
const char *fixture_file(const char *name, const void *bytes, size_t size);
/* A path in that folder. */
const char *fixture_path(const char *name);

/* The tiny model, opened with the reference operators, whose results are the same to the last bit
 * however rows are batched. */
steno_model *fixture_model(void);
/* The same network with a language model of weight FIXTURE_LM_WEIGHT. */
steno_model *fixture_model_lm(void);
steno_engine *fixture_engine(unsigned threads);

/* Bursts of noise of changing loudness with pauses of digital silence, the same every time. */
float *fixture_audio(size_t samples);

/* What tests of streams have, anew for each test: the tiny model, an engine of two threads and so
 * many samples of that audio. */
typedef struct fixture {
    steno_model *model;
    steno_engine *engine;
    float *audio;
} fixture;

void fixture_open(fixture *f, size_t samples);
/* Checks that nothing is left in memory. */
void fixture_close(fixture *f);

steno_stream_options fixture_options(void);
/* With these options; NULL: with the usual ones. */
steno_stream *fixture_stream(const fixture *f, const steno_stream_options *options);

/* Reads a stream that is finished to its end; how many finals came. */
size_t fixture_drain(steno_stream *stream);

#endif
