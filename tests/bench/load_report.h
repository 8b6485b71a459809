/* Prints loads: as a table, line by line as they are measured, or all as JSON. */
#ifndef BENCH_LOAD_REPORT_H
#define BENCH_LOAD_REPORT_H

#include "load.h"

typedef struct load_pair {
    load sides[LOAD_SIDES];
    bool has[LOAD_SIDES];
} load_pair;

void load_report_head(const load_setting *setting);
/* What was measured of the same streams, and how many times the library's the daemon's is. */
void load_report_pair(const load_pair *pair);
/* The most streams, and what a further one takes. */
void load_report_end(const load_pair *pairs, size_t count);

void load_report_json(const load_setting *setting, const load_pair *pairs, size_t count);

/* The most streams of all that a side keeps up with. */
uint32_t load_report_most(const load_pair *pairs, size_t count, load_side side);

#endif
