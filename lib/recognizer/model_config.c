/*
 * One reader per JSON object remembers the first thing that is wrong and lets the rest pass, so
 * that the lists of keys below read as tables.  The bounds are generous multiples of what is
 * sensible: they protect memory, they don't judge the network.
 */
#include "recognizer/model_config.h"

#include <jansson.h>
#include <math.h>

#include "base/error.h"

typedef struct reader {
    const char *path;
    const char *section; /* "config", "search" or "lm" */
    json_t *object;
    steno_error *error;
    steno_status status;
} reader;

static steno_status reader_open(
    reader *r, const char *path, const nn_weights *weights, const char *section, steno_error *error)
{
    *r = (reader){.path = path, .section = section, .error = error};
    const char *text = nn_weights_metadata(weights, section);
    if (!text)
        return error_set(
            error, STENO_ERROR_FORMAT, "%s: the metadata has no \"%s\"", path, section);
    json_error_t reason;
    r->object = json_loads(text, JSON_REJECT_DUPLICATES, &reason);
    if (!r->object)
        return error_set(
            error, STENO_ERROR_FORMAT, "%s: \"%s\" is not JSON: %s", path, section, reason.text);
    if (!json_is_object(r->object)) {
        json_decref(r->object);
        return error_set(
            error, STENO_ERROR_FORMAT, "%s: \"%s\" is not a JSON object", path, section);
    }
    return STENO_OK;
}

static double reader_number(reader *r, const char *key, double low, double high, bool integral)
{
    if (r->status != STENO_OK)
        return low;
    const json_t *value = json_object_get(r->object, key);
    if (!json_is_number(value)) {
        r->status = error_set(r->error, STENO_ERROR_FORMAT, "%s: %s: \"%s\" is %s", r->path,
            r->section, key, value ? "not a number" : "missing");
        return low;
    }
    double number = json_number_value(value);
    bool inside = number >= low && number <= high; /* false for what is not a number */
    if (!inside || (integral && number != floor(number))) {
        r->status = error_set(r->error, STENO_ERROR_FORMAT,
            "%s: %s: \"%s\" is %g, should be %s%g to %g", r->path, r->section, key, number,
            integral ? "a whole number from " : "", low, high);
        return low;
    }
    return number;
}

static size_t whole(reader *r, const char *key, size_t low, size_t high)
{
    return (size_t)reader_number(r, key, (double)low, (double)high, true);
}

static float real(reader *r, const char *key, double low, double high)
{
    return (float)reader_number(r, key, low, high, false);
}

/* For what was added to the format later. */
static size_t whole_or(reader *r, const char *key, size_t low, size_t high, size_t absent)
{
    return json_object_get(r->object, key) ? whole(r, key, low, high) : absent;
}

static float real_or(reader *r, const char *key, double low, double high, float absent)
{
    return json_object_get(r->object, key) ? real(r, key, low, high) : absent;
}

static void read_frontend(reader *r, frontend_config *c)
{
    c->rate_hz = (uint32_t)whole(r, "sample_rate_hz", 8000, 48000);
    c->window_samples = (uint32_t)whole(r, "window_samples", 16, 4096);
    c->hop_samples = (uint32_t)whole(r, "hop_samples", 16, 4096);
    c->fft_size = (uint32_t)whole(r, "fft_size", 16, 8192);
    c->mel_bins = (uint32_t)whole(r, "mel_bins", 2, 256);
    c->low_hz = real(r, "mel_low_hz", 0, 24000);
    c->high_hz = real(r, "mel_high_hz", 1, 24000);
    c->floor = real(r, "mel_floor", 1e-30, 1);
}

static void read_encoder(reader *r, encoder_config *c)
{
    c->subsampling = whole(r, "subsampling", 2, 16);
    c->subsampling_channels = whole(r, "subsampling_channels", 1, 512);
    c->dimension = whole(r, "dimension", 1, 2048);
    c->blocks = whole(r, "blocks", 1, 48);
    c->heads = whole(r, "heads", 1, 64);
    c->feed_forward = whole(r, "feed_forward", 1, 8192);
    c->kernel = whole(r, "kernel", 1, 64);
    c->left_context = whole(r, "left_context", 0, 1024);
    c->max_chunk = whole(r, "max_chunk", 1, 64);
}

static void read_decoder(reader *r, decoder_config *c)
{
    c->tokens = whole(r, "tokens", 2, 8192);
    c->ctc_frames = whole_or(r, "ctc_frames", 1, 4, 1);
    c->embedding = whole(r, "decoder_embedding", 1, 1024);
    c->lstm = whole(r, "decoder_lstm", 1, 2048);
    c->attention = whole(r, "decoder_attention", 1, 1024);
    c->location_filters = whole(r, "location_filters", 1, 64);
    c->location_width = whole(r, "location_width", 1, 127);
    c->look_ahead = whole(r, "look_ahead", 0, 16);
    c->window = whole(r, "attention_window", 1, 1024);
}

static void read_search(reader *r, search_options *o)
{
    o->beam = whole(r, "beam", 1, SEARCH_MAX_BEAM);
    o->token_threshold = real(r, "token_threshold", 0, 0.999);
    o->ctc_weight = real(r, "ctc_weight", 0, 100);
    o->attention_weight = real(r, "attention_weight", 0, 100);
    o->token_bonus = real(r, "token_bonus", -100, 100);
    o->lm_weight = real_or(r, "lm_weight", 0, 100, 0);
    o->segment_blanks = whole(r, "segment_blanks", 1, 1000);
    o->segment_max = whole(r, "segment_max", 8, 1000);
}

static void read_lm(reader *r, ngram_config *c)
{
    c->order = whole(r, "order", 1, NGRAM_MAX_ORDER);
    c->probability_scale = reader_number(r, "probability_scale", 1e-6, 10, false);
    c->backoff_scale = reader_number(r, "backoff_scale", 1e-6, 10, false);
}

/* What no single key shows.  What concerns one stage alone, its create function checks. */
static steno_status check_whole(const char *path, const model_config *c, steno_error *error)
{
    const frontend_config *f = &c->frontend;
    size_t encoding_samples = f->hop_samples * c->encoder.subsampling;
    if (encoding_samples * 1000 % (f->rate_hz * c->decoder.ctc_frames) != 0)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: config: \"hop_samples\" times \"subsampling\" is %zu samples, each %zu'th part of "
            "it not a whole number of milliseconds",
            path, encoding_samples, c->decoder.ctc_frames);
    if (c->search.segment_blanks >= c->search.segment_max)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: search: \"segment_blanks\" is %zu, should be less than \"segment_max\", %zu", path,
            c->search.segment_blanks, c->search.segment_max);
    if (c->search.ctc_weight == 0 && c->search.attention_weight == 0)
        return error_set(error, STENO_ERROR_FORMAT,
            "%s: search: \"ctc_weight\" and \"attention_weight\" can't both be 0", path);
    return STENO_OK;
}

steno_status model_config_read(
    const char *path, const nn_weights *weights, model_config *out_config, steno_error *error)
{
    model_config config = {0};
    reader r;
    steno_status status = reader_open(&r, path, weights, "config", error);
    if (status != STENO_OK)
        return status;
    read_frontend(&r, &config.frontend);
    read_encoder(&r, &config.encoder);
    read_decoder(&r, &config.decoder);
    json_decref(r.object);
    if (r.status != STENO_OK)
        return r.status;

    status = reader_open(&r, path, weights, "search", error);
    if (status != STENO_OK)
        return status;
    read_search(&r, &config.search);
    json_decref(r.object);
    if (r.status != STENO_OK)
        return r.status;

    if (nn_weights_metadata(weights, "lm")) {
        status = reader_open(&r, path, weights, "lm", error);
        if (status != STENO_OK)
            return status;
        read_lm(&r, &config.lm);
        json_decref(r.object);
        if (r.status != STENO_OK)
            return r.status;
    }

    config.encoder.mel_bins = config.frontend.mel_bins;
    config.decoder.dimension = config.encoder.dimension;
    status = check_whole(path, &config, error);
    if (status != STENO_OK)
        return status;
    config.encoding_ms = (uint32_t)(config.frontend.hop_samples * config.encoder.subsampling *
                                    1000 / config.frontend.rate_hz);
    config.frame_ms = config.encoding_ms / (uint32_t)config.decoder.ctc_frames;
    *out_config = config;
    return STENO_OK;
}
