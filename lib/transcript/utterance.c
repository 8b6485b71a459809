#include "transcript/utterance.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

size_t utterance_max_words(const utterance_limits *limits)
{
    return limits->gathered_words + limits->tokens;
}

size_t utterance_max_bytes(const utterance_limits *limits)
{
    return limits->gathered_bytes + limits->tokens * (TRANSCRIPT_TOKEN_BYTES + 1);
}

steno_status utterance_init(utterance *self, const utterance_limits *limits)
{
    size_t k = limits->alternatives;
    *self = (struct utterance){.limits = *limits};
    self->words = memory_allocate(k * utterance_max_words(limits), sizeof *self->words);
    self->text = memory_allocate(k * utterance_max_bytes(limits), 1);
    self->parts = memory_allocate(limits->segments * k, sizeof *self->parts);
    self->paths = memory_allocate(k, sizeof *self->paths);
    self->next = memory_allocate(k, sizeof *self->next);
    self->choices = memory_allocate(2 * k * limits->segments, 1);
    self->runs = memory_allocate((k + 1) * limits->tokens, sizeof *self->runs);
    self->kept = memory_allocate(k, sizeof *self->kept);
    if (!self->words || !self->text || !self->parts || !self->paths || !self->next ||
        !self->choices || !self->runs || !self->kept)
        return STENO_ERROR_MEMORY;
    for (size_t i = 0; i < k; i++) {
        self->paths[i].choices = self->choices + i * limits->segments;
        self->next[i].choices = self->choices + (k + i) * limits->segments;
    }
    return STENO_OK;
}

void utterance_finish(utterance *self)
{
    memory_free(self->words);
    memory_free(self->text);
    memory_free(self->parts);
    memory_free(self->paths);
    memory_free(self->next);
    memory_free(self->choices);
    memory_free(self->runs);
    memory_free(self->kept);
}

void utterance_clear(utterance *self)
{
    self->segment_count = self->path_count = 0;
    self->word_count = self->text_bytes = 0;
    self->best_words = 0;
    self->longest_words = self->longest_bytes = 0;
    self->first = self->last = 0;
}

bool utterance_is_full(const utterance *self)
{
    const utterance_limits *limits = &self->limits;
    return self->longest_words > limits->gathered_words ||
           self->longest_bytes > limits->gathered_bytes || self->segment_count == limits->segments;
}

static word_run *runs_of(const utterance *self, size_t part)
{
    return self->runs + part * self->limits.tokens;
}

/* Splits the hypotheses and keeps the first K that read differently, as parts without words yet;
 * the others' posteriors go to the part they repeat. */
static size_t keep_distinct(
    utterance *self, const transcript_hypothesis *hypotheses, size_t count, utterance_part *parts)
{
    size_t kept = 0;
    for (size_t h = 0; h < count; h++) {
        word_run *runs = runs_of(self, kept);
        size_t words = runs_split(hypotheses + h, runs), same = 0;
        while (same < kept && !runs_same(self->kept[same], runs_of(self, same),
                                  parts[same].word_count, hypotheses + h, runs, words))
            same++;
        double posterior = runs_probability(hypotheses[h].posterior);
        if (same < kept) {
            parts[same].log_posterior += posterior; /* the logarithm is taken at the end */
        } else if (kept < self->limits.alternatives) {
            parts[kept] = (utterance_part){.word_count = words, .log_posterior = posterior};
            self->kept[kept++] = hypotheses + h;
        }
    }
    for (size_t i = 0; i < kept; i++)
        parts[i].log_posterior = log(fmax(parts[i].log_posterior, 1e-30));
    return kept;
}

static void add_support(utterance *self, const transcript_hypothesis *hypotheses, size_t count,
    const utterance_part *parts, size_t part_count)
{
    word_run *other = runs_of(self, self->limits.alternatives);
    for (size_t h = 0; h < count; h++) {
        size_t words = runs_split(hypotheses + h, other);
        float weight = runs_weight(hypotheses, count, h);
        for (size_t i = 0; i < part_count; i++)
            runs_add_support(self->kept[i], runs_of(self, i), parts[i].word_count, hypotheses + h,
                other, words, weight);
    }
}

/* Copies the words of a part and their texts; returns the texts' bytes. */
static size_t copy_words(utterance *self, utterance_part *part,
    const transcript_hypothesis *hypothesis, const word_run *runs)
{
    size_t bytes_before = self->text_bytes;
    part->word = self->word_count;
    for (size_t i = 0; i < part->word_count; i++) {
        utterance_word *word = self->words + self->word_count++;
        *word = (utterance_word){
            .text = self->text_bytes,
            .length = runs_length(hypothesis, runs + i),
            .first = runs[i].first,
            .last = runs[i].last,
            .confidence = runs_confidence(runs + i),
        };
        runs_write(hypothesis, runs + i, self->text + word->text);
        self->text[word->text + word->length] = '\0';
        self->text_bytes += word->length + 1;
    }
    return self->text_bytes - bytes_before;
}

/* Falling by posterior, except that the first, which the search says is best, stays first: it
 * counts at least as much as any other. */
static void sort_parts(utterance_part *parts, size_t count)
{
    for (size_t i = 2; i < count; i++) {
        utterance_part part = parts[i];
        size_t at = i;
        for (; at > 1 && parts[at - 1].log_posterior < part.log_posterior; at--)
            parts[at] = parts[at - 1];
        parts[at] = part;
    }
    if (count > 1 && parts[0].log_posterior < parts[1].log_posterior)
        parts[0].log_posterior = parts[1].log_posterior;
}

/* Walks the words of a path. */
typedef struct path_walk {
    const utterance *self;
    const uint8_t *choices;
    size_t segment_count, segment, word;
} path_walk;

static const utterance_word *walk_next(path_walk *walk)
{
    const utterance *self = walk->self;
    for (; walk->segment < walk->segment_count; walk->segment++, walk->word = 0) {
        const utterance_part *part =
            self->parts + walk->segment * self->limits.alternatives + walk->choices[walk->segment];
        if (walk->word < part->word_count)
            return self->words + part->word + walk->word++;
    }
    return NULL;
}

static bool paths_same(const utterance *self, const uint8_t *a, const uint8_t *b, size_t count)
{
    path_walk a_walk = {self, a, count, 0, 0}, b_walk = {self, b, count, 0, 0};
    for (;;) {
        const utterance_word *x = walk_next(&a_walk), *y = walk_next(&b_walk);
        if (!x || !y)
            return x == y;
        if (strcmp(self->text + x->text, self->text + y->text) != 0)
            return false;
    }
}

/* Every path so far followed by every part of the newest segment, best first, until K that read
 * differently are found.  Both lists fall, so for each path only its next part can come next. */
static void extend_paths(utterance *self, const utterance_part *parts, size_t part_count)
{
    size_t k = self->limits.alternatives, segment = self->segment_count - 1, made = 0;
    size_t next_part[TRANSCRIPT_MAX_ALTERNATIVES] = {0};
    if (segment == 0) {
        self->path_count = 1;
        self->paths[0].log_posterior = 0;
    }
    while (made < k) {
        size_t best = SIZE_MAX;
        double best_posterior = 0;
        for (size_t i = 0; i < self->path_count; i++) {
            if (next_part[i] == part_count)
                continue;
            double posterior = self->paths[i].log_posterior + parts[next_part[i]].log_posterior;
            if (best == SIZE_MAX || posterior > best_posterior) {
                best = i;
                best_posterior = posterior;
            }
        }
        if (best == SIZE_MAX)
            break;
        utterance_path *path = self->next + made;
        path->log_posterior = best_posterior;
        memcpy(path->choices, self->paths[best].choices, segment);
        path->choices[segment] = (uint8_t)next_part[best]++;
        bool known = false;
        for (size_t i = 0; i < made && !known; i++)
            known = paths_same(self, self->next[i].choices, path->choices, segment + 1);
        made += !known;
    }
    utterance_path *old = self->paths;
    self->paths = self->next;
    self->next = old;
    self->path_count = made;
}

void utterance_add(utterance *self, const transcript_hypothesis *hypotheses, size_t count)
{
    assert(!utterance_is_full(self));
    utterance_part *parts = self->parts + self->segment_count * self->limits.alternatives;
    size_t part_count = keep_distinct(self, hypotheses, count, parts);
    assert(part_count > 0 && parts[0].word_count > 0);
    add_support(self, hypotheses, count, parts, part_count);

    const word_run *best = self->runs;
    if (self->segment_count == 0)
        self->first = best[0].first;
    self->last = best[parts[0].word_count - 1].last;
    self->best_words += parts[0].word_count;

    size_t most_words = 0, most_bytes = 0;
    for (size_t i = 0; i < part_count; i++) {
        size_t bytes = copy_words(self, parts + i, self->kept[i], runs_of(self, i));
        if (bytes > most_bytes)
            most_bytes = bytes;
        if (parts[i].word_count > most_words)
            most_words = parts[i].word_count;
    }
    self->longest_words += most_words;
    self->longest_bytes += most_bytes;
    self->segment_count++;
    sort_parts(parts, part_count);
    extend_paths(self, parts, part_count);
}

void utterance_render(const utterance *self, size_t path, assembly *out)
{
    path_walk walk = {self, self->paths[path].choices, self->segment_count, 0, 0};
    for (const utterance_word *word; (word = walk_next(&walk));)
        memcpy(assembly_word(out, word->length, word->first, word->last, word->confidence),
            self->text + word->text, word->length);
}
