/* Transcribes an audio file: cc transcribe.c $(pkg-config --cflags --libs steno) */
#include <stdio.h>
#include <steno/steno.h>

static steno_error error;

static steno_status show_results(steno_stream *stream)
{
    const steno_result *result;
    steno_status status;
    while ((status = steno_stream_next(stream, &result, &error)) == STENO_OK)
        printf("%8.2f  %s\n", (double)result->start_ms / 1000, result->alternatives[0].text);
    return status;
}

static steno_status transcribe(steno_audio_file *file, steno_stream *stream)
{
    float samples[8 * 1024];
    size_t channels = steno_audio_get_info(file)->channels, frames, taken;
    steno_status status;
    while ((status = steno_audio_read(file, samples, 1024, &frames, &error)) == STENO_OK) {
        for (size_t fed = 0; fed < frames; fed += taken) {
            status = steno_stream_feed(stream, samples + fed * channels, frames - fed, &taken);
            if (status == STENO_FULL)
                steno_stream_wait(stream, -1);
            if (status < 0 || (status = show_results(stream)) < 0)
                return status;
        }
    }
    if (status < 0)
        return status;
    steno_stream_finish(stream);
    while ((status = show_results(stream)) == STENO_AGAIN)
        steno_stream_wait(stream, -1);
    return status;
}

int main(int argc, char **argv)
{
    steno_model *model = NULL;
    steno_engine *engine = NULL;
    steno_audio_file *file = NULL;
    steno_stream *stream = NULL;
    steno_stream_options options;
    const char *model_path = steno_model_default_path();
    if (argc != 2 || !model_path) {
        fprintf(stderr, argc == 2 ? "no model found\n" : "usage: transcribe FILE\n");
        return 2;
    }
    steno_status status = steno_audio_open(argv[1], NULL, &file, &error);
    if (status == STENO_OK)
        status = steno_model_open(model_path, NULL, &model, &error);
    if (status == STENO_OK)
        status = steno_engine_create(NULL, &engine, &error);
    if (status == STENO_OK) {
        steno_stream_options_init(&options);
        options.rate_hz = steno_audio_get_info(file)->rate_hz;
        options.channels = steno_audio_get_info(file)->channels;
        status = steno_stream_create(engine, model, &options, &stream, &error);
    }
    if (status == STENO_OK)
        status = transcribe(file, stream);
    if (status < 0)
        fprintf(stderr, "%s\n", error.message);
    steno_stream_destroy(stream);
    steno_engine_destroy(engine);
    steno_model_unref(model);
    steno_audio_close(file);
    return status < 0;
}
