/* What `steno wer` prints: sums by group as a table or JSON, and details by recording. */
#ifndef STENO_WER_REPORT_H
#define STENO_WER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "alignment.h"
#include "manifest.h"

/* One recording, measured. */
typedef struct wer_recording {
    const manifest_entry *entry;
    bool measured;    /* false: it failed, and counts nowhere */
    char *hypothesis; /* owned; NULL where nothing was said */
    uint64_t words;   /* of the reference */
    alignment_errors errors;
    uint64_t audio_ms, work_ms; /* its length; how long its job ran, beside others */
} wer_recording;

/* Sums over a group; the last of a report is over all. */
typedef struct wer_sum {
    const char *group;
    uint64_t recordings, words, audio_ms, work_ms;
    alignment_errors errors;
    double error_rate;       /* percent; 0 where there are no words */
    double real_time_factor; /* time / audio: 0.1 is ten times faster than speech */
} wer_sum;

typedef struct wer_report {
    wer_sum *sums; /* [count], groups in the order of the manifest, then "total" */
    size_t count;
    uint64_t failed; /* recordings that could not be measured */
} wer_report;

/* elapsed_ms: time the whole took.  As recordings run side by side, a group's share of it is that
 * of its jobs' times.  STENO_ERROR_MEMORY.  Borrows the groups' names. */
steno_status wer_report_init(
    wer_report *report, const wer_recording *recordings, size_t count, uint64_t elapsed_ms);
void wer_report_finish(wer_report *report);

/* The text to print; the caller frees it; NULL when memory is out. */
char *wer_report_table(const wer_report *report);
char *wer_report_json(const wer_report *report);

/* One line of --details. */
char *wer_report_details_header(void);
char *wer_report_details(const wer_recording *recording);

#endif
