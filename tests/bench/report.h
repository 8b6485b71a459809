/* Prints what was measured: reports[i] is of precisions[i]. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "measure.h"

void report_tables(FILE *out, const measure_plan *plan, const steno_precision *precisions,
    const measure_report *reports, size_t count);

/* One JSON object; seconds as numbers, names as the fields of measure.h. */
void report_json(FILE *out, const measure_plan *plan, const steno_precision *precisions,
    const measure_report *reports, size_t count);

#endif
