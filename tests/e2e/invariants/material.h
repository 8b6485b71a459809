/*
 * What the invariants are tested on: the recordings of tests/data/speech, made-up sounds, and the
 * shipped model.  Where that is missing a tiny random one stands in, which says a lot of nonsense
 * but must obey all the same rules; what needs a model that knows English asks for it.
 */
#ifndef E2E_MATERIAL_H
#define E2E_MATERIAL_H

#include "support/recognise.h"

enum { MATERIAL_RATE = 16000 };

typedef struct material {
    steno_model *model;
    steno_engine *engine;
    bool shipped;
} material;

/* Aborts on trouble.  threads: of the engine, 0 for its default. */
material material_open(unsigned threads);
void material_close(material *material);

/* Whether there is a shipped model; if not, says on stderr that `what` is left out. */
bool material_has_shipped(const char *what);

/* A file of tests/data/speech, at 16 kHz. */
float *material_speech(const char *name, size_t *out_frames);

/* `seconds` of a sound that is no speech, in memory of malloc. */
typedef enum sound { SOUND_SILENCE, SOUND_NOISE, SOUND_HUM, SOUND_DTMF, SOUNDS } sound;
float *material_sound(sound sound, size_t seconds, size_t *out_frames);
extern const char *const material_sound_names[SOUNDS];

#endif
