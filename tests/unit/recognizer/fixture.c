#include "fixture.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "%s is left over\n", folder);
}

const char *fixture_path(const char *name)
{
    static char path[PATH_MAX];
    if (!*folder) {
        strcpy(folder, "/tmp/steno-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

const char *fixture_file(const char *name, const void *bytes, size_t size)
{
    const char *path = fixture_path(name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static void *make_bytes(const char *search, const tiny_ngram *lm, size_t *out_size)
{
    const char *metadata[] = {
        "search", search, "name", "Tiny", "language", "en", "licence", "CC0-1.0", NULL};
    tiny_model_config config = tiny_model_default();
    config.metadata = metadata;
    config.lm = lm;
    return tiny_model_write(&config, out_size);
}

void *fixture_bytes(const char *search, size_t *out_size)
{
    return make_bytes(search ? search : FIXTURE_SEARCH, NULL, out_size);
}

void *fixture_bytes_lm(const char *search, size_t *out_size)
{
    tiny_ngram *lm = tiny_ngram_random(tiny_model_default().tokens, 3, 7);
    void *bytes = make_bytes(search ? search : FIXTURE_SEARCH_LM, lm, out_size);
    tiny_ngram_destroy(lm);
    return bytes;
}

static steno_model *open_bytes(void *bytes, size_t size)
{
    const char *path = fixture_file("tiny.safetensors", bytes, size);
    free(bytes);
    steno_model *model;
    steno_error error;
    const steno_model_options options = {.operators = STENO_OPERATORS_REFERENCE};
    ck_assert_msg(
        steno_model_open(path, &options, &model, &error) == STENO_OK, "%s", error.message);
    return model;
}

steno_model *fixture_model(void)
{
    size_t size;
    void *bytes = fixture_bytes(NULL, &size);
    return open_bytes(bytes, size);
}

steno_model *fixture_model_lm(void)
{
    size_t size;
    void *bytes = fixture_bytes_lm(NULL, &size);
    return open_bytes(bytes, size);
}

steno_engine *fixture_engine(unsigned threads)
{
    steno_engine *engine;
    const steno_engine_options options = {.threads = threads};
    ck_assert_int_eq(steno_engine_create(&options, &engine, NULL), STENO_OK);
    return engine;
}

float *fixture_audio(size_t samples)
{
    enum { BURST = 3200 };
    float *audio = calloc(samples, sizeof *audio);
    ck_assert_ptr_nonnull(audio);
    for (size_t at = 0, burst = 0; at < samples; at += BURST, burst++) {
        size_t count = samples - at < BURST ? samples - at : BURST;
        if (burst % 16 < 10)
            tiny_model_noise(burst, 0.02f * (float)(1 + burst % 7 * burst % 5), count, audio + at);
    }
    return audio;
}

void fixture_open(fixture *f, size_t samples)
{
    f->model = fixture_model();
    f->engine = fixture_engine(2);
    f->audio = fixture_audio(samples);
}

void fixture_close(fixture *f)
{
    free(f->audio);
    steno_engine_destroy(f->engine);
    steno_model_unref(f->model);
    ck_assert_uint_eq(memory_alive(), 0);
}

steno_stream_options fixture_options(void)
{
    steno_stream_options options;
    steno_stream_options_init(&options);
    return options;
}

steno_stream *fixture_stream(const fixture *f, const steno_stream_options *options)
{
    steno_stream *stream;
    steno_error error;
    ck_assert_msg(steno_stream_create(f->engine, f->model, options, &stream, &error) == STENO_OK,
        "%s", error.message);
    return stream;
}

size_t fixture_drain(steno_stream *stream)
{
    const steno_result *result;
    size_t finals = 0;
    for (;;) {
        steno_status status = steno_stream_next(stream, &result, NULL);
        ck_assert_int_ge(status, 0);
        if (status == STENO_END)
            return finals;
        if (status == STENO_OK)
            finals += result->is_final;
        else
            ck_assert_int_eq(steno_stream_wait(stream, 20000), STENO_OK);
    }
}
