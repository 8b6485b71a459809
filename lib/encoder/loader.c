#include "encoder/loader.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"

/* Room for prefix, dot, a layer's own name and ".weight". */
enum { NAME_BYTES = 160, PART_BYTES = 64 };

void loader_enter(loader *l, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(l->prefix, sizeof l->prefix, format, arguments);
    va_end(arguments);
}

static void full_name(
    const loader *l, const char *name, const char *part, char out_name[static NAME_BYTES])
{
    snprintf(out_name, NAME_BYTES, "%s.%s%s", l->prefix, name, part);
}

void loader_floats(
    loader *l, const char *name, size_t rank, const size_t *shape, float **out_floats)
{
    if (l->status < 0)
        return;
    char full[NAME_BYTES];
    full_name(l, name, "", full);
    l->status = nn_weights_floats(l->weights, full, rank, shape, out_floats, l->error);
}

void loader_vector(loader *l, const char *name, size_t size, float **out_floats)
{
    loader_floats(l, name, 1, &size, out_floats);
}

void loader_norm(loader *l, const char *name, size_t d, norm *out_norm)
{
    char part[PART_BYTES];
    snprintf(part, sizeof part, "%s.weight", name);
    loader_vector(l, part, d, &out_norm->gain);
    snprintf(part, sizeof part, "%s.bias", name);
    loader_vector(l, part, d, &out_norm->bias);
}

void norm_finish(norm *n)
{
    memory_free(n->gain);
    memory_free(n->bias);
}

void loader_linear(loader *l, const char *name, size_t out_size, size_t in_size, size_t max_rows,
    nn_linear **out_linear)
{
    if (l->status < 0)
        return;
    char full[NAME_BYTES];
    const nn_tensor *weight;
    float *bias = NULL;
    full_name(l, name, ".weight", full);
    l->status = nn_weights_find(
        l->weights, full, 2, (const size_t[]){out_size, in_size}, &weight, l->error);
    if (l->status < 0)
        return;
    full_name(l, name, ".bias", full);
    l->status = nn_weights_floats(l->weights, full, 1, &out_size, &bias, l->error);
    if (l->status < 0)
        return;
    l->status = l->ops->linear_create(weight, bias, l->precision, max_rows, out_linear, l->error);
    memory_free(bias);
}

void loader_transposed(loader *l, const char *name, size_t rank, const size_t *shape, size_t rows,
    size_t columns, float **out_floats)
{
    float *stored = NULL;
    loader_floats(l, name, rank, shape, &stored);
    if (l->status < 0)
        return;
    float *turned = memory_allocate(rows * columns, sizeof *turned);
    if (!turned)
        l->status = error_memory(l->error);
    for (size_t r = 0; turned && r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            turned[c * rows + r] = stored[r * columns + c];
    memory_free(stored);
    if (turned)
        *out_floats = turned;
}
