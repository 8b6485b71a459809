/*
 * Where the attention decoder looked, for each token of each prefix of a search that someone looks
 * on at.  A prefix is known by the slot of its attention state; each step of the decoder is a
 * record, and a record knows the one before it, so that prefixes share what they have in common.
 *
 *     history_add(history, before, after, trigger, &states[after]);      after each step
 *     history_read(history, slot, count, alignments);                    a prefix's last tokens
 *     history_keep(history, slot, count);                                no more than these
 *
 * All memory is taken at creation.
 */
#ifndef DECODER_HISTORY_H
#define DECODER_HISTORY_H

#include "decoder/attention.h"

typedef struct history history;

/* slots: those of the beam, of which slot 0 is the segment's start; window: encodings of an
 * alignment at most; max_length: tokens of a prefix at most.  Errors: MEMORY. */
steno_status history_create(
    size_t slots, size_t window, size_t max_length, history **out_history, steno_error *error);
void history_destroy(history *history);
/* As new: forgets all. */
void history_clear(history *history);

/* The step from slot `before` left its state, whose alignment is copied, in slot `after`, which
 * forgets what it was before. */
void history_add(
    history *history, size_t before, size_t after, uint64_t trigger, const attention_state *state);

/* The alignments of the last `count` tokens of the slot's prefix, oldest first; all must be there.
 * The weights stay valid until the next history_add, keep or clear. */
void history_read(
    const history *history, size_t slot, size_t count, search_alignment *out_alignments);

/* Forgets all but the last `count` tokens of the slot's prefix, which must be there. */
void history_keep(history *history, size_t slot, size_t count);

#endif
