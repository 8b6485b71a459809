#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "failure.h"

enum { BAR_WIDTH = 24 };

uint64_t progress_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

steno_status progress_init(
    progress *self, const char *const *paths, size_t count, steno_error *error)
{
    *self = (struct progress){.count = count, .items = calloc(count, sizeof(progress_item))};
    if (self->items == NULL)
        return failure_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct stat file;
        if (strcmp(paths[i], "-") != 0 && stat(paths[i], &file) == 0 && S_ISREG(file.st_mode))
            self->items[i].weight = (uint64_t)file.st_size;
    }
    self->start_ms = progress_clock_ms();
    return STENO_OK;
}

void progress_finish(progress *self)
{
    free(self->items);
    self->items = NULL;
    self->count = 0;
}

void progress_update(progress *self, size_t item, uint64_t done_ms, uint64_t total_ms)
{
    atomic_store(&self->items[item].total_ms, total_ms == UINT64_MAX ? 0 : total_ms);
    atomic_store(&self->items[item].done_ms, done_ms);
}

void progress_complete(progress *self, size_t item)
{
    atomic_store(&self->items[item].complete, true);
}

static double share_of(const progress_item *item)
{
    if (atomic_load(&item->complete))
        return 1;
    uint64_t total = atomic_load(&item->total_ms), done = atomic_load(&item->done_ms);
    if (total == 0)
        return 0;
    return done < total ? (double)done / (double)total : 1;
}

void progress_sum(const progress *self, uint64_t *out_audio_ms, double *out_share)
{
    uint64_t audio_ms = 0;
    double weight = 0, done = 0;
    for (size_t i = 0; i < self->count; i++) {
        const progress_item *item = &self->items[i];
        audio_ms += atomic_load(&item->done_ms);
        weight += (double)item->weight;
        done += (double)item->weight * share_of(item);
    }
    *out_audio_ms = audio_ms;
    *out_share = weight > 0 ? done / weight : -1;
}

/* "0:07", "12:34", "1:02:03" */
static void format_clock(double seconds, char *out, size_t size)
{
    /* Beyond 100 hours the estimate says nothing. */
    unsigned long rest = seconds < 359999 ? (unsigned long)ceil(seconds) : 359999;
    unsigned long hours = rest / 3600, minutes = rest / 60 % 60;
    if (hours > 0)
        snprintf(out, size, "%lu:%02lu:%02lu", hours, minutes, rest % 60);
    else
        snprintf(out, size, "%lu:%02lu", minutes, rest % 60);
}

void progress_format(uint64_t audio_ms, double share, uint64_t elapsed_ms, char *out, size_t size)
{
    double speed = elapsed_ms > 0 ? (double)audio_ms / (double)elapsed_ms : 0;
    if (share < 0) {
        char done[24];
        format_clock((double)(audio_ms / 1000), done, sizeof done);
        snprintf(out, size, "%s of audio  %.1f x real time", done, speed);
        return;
    }
    char bar[BAR_WIDTH + 1];
    size_t filled = (size_t)(share * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', filled);
    if (filled < BAR_WIDTH)
        bar[filled] = '>';
    bar[BAR_WIDTH] = '\0';
    char left[24] = "-:--";
    if (share > 0)
        format_clock((double)elapsed_ms / 1000 * (1 - share) / share, left, sizeof left);
    snprintf(
        out, size, "[%s] %3d %%  %.1f x real time  %s left", bar, (int)(share * 100), speed, left);
}

void progress_line(const progress *self, char *out, size_t size)
{
    uint64_t audio_ms;
    double share;
    progress_sum(self, &audio_ms, &share);
    progress_format(audio_ms, share, progress_clock_ms() - self->start_ms, out, size);
}
