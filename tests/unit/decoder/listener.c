#include "listener.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(listener *l, const char *text)
{
    ck_assert_uint_lt(strlen(l->text) + strlen(text), sizeof l->text);
    strcat(l->text, text);
}

static void listen_hypothesis(listener *l, const search_hypothesis *h)
{
    l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length, "%a %a",
        (double)h->score, (double)h->posterior);
    for (size_t i = 0; i < h->token_count; i++) {
        const search_token *t = &h->tokens[i];
        l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length, " %u@%llu:%a",
            t->token, (unsigned long long)t->frame, (double)t->probability);
    }
    l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length, "\n");
    ck_assert_uint_lt(l->length, sizeof l->log);
}

static void listen(
    void *context, const search_hypothesis *hypotheses, size_t count, uint64_t end_frame)
{
    listener *l = context;
    const search_hypothesis *best = &hypotheses[0];
    double posteriors = 0;
    ck_assert_uint_ge(best->token_count, 1);
    for (size_t i = 0; i < best->token_count; i++) {
        ck_assert(best->tokens[i].frame > l->last_frame || (l->segments == 0 && i == 0));
        ck_assert_uint_lt(best->tokens[i].frame, end_frame);
        ck_assert(best->tokens[i].probability > 0 && best->tokens[i].probability <= 1);
        l->last_frame = best->tokens[i].frame;
        append(l, (char[]){(char)('a' + best->tokens[i].token - 1), 0});
    }
    append(l, "|");
    l->length += (size_t)snprintf(l->log + l->length, sizeof l->log - l->length,
        "segment to %llu\n", (unsigned long long)end_frame);
    bool varied = false;
    for (size_t i = 0; i < count; i++) {
        const search_hypothesis *h = &hypotheses[i];
        listen_hypothesis(l, h);
        ck_assert(h->posterior >= 0 && h->posterior <= best->posterior);
        for (size_t k = 0; k < h->token_count; k++) {
            ck_assert_uint_lt(h->tokens[k].frame, end_frame);
            ck_assert(k == 0 || h->tokens[k].frame > h->tokens[k - 1].frame);
        }
        varied = varied || h->is_variation;
        posteriors += h->is_variation ? 0 : (double)h->posterior;
    }
    /* A sum of a few floats.  Variations can take the places of the least likely. */
    ck_assert_double_le(posteriors, 1 + 1e-5);
    ck_assert_double_ge(posteriors, varied ? 0.5 : 1 - 1e-5);
    if (end_frame - best->tokens[0].frame > l->longest)
        l->longest = end_frame - best->tokens[0].frame;
    l->segments++;
}

search *listener_search(const fixture *f, const search_options *options, listener *l)
{
    search *s = NULL;
    steno_error error = {0};
    steno_status status = search_create(f->decoder, options, (search_sink){listen, l}, &s, &error);
    ck_assert_msg(status == STENO_OK, "%s", error.message);
    return s;
}

void listener_advance(
    const fixture *f, search *s, const float *encodings, size_t count, bool finish)
{
    decoder_item item = {s, encodings, count, finish};
    decoder_advance(f->decoder, f->scratch, &item, 1);
    ck_assert_uint_eq(nn_scratch_mark(f->scratch), 0);
}

void listener_decode(const fixture *f, search *s, const char *script, uint64_t seed, bool finish)
{
    float *encodings = fixture_encodings(script, seed);
    ck_assert_uint_eq(strlen(script) % f->config.ctc_frames, 0);
    size_t count = strlen(script) / f->config.ctc_frames, done = 0;
    do {
        size_t part = count - done < FIXTURE_MAX_ROWS ? count - done : FIXTURE_MAX_ROWS;
        listener_advance(
            f, s, encodings + done * f->config.dimension, part, finish && done + part == count);
        done += part;
    } while (done < count);
    free(encodings);
}

void listener_check_frames(size_t ctc_frames, const search_options *options, const char *script,
    const char *expected, listener *l)
{
    fixture f;
    fixture_open_frames(&f, ctc_frames);
    *l = (listener){.length = 0};
    search *s = listener_search(&f, options, l);
    listener_decode(&f, s, script, 3, true);
    ck_assert_str_eq(l->text, expected);
    ck_assert_uint_eq(search_position(s), strlen(script));
    search_destroy(s);
    fixture_close(&f);
}

void listener_check(
    const search_options *options, const char *script, const char *expected, listener *l)
{
    listener_check_frames(1, options, script, expected, l);
}

void listener_running(listener *l, search *s)
{
    search_hypothesis running[SEARCH_MAX_BEAM];
    size_t count = search_hypotheses(s, SEARCH_MAX_BEAM, running);
    for (size_t i = 0; i < count; i++)
        listen_hypothesis(l, &running[i]);
}
