/* What the programs that measure the recogniser share: their arguments and their audio. */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/* The recordings of tests/data/speech that are of 16 kHz. */
enum { PROGRAM_RECORDINGS = 4 };
extern const char *const program_recordings[PROGRAM_RECORDINGS];

/* Says what is wrong, and with what ("": nothing to name), and ends with status 2. */
_Noreturn void program_die(const char *message, const char *about);
/* A whole number; dies of any other text. */
uint32_t program_number(const char *text, uint32_t least, uint32_t most);

#endif
