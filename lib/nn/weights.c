/*
 * Reading a safetensors file that may be hostile.
 *
 * Everything is decided in nn_weights_open, in this order, so that later code can index freely:
 * the header lies inside the file and is one JSON object without duplicate keys; each entry is
 * well formed and its range is exactly its elements; the ranges laid end to end cover the data,
 * with no overlap, gap or leftover; every I8 tensor has its scales.  Each check reads only what
 * the ones before it have proved.
 *
 * The JSON tree is kept: the names and the metadata are its strings.  Rejected: a parser of our
 * own for this one header; jansson bounds depth and rejects bad UTF-8 and duplicates already.
 * (It allocates by itself, not through base/memory: its hooks are global to the process, and a
 * library has no business setting them.)
 */
#include "nn/weights.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* What the format's own reader accepts. */
static const uint64_t max_header_bytes = 100 * 1000 * 1000;

static const char metadata_key[] = "__metadata__";

typedef struct entry {
    nn_tensor tensor;
    size_t begin, end; /* within the data */
} entry;

struct nn_weights {
    json_t *root;
    json_t *metadata; /* inside root, or NULL */
    const unsigned char *data;
    size_t data_bytes;
    entry *entries; /* sorted by name */
    size_t count;
};

typedef struct type_name {
    const char *name;
    nn_type type;
    size_t bytes;
} type_name;

static const type_name type_names[] = {
    {"F32", NN_F32, 4},
    {"BF16", NN_BF16, 2},
    {"F16", NN_F16, 2},
    {"I8", NN_I8, 1},
    {"I64", NN_I64, 8},
    {"U8", NN_U8, 1},
    {"U16", NN_U16, 2},
    {"I32", NN_I32, 4},
};

static const type_name *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(type_names[i].name, name) == 0)
            return &type_names[i];
    return NULL;
}

/* A JSON integer that is a size; false for anything else. */
static bool read_size(const json_t *value, size_t *out_size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > SIZE_MAX)
        return false;
    *out_size = (size_t)json_integer_value(value);
    return true;
}

static steno_status read_shape(const json_t *shape, nn_tensor *tensor, steno_error *error)
{
    if (!json_is_array(shape))
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s: no shape", tensor->name);
    tensor->rank = json_array_size(shape);
    if (tensor->rank > NN_MAX_RANK)
        return error_set(error, STENO_ERROR_FORMAT,
            "tensor %s: %zu dimensions, at most %d are known", tensor->name, tensor->rank,
            NN_MAX_RANK);
    for (size_t i = 0; i < tensor->rank; i++)
        if (!read_size(json_array_get(shape, i), &tensor->shape[i]))
            return error_set(
                error, STENO_ERROR_FORMAT, "tensor %s: dimension %zu is no size", tensor->name, i);
    return STENO_OK;
}

/* Bytes of the tensor, or false if they do not fit a size_t. */
static bool tensor_bytes(const nn_tensor *tensor, size_t element_bytes, size_t *out_bytes)
{
    size_t bytes = element_bytes;
    for (size_t i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(bytes, tensor->shape[i], &bytes))
            return false;
    *out_bytes = bytes;
    return true;
}

static steno_status read_range(
    const json_t *offsets, size_t data_bytes, entry *tensor, steno_error *error)
{
    const char *name = tensor->tensor.name;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 ||
        !read_size(json_array_get(offsets, 0), &tensor->begin) ||
        !read_size(json_array_get(offsets, 1), &tensor->end))
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s: bad data_offsets", name);
    if (tensor->begin > tensor->end || tensor->end > data_bytes)
        return error_set(error, STENO_ERROR_FORMAT,
            "tensor %s: bytes %zu to %zu are not inside the file's %zu bytes of data", name,
            tensor->begin, tensor->end, data_bytes);
    return STENO_OK;
}

/* Error messages are one line of text, and they name tensors. */
static bool printable(const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7f)
            return false;
    return true;
}

static steno_status read_entry(const nn_weights *weights, const char *name, const json_t *value,
    entry *out, steno_error *error)
{
    if (!printable(name))
        return error_set(error, STENO_ERROR_FORMAT, "a tensor has control characters in its name");
    nn_tensor *tensor = &out->tensor;
    tensor->name = name;
    const char *type_text = json_string_value(json_object_get(value, "dtype"));
    if (!type_text)
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s: no dtype", name);
    const type_name *type = find_type(type_text);
    if (!type)
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s: unknown dtype%s%s", name,
            printable(type_text) ? " " : "", printable(type_text) ? type_text : "");
    tensor->type = type->type;
    steno_status status = read_shape(json_object_get(value, "shape"), tensor, error);
    if (status < 0)
        return status;
    status = read_range(json_object_get(value, "data_offsets"), weights->data_bytes, out, error);
    if (status < 0)
        return status;
    size_t bytes;
    if (!tensor_bytes(tensor, type->bytes, &bytes) || bytes != out->end - out->begin)
        return error_set(error, STENO_ERROR_FORMAT,
            "tensor %s: its shape does not need the %zu bytes it has", name, out->end - out->begin);
    tensor->data = weights->data + out->begin;
    return STENO_OK;
}

static steno_status read_entries(nn_weights *weights, steno_error *error)
{
    size_t keys = json_object_size(weights->root);
    weights->entries = memory_allocate(keys, sizeof *weights->entries);
    if (!weights->entries)
        return error_memory(error);
    for (void *item = json_object_iter(weights->root); item;
         item = json_object_iter_next(weights->root, item)) {
        const char *name = json_object_iter_key(item);
        if (strcmp(name, metadata_key) == 0)
            continue;
        steno_status status = read_entry(
            weights, name, json_object_iter_value(item), &weights->entries[weights->count], error);
        if (status < 0)
            return status;
        weights->count++;
    }
    return STENO_OK;
}

static int by_range(const void *a, const void *b)
{
    const entry *left = a, *right = b;
    if (left->begin != right->begin)
        return left->begin < right->begin ? -1 : 1;
    return (left->end > right->end) - (left->end < right->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->tensor.name, ((const entry *)b)->tensor.name);
}

/* The ranges in order must each begin where the last one ended, and end with the data. */
static steno_status check_coverage(nn_weights *weights, steno_error *error)
{
    size_t covered = 0;
    qsort(weights->entries, weights->count, sizeof *weights->entries, by_range);
    for (size_t i = 0; i < weights->count; i++) {
        const entry *tensor = &weights->entries[i];
        if (tensor->begin != covered)
            return error_set(error, STENO_ERROR_FORMAT, "tensor %s: its data %s",
                tensor->tensor.name,
                tensor->begin < covered ? "overlaps another tensor's" : "begins after a gap");
        covered = tensor->end;
    }
    if (covered != weights->data_bytes)
        return error_set(error, STENO_ERROR_FORMAT, "%zu bytes of data belong to no tensor",
            weights->data_bytes - covered);
    return STENO_OK;
}

static const nn_tensor *find(const nn_weights *weights, const char *name)
{
    entry key = {.tensor = {.name = name}};
    const entry *found =
        bsearch(&key, weights->entries, weights->count, sizeof *weights->entries, by_name);
    return found ? &found->tensor : NULL;
}

/* Needs the entries in their final places: tensors point at each other. */
static steno_status join_scales(nn_weights *weights, steno_error *error)
{
    for (size_t i = 0; i < weights->count; i++) {
        nn_tensor *tensor = &weights->entries[i].tensor;
        if (tensor->type != NN_I8)
            continue;
        if (tensor->rank == 0)
            return error_set(error, STENO_ERROR_FORMAT, "tensor %s: I8 without rows", tensor->name);
        size_t bytes = strlen(tensor->name) + sizeof ".scale";
        char *name = memory_allocate(bytes, 1);
        if (!name)
            return error_memory(error);
        snprintf(name, bytes, "%s.scale", tensor->name);
        const nn_tensor *scale = find(weights, name);
        memory_free(name);
        if (!scale || scale->type != NN_F32 || scale->rank != 1 ||
            scale->shape[0] != tensor->shape[0])
            return error_set(error, STENO_ERROR_FORMAT,
                "tensor %s: I8 needs a tensor %s.scale, F32 [%zu]", tensor->name, tensor->name,
                tensor->shape[0]);
        tensor->scale = scale;
    }
    return STENO_OK;
}

static steno_status check_metadata(nn_weights *weights, steno_error *error)
{
    weights->metadata = json_object_get(weights->root, metadata_key);
    if (!weights->metadata)
        return STENO_OK;
    if (!json_is_object(weights->metadata))
        return error_set(error, STENO_ERROR_FORMAT, "%s is no object", metadata_key);
    const char *key;
    json_t *value;
    json_object_foreach(weights->metadata, key, value) if (!json_is_string(value)) return error_set(
        error, STENO_ERROR_FORMAT, "%s: %s is no string", metadata_key,
        printable(key) ? key : "a value");
    return STENO_OK;
}

static steno_status parse_header(
    nn_weights *weights, const unsigned char *bytes, size_t size, steno_error *error)
{
    if (size < 8)
        return error_set(
            error, STENO_ERROR_FORMAT, "%zu bytes are too few for a safetensors file", size);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--)
        header = header << 8 | bytes[i];
    if (header > size - 8)
        return error_set(error, STENO_ERROR_FORMAT,
            "not a safetensors file, or cut short: the header wants %llu bytes, %zu follow",
            (unsigned long long)header, size - 8);
    if (header > max_header_bytes)
        return error_set(error, STENO_ERROR_FORMAT, "the header's %llu bytes are more than %llu",
            (unsigned long long)header, (unsigned long long)max_header_bytes);
    json_error_t problem;
    weights->root =
        json_loadb((const char *)bytes + 8, (size_t)header, JSON_REJECT_DUPLICATES, &problem);
    if (!weights->root && json_error_code(&problem) == json_error_out_of_memory)
        return error_memory(error);
    if (!weights->root)
        return error_set(
            error, STENO_ERROR_FORMAT, "header, byte %d: %s", problem.position, problem.text);
    if (!json_is_object(weights->root))
        return error_set(error, STENO_ERROR_FORMAT, "the header is no JSON object");
    weights->data = bytes + 8 + header;
    weights->data_bytes = size - 8 - (size_t)header;
    return STENO_OK;
}

static steno_status read_all(
    nn_weights *weights, const unsigned char *bytes, size_t size, steno_error *error)
{
    steno_status status = parse_header(weights, bytes, size, error);
    if (status == STENO_OK)
        status = check_metadata(weights, error);
    if (status == STENO_OK)
        status = read_entries(weights, error);
    if (status == STENO_OK)
        status = check_coverage(weights, error);
    if (status < 0)
        return status;
    qsort(weights->entries, weights->count, sizeof *weights->entries, by_name);
    return join_scales(weights, error);
}

steno_status nn_weights_open(
    const void *bytes, size_t size, nn_weights **out_weights, steno_error *error)
{
    nn_weights *weights = memory_allocate(1, sizeof *weights);
    if (!weights)
        return error_memory(error);
    steno_status status = read_all(weights, bytes, size, error);
    if (status < 0) {
        nn_weights_close(weights);
        return status;
    }
    *out_weights = weights;
    return STENO_OK;
}

void nn_weights_close(nn_weights *weights)
{
    if (!weights)
        return;
    memory_free(weights->entries);
    json_decref(weights->root);
    memory_free(weights);
}

const char *nn_weights_metadata(const nn_weights *weights, const char *key)
{
    return json_string_value(json_object_get(weights->metadata, key));
}

/* "[256, 1024]" */
static void print_shape(char *out, size_t bytes, size_t rank, const size_t *shape)
{
    size_t used = (size_t)snprintf(out, bytes, "[");
    for (size_t i = 0; i < rank && used < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, i ? ", %zu" : "%zu", shape[i]);
    if (used < bytes)
        snprintf(out + used, bytes - used, "]");
}

static bool same_shape(const nn_tensor *tensor, size_t rank, const size_t *shape)
{
    if (tensor->rank != rank)
        return false;
    for (size_t i = 0; i < rank; i++)
        if (tensor->shape[i] != shape[i])
            return false;
    return true;
}

steno_status nn_weights_find(const nn_weights *weights, const char *name, size_t rank,
    const size_t *shape, const nn_tensor **out_tensor, steno_error *error)
{
    char expected[96], found[96];
    print_shape(expected, sizeof expected, rank, shape);
    const nn_tensor *tensor = find(weights, name);
    if (!tensor)
        return error_set(
            error, STENO_ERROR_FORMAT, "tensor %s %s is not in the file", name, expected);
    if (!same_shape(tensor, rank, shape)) {
        print_shape(found, sizeof found, tensor->rank, tensor->shape);
        return error_set(error, STENO_ERROR_FORMAT, "tensor %s: expected shape %s, found %s", name,
            expected, found);
    }
    *out_tensor = tensor;
    return STENO_OK;
}

steno_status nn_weights_floats(const nn_weights *weights, const char *name, size_t rank,
    const size_t *shape, float **out_floats, steno_error *error)
{
    const nn_tensor *tensor;
    steno_status status = nn_weights_find(weights, name, rank, shape, &tensor, error);
    if (status < 0)
        return status;
    float *floats = memory_allocate(nn_tensor_elements(tensor), sizeof *floats);
    if (!floats)
        return error_memory(error);
    nn_tensor_to_float(tensor, floats);
    *out_floats = floats;
    return STENO_OK;
}

const nn_tensor *nn_weights_get(const nn_weights *weights, const char *name)
{
    return find(weights, name);
}

size_t nn_weights_count(const nn_weights *weights)
{
    return weights->count;
}

const nn_tensor *nn_weights_at(const nn_weights *weights, size_t index)
{
    return index < weights->count ? &weights->entries[index].tensor : NULL;
}
