/* A stenod of one's own, on a Unix socket in a folder of its own, and what it uses. */
#ifndef BENCH_SERVED_H
#define BENCH_SERVED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "steno/status.h"

typedef struct served {
    pid_t process;
    char folder[64];
    char target[128]; /* for clients */
} served;

/* Waits until it serves.  options [count]: further arguments.  Errors: IO. */
steno_status served_start(const char *program, const char *const *options, size_t count,
    served *out_served, steno_error *error);
void served_stop(served *served);

/* Of any process whose number is in `process`. */
double served_cpu_s(const served *served);
size_t served_resident_kb(const served *served);

#endif
