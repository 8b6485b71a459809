/* The transcript under test, and what it gives, checked for what always holds. */
#ifndef TESTS_TRANSCRIPT_SUBJECT_H
#define TESTS_TRANSCRIPT_SUBJECT_H

#include "spoken.h"

extern const transcript_options subject_defaults;

/* With room for SPOKEN_TOKENS and 8 hypotheses. */
transcript *subject_create(transcript_options options);

/* The result that waits, which must be there, */
const steno_result *subject_final(transcript *self);
const steno_result *subject_interim(transcript *self);
/* or must not. */
void subject_no_final(transcript *self);
void subject_no_interim(transcript *self);

/* A segment with up to 8 hypotheses. */
void subject_segment(transcript *self, const spoken *hypotheses, size_t count, uint64_t end_frame);

#endif
