#include "material.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/tiny_model.h"

/* MATERIAL_SPEECH and MATERIAL_MODEL are paths that the build gives. */

const char *const material_sound_names[SOUNDS] = {"silence", "white noise", "hum", "DTMF"};

bool material_has_shipped(const char *what)
{
    if (access(MATERIAL_MODEL, R_OK) == 0)
        return true;
    fprintf(stderr, "%s: left out, as there is no model at %s\n", what, MATERIAL_MODEL);
    return false;
}

static const char *tiny_path(void)
{
    static char path[] = "/tmp/steno-e2e-XXXXXX";
    const char *metadata[] = {"search",
        "{\"beam\":6,\"token_threshold\":0.01,\"ctc_weight\":0.4,\"attention_weight\":0.6,"
        "\"token_bonus\":0,\"segment_blanks\":4,\"segment_max\":60}",
        NULL};
    tiny_model_config config = tiny_model_default();
    config.metadata = metadata;
    config.matrix_type = NN_BF16;
    config.dimension = 64;
    config.tokens = 30;
    size_t size;
    void *bytes = tiny_model_write(&config, &size);
    int descriptor = mkstemp(path);
    if (descriptor < 0 || write(descriptor, bytes, size) != (ssize_t)size)
        abort();
    close(descriptor);
    free(bytes);
    return path;
}

material material_open(unsigned threads)
{
    material m = {
        .shipped = material_has_shipped("what needs a model of English (a random one stands in)")};
    const char *path = m.shipped ? MATERIAL_MODEL : tiny_path();
    const steno_engine_options options = {.threads = threads};
    steno_error error;
    if (steno_model_open(path, NULL, &m.model, &error) != STENO_OK ||
        steno_engine_create(&options, &m.engine, &error) != STENO_OK) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    if (!m.shipped)
        unlink(path);
    return m;
}

void material_close(material *m)
{
    steno_engine_destroy(m->engine);
    steno_model_unref(m->model);
}

float *material_speech(const char *name, size_t *out_frames)
{
    char path[1024];
    uint32_t rate_hz;
    snprintf(path, sizeof path, "%s/%s", MATERIAL_SPEECH, name);
    float *samples = recognise_load(path, out_frames, &rate_hz);
    if (rate_hz != MATERIAL_RATE)
        abort();
    return samples;
}

static float dtmf(size_t at)
{
    static const double low_hz[] = {697, 770, 852, 941}, high_hz[] = {1209, 1336, 1477, 1633};
    size_t digit = at / (MATERIAL_RATE / 5), inside = at % (MATERIAL_RATE / 5);
    if (inside > MATERIAL_RATE / 10)
        return 0; /* 100 ms of tone, 100 ms of pause */
    double t = 2 * M_PI * (double)at / MATERIAL_RATE;
    return (float)(0.2 * sin(t * low_hz[digit % 4]) + 0.2 * sin(t * high_hz[digit * 7 % 4]));
}

static float hum(size_t at)
{
    double t = 2 * M_PI * 50 * (double)at / MATERIAL_RATE;
    return (float)(0.1 * sin(t) + 0.03 * sin(2 * t) + 0.02 * sin(3 * t) + 0.01 * sin(5 * t));
}

float *material_sound(sound which, size_t seconds, size_t *out_frames)
{
    size_t frames = seconds * MATERIAL_RATE;
    float *samples = calloc(frames, sizeof *samples);
    if (!samples)
        abort();
    if (which == SOUND_NOISE) {
        /* From a whisper of it to loud, a fifth of the time each. */
        for (size_t i = 0; i < 5; i++)
            tiny_model_noise(i, 0.001f * powf(4, (float)i), frames / 5, samples + i * (frames / 5));
    }
    for (size_t i = 0; which == SOUND_HUM && i < frames; i++)
        samples[i] = hum(i);
    for (size_t i = 0; which == SOUND_DTMF && i < frames; i++)
        samples[i] = dtmf(i);
    *out_frames = frames;
    return samples;
}
