/*
 * When results are made, and of what.
 *
 *     segments --> utterance (gathered) --> final        at an endpoint, a limit, or the end
 *                      |
 *     running best ----+------------------> interim      at each advance
 *
 * A segment may both end the utterance before it (the pause between them was an endpoint that no
 * advance came in time to see) and fill its own (it is longer than max_utterance_ms).  Only the
 * first of these finals is made in that call; the other is due and made first thing in the next.
 * So each call makes one final at the most, and one final's memory is enough.
 *
 * Interims are assembled into one of two buffers while the other holds the one last taken, which
 * says whether anything changed since.
 */
#include "transcript/transcript.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "transcript/assembly.h"
#include "transcript/runs.h"
#include "transcript/utterance.h"

enum {
    /* Room for gathered text, in bytes for each frame of an utterance: the frames that hold
     * one word (three or more) make room for the longest words of a dictionary. */
    BYTES_PER_FRAME = 16,
    /* Segments end at pauses, so fewer than one comes each four frames. */
    FRAMES_PER_SEGMENT = 4,
};

struct transcript {
    transcript_options options;
    size_t max_tokens, max_hypotheses;
    utterance utterance;
    assembly final;
    assembly interims[2];
    word_run *running, *other; /* [max_tokens] each: words of the running hypotheses */

    /* What reset clears. */
    uint64_t position; /* frames decoded */
    uint64_t floor_ms; /* end of the last final */
    bool final_waits;
    size_t newest; /* of interims: the one assembled last; the other was last taken */
};

static steno_status check_options(
    const transcript_options *options, size_t max_tokens, size_t max_hypotheses, steno_error *error)
{
    if (options->frame_ms < 1 || options->frame_ms > 1000)
        return error_set(error, STENO_ERROR_ARGUMENT, "frame_ms is %u, not 1 to 1000",
            (unsigned)options->frame_ms);
    if (options->max_utterance_ms < 1 || options->max_utterance_ms > TRANSCRIPT_MAX_UTTERANCE_MS)
        return error_set(error, STENO_ERROR_ARGUMENT, "max_utterance_ms is %u, not 1 to %d",
            (unsigned)options->max_utterance_ms, TRANSCRIPT_MAX_UTTERANCE_MS);
    if (options->max_alternatives < 1 || options->max_alternatives > TRANSCRIPT_MAX_ALTERNATIVES)
        return error_set(error, STENO_ERROR_ARGUMENT, "max_alternatives is %u, not 1 to %d",
            (unsigned)options->max_alternatives, TRANSCRIPT_MAX_ALTERNATIVES);
    if (max_tokens < 1 || max_tokens > TRANSCRIPT_MAX_TOKENS)
        return error_set(error, STENO_ERROR_ARGUMENT, "max_tokens is %zu, not 1 to %d", max_tokens,
            TRANSCRIPT_MAX_TOKENS);
    if (max_hypotheses < 1 || max_hypotheses > TRANSCRIPT_MAX_HYPOTHESES)
        return error_set(error, STENO_ERROR_ARGUMENT, "max_hypotheses is %zu, not 1 to %d",
            max_hypotheses, TRANSCRIPT_MAX_HYPOTHESES);
    return STENO_OK;
}

steno_status transcript_create(const transcript_options *options, size_t max_tokens,
    size_t max_hypotheses, transcript **out_transcript, steno_error *error)
{
    steno_status status = check_options(options, max_tokens, max_hypotheses, error);
    if (status < 0)
        return status;
    transcript *self = memory_allocate(1, sizeof *self);
    if (!self)
        return error_memory(error);
    self->options = *options;
    self->max_tokens = max_tokens;
    self->max_hypotheses = max_hypotheses;

    size_t frames = options->max_utterance_ms / options->frame_ms + 1;
    utterance_limits limits = {
        .alternatives = options->max_alternatives,
        .tokens = max_tokens,
        .gathered_words = frames,
        .gathered_bytes = frames * BYTES_PER_FRAME,
        .segments = frames / FRAMES_PER_SEGMENT + 2,
    };
    size_t words = utterance_max_words(&limits), bytes = utterance_max_bytes(&limits);
    if (utterance_init(&self->utterance, &limits) < 0 ||
        assembly_init(&self->final, options->max_alternatives, words, bytes, options->frame_ms) <
            0 ||
        assembly_init(&self->interims[0], 1, words, bytes, options->frame_ms) < 0 ||
        assembly_init(&self->interims[1], 1, words, bytes, options->frame_ms) < 0)
        goto error;
    self->running = memory_allocate(max_tokens, sizeof *self->running);
    self->other = memory_allocate(max_tokens, sizeof *self->other);
    if (!self->running || !self->other)
        goto error;
    transcript_reset(self);
    *out_transcript = self;
    return STENO_OK;

error:
    transcript_destroy(self);
    return error_memory(error);
}

void transcript_destroy(transcript *self)
{
    if (!self)
        return;
    utterance_finish(&self->utterance);
    assembly_finish(&self->final);
    assembly_finish(&self->interims[0]);
    assembly_finish(&self->interims[1]);
    memory_free(self->running);
    memory_free(self->other);
    memory_free(self);
}

static void clear_interims(transcript *self)
{
    assembly_clear(&self->interims[0]);
    assembly_clear(&self->interims[1]);
    self->newest = 0;
}

void transcript_reset(transcript *self)
{
    self->position = 0;
    self->floor_ms = 0;
    self->final_waits = false;
    utterance_clear(&self->utterance);
    clear_interims(self);
}

static void set_position(transcript *self, uint64_t position)
{
    if (self->position < position)
        self->position = position;
}

/* Audio decoded, and never less than what a result tells of. */
static uint64_t audio_ms(const transcript *self, const steno_result *result)
{
    uint64_t decoded_ms = self->position * self->options.frame_ms;
    return decoded_ms > result->end_ms ? decoded_ms : result->end_ms;
}

/* What is gathered becomes the final that waits. */
static void make_final(transcript *self, bool endpoint)
{
    assembly *final = &self->final;
    assembly_clear(final);
    for (size_t i = 0; i < self->utterance.path_count; i++) {
        assembly_begin(final, self->floor_ms);
        utterance_render(&self->utterance, i, final);
        assembly_end(final);
    }
    final->result.is_final = true;
    final->result.endpoint = endpoint;
    final->result.stability = 1;
    final->result.stable_words = final->alternatives[0].word_count;
    final->result.audio_ms = audio_ms(self, &final->result);
    self->floor_ms = final->result.end_ms;
    self->final_waits = true;
    utterance_clear(&self->utterance);
    clear_interims(self);
}

static bool has_words(const transcript *self)
{
    return self->utterance.segment_count > 0;
}

/* The utterance has grown to a limit. */
static bool is_due(const transcript *self)
{
    const utterance *gathered = &self->utterance;
    uint64_t frames = gathered->last + 1 - gathered->first;
    return has_words(self) && (frames * self->options.frame_ms >= self->options.max_utterance_ms ||
                                  utterance_is_full(gathered));
}

/* Whether the pause between what is gathered and a word that begins at `first` is an endpoint. */
static bool is_parted(const transcript *self, uint64_t first)
{
    uint64_t end = self->utterance.last + 1;
    return self->options.endpointing && first >= end &&
           (first - end) * self->options.frame_ms >= self->options.endpoint_ms;
}

static void check_hypotheses(
    const transcript *self, const transcript_hypothesis *hypotheses, size_t count)
{
    assert(count <= self->max_hypotheses);
    for (size_t i = 0; i < count; i++)
        assert(hypotheses[i].token_count <= self->max_tokens);
}

void transcript_segment(
    transcript *self, const transcript_hypothesis *hypotheses, size_t count, uint64_t end_frame)
{
    assert(!self->final_waits);
    check_hypotheses(self, hypotheses, count);
    size_t words = count > 0 ? runs_split(hypotheses, self->running) : 0;
    if (words > 0 && has_words(self)) {
        bool parted = is_parted(self, self->running[0].first);
        if (parted || is_due(self))
            make_final(self, parted);
    }
    set_position(self, end_frame);
    if (words > 0)
        utterance_add(&self->utterance, hypotheses, count);
    if (!self->final_waits && is_due(self))
        make_final(self, false);
}

/* Adds the words of the running segment's first hypothesis to the interim; returns how many are
 * settled.  `stable` tokens of it are. */
static size_t add_running(transcript *self, const transcript_hypothesis *hypotheses, size_t count,
    size_t stable, assembly *interim)
{
    word_run *runs = self->running;
    size_t words = runs_split(hypotheses, runs), stable_words = 0;
    for (size_t h = 0; h < count; h++) {
        size_t other_words = runs_split(hypotheses + h, self->other);
        runs_add_support(hypotheses, runs, words, hypotheses + h, self->other, other_words,
            runs_weight(hypotheses, count, h));
    }
    for (size_t i = 0; i < words; i++) {
        size_t next_token = (size_t)runs[i].token + runs[i].token_count;
        stable_words += next_token < hypotheses->token_count && next_token < stable;
        runs_write(hypotheses, runs + i,
            assembly_word(interim, runs_length(hypotheses, runs + i), runs[i].first, runs[i].last,
                runs_confidence(runs + i)));
    }
    return stable_words;
}

static void make_interim(
    transcript *self, const transcript_hypothesis *hypotheses, size_t count, size_t stable)
{
    assembly *interim = &self->interims[self->newest];
    assembly_clear(interim);
    assembly_begin(interim, self->floor_ms);
    size_t stable_words = 0;
    if (has_words(self)) {
        utterance_render(&self->utterance, 0, interim);
        stable_words = self->utterance.best_words;
    }
    if (count > 0)
        stable_words += add_running(self, hypotheses, count, stable, interim);
    assembly_end(interim);
    if (interim->alternative_count == 0)
        return;
    interim->result.stable_words = stable_words;
    interim->result.stability = (float)stable_words / (float)interim->word_count;
    interim->result.audio_ms = audio_ms(self, &interim->result);
}

void transcript_advance(transcript *self, const transcript_hypothesis *hypotheses, size_t count,
    size_t stable, uint64_t position, uint64_t trailing)
{
    assert(!self->final_waits);
    check_hypotheses(self, hypotheses, count);
    set_position(self, position);
    bool speaking = count > 0 && hypotheses[0].token_count > 0;
    if (is_due(self))
        make_final(self, false);
    else if (has_words(self) && self->options.endpointing && !speaking &&
             trailing * self->options.frame_ms >= self->options.endpoint_ms)
        make_final(self, true);
    make_interim(self, hypotheses, count, stable);
}

void transcript_finish(transcript *self)
{
    assert(!self->final_waits);
    if (has_words(self))
        make_final(self, false);
    clear_interims(self);
}

steno_status transcript_take_final(transcript *self, const steno_result **out_result)
{
    if (!self->final_waits)
        return STENO_AGAIN;
    self->final_waits = false;
    *out_result = &self->final.result;
    return STENO_OK;
}

steno_status transcript_take_interim(transcript *self, const steno_result **out_result)
{
    assembly *interim = &self->interims[self->newest];
    const assembly *taken = &self->interims[!self->newest];
    if (interim->alternative_count == 0 || assembly_same(interim, taken))
        return STENO_AGAIN;
    self->newest = !self->newest;
    assembly_clear(&self->interims[self->newest]);
    *out_result = &interim->result;
    return STENO_OK;
}
