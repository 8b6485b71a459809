#include "support/recognise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEMAND(condition, ...)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef struct reading {
    FILE *report, *words;
    recognition *result;
    uint64_t last_ms; /* end of the last final's last word */
} reading;

static void check_alternative(const steno_alternative *alternative)
{
    const char *at = alternative->text;
    DEMAND(alternative->word_count > 0, "an alternative without words");
    for (size_t i = 0; i < alternative->word_count; i++) {
        const steno_word *word = &alternative->words[i];
        size_t length = strlen(word->text);
        DEMAND(length > 0 && !strchr(word->text, ' '), "a word is \"%s\"", word->text);
        DEMAND(strncmp(at, word->text, length) == 0, "\"%s\" is not at \"%s\"", word->text, at);
        at += length;
        bool last = i + 1 == alternative->word_count;
        DEMAND(*at == (last ? 0 : ' '), "\"%s\" is not its words", alternative->text);
        at += !last;
        DEMAND(word->confidence >= 0 && word->confidence <= 1, "confidence %g",
            (double)word->confidence);
    }
}

static void check_times(const steno_result *result, uint64_t from_ms)
{
    const steno_alternative *best = &result->alternatives[0];
    DEMAND(result->start_ms == best->words[0].start_ms, "a result starts elsewhere");
    DEMAND(result->end_ms == best->words[best->word_count - 1].end_ms, "a result ends elsewhere");
    for (size_t i = 0; i < best->word_count; i++) {
        DEMAND(best->words[i].start_ms >= from_ms, "\"%s\" starts before the word before it ends",
            best->words[i].text);
        DEMAND(best->words[i].end_ms >= best->words[i].start_ms, "\"%s\" ends before it starts",
            best->words[i].text);
        from_ms = best->words[i].end_ms;
    }
}

static void read_final(reading *r, const steno_result *result)
{
    const steno_alternative *best = &result->alternatives[0];
    fprintf(r->report,
        "%llu-%llu%s audio %llu stable %zu %a:", (unsigned long long)result->start_ms,
        (unsigned long long)result->end_ms, result->endpoint ? " endpoint" : "",
        (unsigned long long)result->audio_ms, result->stable_words, (double)result->stability);
    for (size_t a = 0; a < result->alternative_count; a++) {
        const steno_alternative *alternative = &result->alternatives[a];
        fprintf(r->report, "%s %a", a ? " |" : "", (double)alternative->confidence);
        for (size_t i = 0; i < alternative->word_count; i++)
            fprintf(r->report, " %s %llu %llu %a", alternative->words[i].text,
                (unsigned long long)alternative->words[i].start_ms,
                (unsigned long long)alternative->words[i].end_ms,
                (double)alternative->words[i].confidence);
    }
    fprintf(r->report, "\n");
    fprintf(r->words, "%s%s", r->result->finals ? " " : "", best->text);
    r->result->finals++;
    r->result->word_count += best->word_count;
    r->last_ms = result->end_ms;
}

static steno_status read_results(reading *r, steno_stream *stream)
{
    const steno_result *result;
    steno_error error;
    steno_status status;
    while ((status = steno_stream_next(stream, &result, &error)) == STENO_OK) {
        DEMAND(result->alternative_count > 0, "a result without alternatives");
        for (size_t i = 0; i < result->alternative_count; i++)
            check_alternative(&result->alternatives[i]);
        check_times(result, r->last_ms);
        if (result->is_final)
            read_final(r, result);
        else
            r->result->interims++;
    }
    DEMAND(status >= 0, "%s", error.message);
    return status;
}

recognition recognise(steno_engine *engine, steno_model *model, const steno_stream_options *options,
    const float *samples, size_t frames, recognise_cut cut)
{
    steno_stream *stream;
    steno_error error;
    DEMAND(steno_stream_create(engine, model, options, &stream, &error) == STENO_OK, "%s",
        error.message);
    recognition result = {0};
    size_t report_size, words_size;
    reading r = {.report = open_memstream(&result.report, &report_size),
        .words = open_memstream(&result.words, &words_size),
        .result = &result};
    DEMAND(r.report && r.words, "out of memory");

    size_t channels = options ? options->channels : 1;
    for (size_t fed = 0; fed < frames;) {
        size_t piece = cut ? cut(fed) : frames - fed, taken;
        if (piece > frames - fed)
            piece = frames - fed;
        steno_status status = steno_stream_feed(stream, samples + fed * channels, piece, &taken);
        DEMAND(status >= 0, "feed: %s", steno_status_name(status));
        DEMAND((status == STENO_OK) == (taken == piece), "feed took %zu of %zu", taken, piece);
        fed += taken;
        if (status == STENO_FULL)
            steno_stream_wait(stream, -1);
        read_results(&r, stream);
    }
    DEMAND(steno_stream_finish(stream) == STENO_OK, "finish failed");
    while (read_results(&r, stream) == STENO_AGAIN)
        steno_stream_wait(stream, -1);
    result.done_ms = steno_stream_done_ms(stream);
    result.fed_ms = steno_stream_fed_ms(stream);
    DEMAND(r.last_ms <= result.fed_ms, "a word ends at %llu ms of %llu",
        (unsigned long long)r.last_ms, (unsigned long long)result.fed_ms);
    steno_stream_destroy(stream);
    fclose(r.report);
    fclose(r.words);
    return result;
}

void recognition_free(recognition *r)
{
    free(r->report);
    free(r->words);
}

float *recognise_load(const char *path, size_t *out_frames, uint32_t *out_rate_hz)
{
    steno_audio_file *file;
    steno_error error;
    DEMAND(steno_audio_open(path, NULL, &file, &error) == STENO_OK, "%s", error.message);
    const steno_audio_info *info = steno_audio_get_info(file);
    DEMAND(info->channels == 1, "%s has %u channels", path, info->channels);
    *out_rate_hz = info->rate_hz;
    float *samples = NULL;
    size_t count = 0, got;
    steno_status status;
    do {
        samples = realloc(samples, (count + 16000) * sizeof *samples);
        DEMAND(samples, "out of memory");
        status = steno_audio_read(file, samples + count, 16000, &got, &error);
        DEMAND(status >= 0, "%s", error.message);
        count += got;
    } while (status != STENO_END);
    steno_audio_close(file);
    *out_frames = count;
    return samples;
}
