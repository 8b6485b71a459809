#include "wer_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Manifests have few groups; each recording looks for its own among them. */
static wer_sum *sum_of_group(wer_report *report, const char *group)
{
    for (size_t i = 0; i < report->count; i++)
        if (strcmp(report->sums[i].group, group) == 0)
            return &report->sums[i];
    wer_sum *sum = &report->sums[report->count++];
    sum->group = group;
    return sum;
}

static void add(wer_sum *sum, const wer_recording *recording)
{
    sum->recordings++;
    sum->words += recording->words;
    sum->audio_ms += recording->audio_ms;
    sum->work_ms += recording->work_ms;
    sum->errors.substitutions += recording->errors.substitutions;
    sum->errors.deletions += recording->errors.deletions;
    sum->errors.insertions += recording->errors.insertions;
}

static double ratio(double numerator, double denominator)
{
    return denominator > 0 ? numerator / denominator : 0;
}

static void finish_sums(wer_report *report, const wer_sum *total, uint64_t elapsed_ms)
{
    for (size_t i = 0; i < report->count; i++) {
        wer_sum *sum = &report->sums[i];
        double share = ratio((double)sum->work_ms, (double)total->work_ms);
        sum->error_rate = 100 * ratio((double)alignment_total(&sum->errors), (double)sum->words);
        sum->real_time_factor = ratio((double)elapsed_ms * share, (double)sum->audio_ms);
    }
}

steno_status wer_report_init(
    wer_report *report, const wer_recording *recordings, size_t count, uint64_t elapsed_ms)
{
    /* At most a group a recording, and the total. */
    *report = (wer_report){.sums = calloc(count + 1, sizeof(wer_sum))};
    if (report->sums == NULL)
        return STENO_ERROR_MEMORY;
    wer_sum total = {.group = "total"};
    for (size_t i = 0; i < count; i++) {
        if (!recordings[i].measured) {
            report->failed++;
            continue;
        }
        const char *group = recordings[i].entry->group;
        if (*group != '\0')
            add(sum_of_group(report, group), &recordings[i]);
        add(&total, &recordings[i]);
    }
    report->sums[report->count++] = total;
    finish_sums(report, &total, elapsed_ms);
    return STENO_OK;
}

void wer_report_finish(wer_report *report)
{
    free(report->sums);
    *report = (wer_report){0};
}

char *wer_report_table(const wer_report *report)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        return NULL;
    int width = 5;
    for (size_t i = 0; i < report->count; i++)
        if ((int)strlen(report->sums[i].group) > width)
            width = (int)strlen(report->sums[i].group);
    fprintf(stream, "%-*s  %10s  %8s  %6s  %6s  %6s  %7s  %6s\n", width, "group", "recordings",
        "words", "sub", "del", "ins", "WER %", "RTF");
    for (size_t i = 0; i < report->count; i++) {
        const wer_sum *sum = &report->sums[i];
        fprintf(stream,
            "%-*s  %10" PRIu64 "  %8" PRIu64 "  %6" PRIu64 "  %6" PRIu64 "  %6" PRIu64
            "  %7.2f  %6.3f\n",
            width, sum->group, sum->recordings, sum->words, sum->errors.substitutions,
            sum->errors.deletions, sum->errors.insertions, sum->error_rate, sum->real_time_factor);
    }
    if (report->failed > 0)
        fprintf(stream, "%" PRIu64 " %s not counted\n", report->failed,
            report->failed == 1 ? "recording failed and is" : "recordings failed and are");
    bool failed = ferror(stream) != 0;
    if (fclose(stream) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static json_t *sum_to_json(const wer_sum *sum)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:f}", "group", sum->group,
        "recordings", (json_int_t)sum->recordings, "words", (json_int_t)sum->words, "substitutions",
        (json_int_t)sum->errors.substitutions, "deletions", (json_int_t)sum->errors.deletions,
        "insertions", (json_int_t)sum->errors.insertions, "wer_percent", sum->error_rate,
        "audio_ms", (json_int_t)sum->audio_ms, "real_time_factor", sum->real_time_factor);
}

char *wer_report_json(const wer_report *report)
{
    json_t *groups = json_array();
    for (size_t i = 0; i + 1 < report->count; i++)
        json_array_append_new(groups, sum_to_json(&report->sums[i]));
    json_t *root = json_pack("{s:o, s:o, s:I}", "groups", groups, "total",
        sum_to_json(&report->sums[report->count - 1]), "failed", (json_int_t)report->failed);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    char *line = NULL;
    if (text != NULL && asprintf(&line, "%s\n", text) < 0)
        line = NULL;
    free(text);
    return line;
}

char *wer_report_details_header(void)
{
    return strdup("audio\tgroup\twords\tsubstitutions\tdeletions\tinsertions\treference\t"
                  "hypothesis\n");
}

char *wer_report_details(const wer_recording *recording)
{
    char *line;
    const alignment_errors *errors = &recording->errors;
    if (asprintf(&line, "%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%s\t%s\n",
            recording->entry->path, recording->entry->group, recording->words,
            errors->substitutions, errors->deletions, errors->insertions, recording->entry->text,
            recording->hypothesis != NULL ? recording->hypothesis : "") < 0)
        return NULL;
    return line;
}
