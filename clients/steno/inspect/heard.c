#include "inspect/heard.h"

#include <math.h>
#include <string.h>

/* Normalised log-mel energies from QUIET to LOUD span the greys. */
static const float QUIET = -1.6f, LOUD = 2.4f;

static void add(heard *self, growing *array, const void *item, size_t size)
{
    if (growing_add(array, item, size) < 0)
        self->out_of_memory = true;
}

static bool within(const heard *self, uint64_t ms)
{
    return ms >= self->from_ms && ms < self->to_ms;
}

static void hear_samples(void *context, const steno_trace_samples *told)
{
    heard *self = context;
    self->rate_hz = told->rate_hz;
    uint64_t from = self->from_ms * told->rate_hz / 1000, to = self->to_ms * told->rate_hz / 1000;
    for (size_t i = 0; i < told->count; i++) {
        if (told->first + i < from || told->first + i >= to)
            continue;
        float scaled = roundf(told->values[i] * 32767);
        int16_t sample = (int16_t)(scaled < -32768 ? -32768 : scaled > 32767 ? 32767 : scaled);
        add(self, &self->samples, &sample, sizeof sample);
    }
}

static void hear_frames(void *context, const steno_trace_frames *told)
{
    heard *self = context;
    self->bins = told->bins;
    self->hop_ms = 1000.0 * told->hop_samples / self->rate_hz;
    for (size_t i = 0; i < told->count; i++) {
        if (!within(self, (uint64_t)((double)(told->first + i) * self->hop_ms)))
            continue;
        for (size_t bin = 0; bin < told->bins; bin++) {
            float level = (told->values[i * told->bins + bin] - QUIET) / (LOUD - QUIET);
            uint8_t grey = (uint8_t)(level < 0 ? 0 : level > 1 ? 255 : level * 255);
            add(self, &self->frames, &grey, 1);
        }
    }
}

/* Sorts a token in among the best. */
static void offer(heard_ctc *ctc, uint32_t token, float probability)
{
    size_t place = HEARD_BEST;
    while (place > 0 && probability > ctc->best[place - 1].probability)
        place--;
    if (place == HEARD_BEST)
        return;
    memmove(&ctc->best[place + 1], &ctc->best[place], (HEARD_BEST - 1 - place) * sizeof *ctc->best);
    ctc->best[place].token = token;
    ctc->best[place].probability = probability;
}

static void hear_ctc(void *context, const steno_trace_ctc *told)
{
    heard *self = context;
    if (!within(self, heard_ctc_ms(self, told->frame)))
        return;
    if (self->ctc.size == 0)
        self->first_ctc = told->frame;
    heard_ctc ctc = {.blank = expf(told->log_probabilities[0])};
    for (uint32_t token = 1; token < told->tokens; token++)
        offer(&ctc, token, expf(told->log_probabilities[token]));
    add(self, &self->ctc, &ctc, sizeof ctc);
}

static void hear_segment(void *context, const steno_trace_segment *told)
{
    heard *self = context;
    for (size_t i = 0; i < told->count; i++) {
        const steno_trace_token *token = &told->tokens[i];
        if (!within(self, heard_ctc_ms(self, token->frame)))
            continue;
        heard_token item = {.text = token->text,
            .begins = i == 0 || *token->text == ' ',
            .probability = token->probability,
            .frame = token->frame,
            .trigger = token->trigger,
            .first = token->first,
            .count = token->count,
            .weights_at = self->weights.size / sizeof(float)};
        add(self, &self->tokens, &item, sizeof item);
        if (token->count > 0)
            add(self, &self->weights, token->weights, token->count * sizeof(float));
    }
    if (within(self, heard_ctc_ms(self, told->end)))
        add(self, &self->segment_ends, &told->end, sizeof told->end);
}

static void hear_turn(void *context, const steno_trace_turn *told)
{
    heard *self = context;
    heard_turn turn = {told->first, told->count, told->chunk, told->feature_ns, told->encoder_ns,
        told->decoder_ns, told->transcript_ns};
    heard_turn *total = &self->total;
    total->count += turn.count;
    total->chunk = turn.chunk;
    total->feature_ns += turn.feature_ns;
    total->encoder_ns += turn.encoder_ns;
    total->decoder_ns += turn.decoder_ns;
    total->transcript_ns += turn.transcript_ns;
    uint64_t first_ms = told->first * self->encoding_ms;
    if (first_ms < self->to_ms && first_ms + told->count * self->encoding_ms > self->from_ms)
        add(self, &self->turns, &turn, sizeof turn);
}

static uint64_t round_up(uint64_t ms, uint32_t unit_ms)
{
    return ms > UINT64_MAX - unit_ms ? ms : (ms + unit_ms - 1) / unit_ms * unit_ms;
}

void heard_init(heard *self, const steno_model *model, uint64_t from_ms, uint64_t to_ms)
{
    steno_model_info info;
    steno_model_get_info(model, &info);
    *self = (heard){.model = model,
        .encoding_ms = info.encoding_ms,
        .ctc_frame_ms = info.ctc_frame_ms,
        .from_ms = from_ms / info.encoding_ms * info.encoding_ms,
        .to_ms = round_up(to_ms, info.encoding_ms),
        .rate_hz = info.rate_hz};
    self->trace = (steno_trace){.samples = hear_samples,
        .frames = hear_frames,
        .ctc = hear_ctc,
        .segment = hear_segment,
        .turn = hear_turn,
        .context = self};
}

void heard_finish(heard *self)
{
    growing_finish(&self->samples);
    growing_finish(&self->frames);
    growing_finish(&self->ctc);
    growing_finish(&self->tokens);
    growing_finish(&self->weights);
    growing_finish(&self->segment_ends);
    growing_finish(&self->turns);
    kept_finish(&self->results);
}

steno_status heard_result(heard *self, const steno_result *result)
{
    const steno_alternative *best = &result->alternatives[0];
    for (size_t i = 0; i < best->word_count; i++)
        if (within(self, best->words[i].start_ms))
            return kept_add(&self->results, result, 0);
    return STENO_OK;
}

static void shorten(growing *array, uint64_t size)
{
    array->size = size < array->size ? (size_t)size : array->size;
}

void heard_end(heard *self, uint64_t duration_ms)
{
    size_t count;
    const heard_token *tokens = heard_get_tokens(self, &count);
    uint64_t end_ms = round_up(duration_ms, self->encoding_ms);
    if (count > 0) {
        uint64_t last_ms = heard_ctc_ms(self, tokens[count - 1].frame + 1);
        end_ms = round_up(last_ms > end_ms ? last_ms : end_ms, self->encoding_ms);
    }
    end_ms = end_ms > self->from_ms ? end_ms : self->from_ms;
    self->to_ms = end_ms < self->to_ms ? end_ms : self->to_ms;
    uint64_t part_ms = self->to_ms - self->from_ms;
    shorten(&self->samples, part_ms * self->rate_hz / 1000 * sizeof(int16_t));
    shorten(&self->ctc, part_ms / self->ctc_frame_ms * sizeof(heard_ctc));
    if (self->bins > 0)
        shorten(&self->frames, (uint64_t)((double)part_ms / self->hop_ms + 0.5) * self->bins);
}

uint64_t heard_ctc_ms(const heard *self, uint64_t frame)
{
    return frame * self->ctc_frame_ms;
}

const heard_ctc *heard_get_ctc(const heard *self, size_t *out_count)
{
    *out_count = self->ctc.size / sizeof(heard_ctc);
    return (const heard_ctc *)(const void *)self->ctc.bytes;
}

const heard_token *heard_get_tokens(const heard *self, size_t *out_count)
{
    *out_count = self->tokens.size / sizeof(heard_token);
    return (const heard_token *)(const void *)self->tokens.bytes;
}

const float *heard_get_weights(const heard *self, const heard_token *token)
{
    return (const float *)(const void *)self->weights.bytes + token->weights_at;
}

const heard_turn *heard_get_turns(const heard *self, size_t *out_count)
{
    *out_count = self->turns.size / sizeof(heard_turn);
    return (const heard_turn *)(const void *)self->turns.bytes;
}

const int16_t *heard_get_samples(const heard *self, size_t *out_count)
{
    *out_count = self->samples.size / sizeof(int16_t);
    return (const int16_t *)(const void *)self->samples.bytes;
}
