/* Transcribes an audio file on a server:
 *     cc transcribe_server.c $(pkg-config --cflags --libs steno-client steno) */
#include <stdio.h>
#include <steno/client.h>
#include <steno/steno.h>

static steno_error error;

static steno_status show_results(steno_client_stream *stream)
{
    const steno_result *result;
    steno_status status;
    while ((status = steno_client_stream_next(stream, &result, NULL, &error)) == STENO_OK)
        printf("%8.2f  %s\n", (double)result->start_ms / 1000, result->alternatives[0].text);
    return status;
}

static steno_status transcribe(steno_audio_file *file, steno_client_stream *stream)
{
    float samples[8 * 1024];
    size_t channels = steno_audio_get_info(file)->channels, frames, taken;
    steno_status status;
    while ((status = steno_audio_read(file, samples, 1024, &frames, &error)) == STENO_OK) {
        for (size_t fed = 0; fed < frames; fed += taken) {
            status = steno_client_stream_feed(
                stream, samples + fed * channels, frames - fed, &taken, &error);
            if (status == STENO_FULL)
                steno_client_stream_wait(stream, -1);
            if (status < 0 || (status = show_results(stream)) < 0)
                return status;
        }
    }
    if (status < 0)
        return status;
    steno_client_stream_finish(stream);
    while ((status = show_results(stream)) == STENO_AGAIN)
        steno_client_stream_wait(stream, -1);
    return status;
}

int main(int argc, char **argv)
{
    steno_client *client = NULL;
    steno_audio_file *file = NULL;
    steno_client_stream *stream = NULL;
    steno_client_options where;
    steno_client_stream_options how;
    if (argc != 3) {
        fprintf(stderr, "usage: transcribe_server ADDRESS FILE\n");
        return 2;
    }
    steno_client_options_init(&where);
    where.addresses = (const char *const *)&argv[1];
    where.address_count = 1;
    steno_status status = steno_client_create(&where, &client, &error);
    if (status == STENO_OK)
        status = steno_audio_open(argv[2], NULL, &file, &error);
    if (status == STENO_OK) {
        steno_client_stream_options_init(&how);
        how.rate_hz = steno_audio_get_info(file)->rate_hz;
        how.channels = steno_audio_get_info(file)->channels;
        status = steno_client_stream_open(client, &how, &stream, &error);
    }
    if (status == STENO_OK)
        status = transcribe(file, stream);
    if (status < 0)
        fprintf(stderr, "%s\n", error.message);
    steno_client_stream_destroy(stream);
    steno_client_destroy(client);
    steno_audio_close(file);
    return status < 0;
}
