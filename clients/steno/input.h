/* Opening what is to be transcribed: a file, or standard input as "-". */
#ifndef STENO_INPUT_H
#define STENO_INPUT_H

#include "interrupt.h"
#include "steno/audio.h"

typedef struct input {
    steno_audio_file *file;
    const interrupt *interrupt; /* ends standard input early */
} input;

/* What the input is called in messages and results: "standard input" for "-". */
const char *input_name(const char *path);

/* raw: NULL to go by the header. `input` must stay where it is until input_close. */
steno_status input_open(input *self, const char *path, const steno_raw_format *raw,
    const interrupt *interrupt, steno_error *error);
void input_close(input *self);

#endif
