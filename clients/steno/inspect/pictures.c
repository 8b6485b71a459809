#include "inspect/pictures.h"

#include <string.h>
#include <sys/stat.h>

#include "failure.h"
#include "inspect/alignment.h"
#include "output.h"
#include "steno/stream.h"

static steno_status draw_page(sink *out, const heard *h, const page_facts *facts)
{
    page_write(out, h, facts);
    return out->status;
}

static steno_status draw_svg(sink *out, const heard *h, const page_facts *facts)
{
    alignment_write_svg(out, h, facts->name);
    return out->status;
}

static steno_status draw_png(sink *out, const heard *h, const page_facts *facts)
{
    return alignment_write_png(out, h);
}

static bool same_file(const char *one, const char *other)
{
    struct stat a, b;
    if (strcmp(one, other) == 0)
        return true;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && S_ISREG(a.st_mode) &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static steno_status check_paths(
    const pictures *self, const option_values *options, steno_error *error)
{
    for (size_t i = 0; i < self->count; i++) {
        const char *path = self->items[i].path;
        if (strcmp(path, "-") == 0)
            return failure_set(error, STENO_ERROR_ARGUMENT,
                "pictures are written to files, not to standard output");
        if (same_file(path, options->operands[0]))
            return failure_set(
                error, STENO_ERROR_ARGUMENT, "%s would be overwritten by its own picture", path);
        for (size_t j = 0; j < i; j++)
            if (same_file(path, self->items[j].path))
                return failure_set(
                    error, STENO_ERROR_ARGUMENT, "two pictures would both be written to %s", path);
    }
    return STENO_OK;
}

steno_status pictures_init(pictures *self, const option_values *options, steno_error *error)
{
    *self = (struct pictures){.count = 0};
    if (options->html != NULL)
        self->items[self->count++] = (picture){.path = options->html, .draw = draw_page};
    if (options->svg != NULL)
        self->items[self->count++] = (picture){.path = options->svg, .draw = draw_svg};
    if (options->png != NULL)
        self->items[self->count++] = (picture){.path = options->png, .draw = draw_png};
    if (self->count == 0)
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "no picture wanted: give --html, --svg or --png a file");
    bool attends = options->search != STENO_SEARCH_CTC && options->attention_weight != 0;
    if (!attends && (options->svg != NULL || options->png != NULL))
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "without the attention decoder --svg and --png have nothing to show");
    if (options->png != NULL && !alignment_has_png())
        return failure_set(
            error, STENO_ERROR_ARGUMENT, "--png: this steno was built without libpng");
    return check_paths(self, options, error);
}

steno_status pictures_open(pictures *self, steno_error *error)
{
    steno_status status = STENO_OK;
    for (size_t i = 0; i < self->count && status == STENO_OK; i++)
        status = output_open(self->items[i].path, &self->items[i].file, error);
    return status;
}

static steno_status write_picture(
    picture *self, const heard *h, const page_facts *facts, steno_error *error)
{
    sink out = {.write = output_write, .context = self->file};
    steno_status status = self->draw(&out, h, facts);
    /* A write that failed is told, with its reason, by the commit. */
    if (status < 0 && out.status == STENO_OK)
        return failure_set(error, status, "%s: %s", self->path, steno_status_name(status));
    output *file = self->file;
    self->file = NULL;
    return output_commit(file, error);
}

steno_status pictures_write(
    pictures *self, const heard *h, const page_facts *facts, steno_error *error)
{
    steno_status status = STENO_OK;
    for (size_t i = 0; i < self->count && status == STENO_OK; i++)
        status = write_picture(&self->items[i], h, facts, error);
    return status;
}

void pictures_finish(pictures *self)
{
    for (size_t i = 0; i < self->count; i++) {
        output_discard(self->items[i].file);
        self->items[i].file = NULL;
    }
}
