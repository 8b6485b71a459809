#include "nn/weight_rows.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "nn/number.h"

/* 65536 products of 255 by -128 in magnitude stay below 2^31. */
enum { MIN_INT8_COLUMNS = 128, MAX_INT8_COLUMNS = 65536 };

steno_status weight_rows_check(const nn_tensor *weight, nn_precision precision, steno_error *error)
{
    if (weight->rank != 2 || weight->shape[0] == 0 || weight->shape[1] == 0)
        return error_set(error, STENO_ERROR_FORMAT,
            "tensor %s: a linear layer needs a matrix with at least one row and column",
            weight->name);
    if (precision == NN_PRECISION_INT8 && weight->shape[1] > MAX_INT8_COLUMNS)
        return error_set(error, STENO_ERROR_LIMIT,
            "tensor %s: %zu columns are more than int8 can sum (%d)", weight->name,
            weight->shape[1], MAX_INT8_COLUMNS);
    return STENO_OK;
}

nn_precision weight_rows_precision(const nn_tensor *weight, nn_precision asked)
{
    if (asked == NN_PRECISION_INT8 && weight->shape[1] < MIN_INT8_COLUMNS)
        return NN_PRECISION_F32;
    return asked;
}

steno_status weight_rows_quantise(
    const nn_tensor *weight, int8_t *out, float *out_scale, steno_error *error)
{
    size_t rows = weight->shape[0], columns = weight->shape[1];
    if (weight->type == NN_I8) {
        memcpy(out, weight->data, rows * columns);
        memcpy(out_scale, weight->scale->data, rows * sizeof *out_scale);
        return STENO_OK;
    }
    float *floats = memory_allocate(rows * columns, sizeof *floats);
    if (!floats)
        return error_memory(error);
    nn_tensor_to_float(weight, floats);
    for (size_t row = 0; row < rows; row++)
        out_scale[row] =
            number_quantise_weights(floats + row * columns, columns, out + row * columns);
    memory_free(floats);
    return STENO_OK;
}
