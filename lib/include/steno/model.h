/*
 * A model: weights, configuration and vocabulary from one .safetensors file, immutable, shared by
 * any number of streams on any number of threads, reference-counted.
 */
#ifndef STENO_MODEL_H
#define STENO_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "steno/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In what arithmetic matrix products run.  AUTO is the fastest that the processor has natively. */
typedef enum steno_precision {
    STENO_PRECISION_AUTO,
    STENO_PRECISION_F32,
    STENO_PRECISION_BF16,
    STENO_PRECISION_INT8,
} steno_precision;

/* Which implementation of the operators: AUTO is ONEDNN where built in, else REFERENCE. */
typedef enum steno_operators {
    STENO_OPERATORS_AUTO,
    STENO_OPERATORS_REFERENCE,
    STENO_OPERATORS_ONEDNN,
} steno_operators;

STENO_API steno_status steno_precision_parse(const char *name, steno_precision *out_precision);
STENO_API const char *steno_precision_name(steno_precision precision);

typedef struct steno_model_options {
    steno_precision precision;
    steno_operators operators;
} steno_model_options;

typedef struct steno_model steno_model;

/* options: NULL for defaults.  Errors name the file: NOT_FOUND, PERMISSION, IO, FORMAT (damaged,
 * hostile, not a model, a newer format), UNSUPPORTED (a precision this processor lacks), MEMORY. */
STENO_API steno_status steno_model_open(const char *path, const steno_model_options *options,
    steno_model **out_model, steno_error *error);
/* One more, one fewer reference; the last frees it.  unref(NULL) is fine.  Any thread. */
STENO_API steno_model *steno_model_ref(steno_model *model);
STENO_API void steno_model_unref(steno_model *model);

/* What the model is.  Strings live as long as the model; those the file lacks are "". */
typedef struct steno_model_info {
    const char *name;
    const char *language;
    const char *licence;
    const char *training_data;
    const char *trained_with;    /* the recipe's summary: hours, epochs */
    const char *word_error_rate; /* measured, as the model card states it */
    uint64_t file_bytes;
    uint64_t parameters; /* of the network */
    uint64_t lm_ngrams;  /* of the language model; 0: there is none */
    uint32_t tokens;     /* V */
    uint32_t rate_hz;
    uint32_t encoding_ms;      /* milliseconds of audio per encoding */
    uint32_t ctc_frame_ms;     /* and per frame of CTC: in these the times of words are told */
    uint32_t max_chunk_ms;     /* largest chunk */
    steno_precision precision; /* in use, never AUTO */
    const char *operators;     /* "onednn" or "reference" */
} steno_model_info;

STENO_API void steno_model_get_info(const steno_model *model, steno_model_info *out_info);

/* The text of unit `token`, which begins with a space where a word does: 1 to steno_model_info's
 * tokens; "" for others.  Lives as long as the model. */
STENO_API const char *steno_model_token(const steno_model *model, uint32_t token);

/* The shipped model's path: $STENO_MODEL if set, else where it was installed, else the build's own
 * tree.  NULL if there is none.  Static storage. */
STENO_API const char *steno_model_default_path(void);

#ifdef __cplusplus
}
#endif

#endif
