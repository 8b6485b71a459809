#include "nn/tensor.h"

#include <string.h>

#include "nn/number.h"

size_t nn_tensor_elements(const nn_tensor *tensor)
{
    size_t elements = 1;
    for (size_t i = 0; i < tensor->rank; i++)
        elements *= tensor->shape[i];
    return elements;
}

/* The file's bytes may lie anywhere, so elements are copied out rather than read in place. */
static uint16_t half_at(const unsigned char *data, size_t index)
{
    uint16_t bits;
    memcpy(&bits, data + index * sizeof bits, sizeof bits);
    return bits;
}

static void int8_to_float(const nn_tensor *tensor, size_t elements, float *out)
{
    size_t rows = tensor->shape[0];
    size_t columns = rows ? elements / rows : 0;
    const signed char *data = tensor->data;
    const unsigned char *scales = tensor->scale->data;
    for (size_t row = 0; row < rows; row++) {
        float scale;
        memcpy(&scale, scales + row * sizeof scale, sizeof scale);
        for (size_t column = 0; column < columns; column++)
            out[row * columns + column] = scale * data[row * columns + column];
    }
}

void nn_tensor_to_float(const nn_tensor *tensor, float *out)
{
    const unsigned char *data = tensor->data;
    size_t elements = nn_tensor_elements(tensor);
    switch (tensor->type) {
    case NN_F32:
        if (elements)
            memcpy(out, data, elements * sizeof *out);
        break;
    case NN_BF16:
        for (size_t i = 0; i < elements; i++)
            out[i] = number_from_bf16(half_at(data, i));
        break;
    case NN_F16:
        for (size_t i = 0; i < elements; i++)
            out[i] = number_from_f16(half_at(data, i));
        break;
    case NN_I8:
        int8_to_float(tensor, elements, out);
        break;
    case NN_I64:
        for (size_t i = 0; i < elements; i++) {
            int64_t value;
            memcpy(&value, data + i * sizeof value, sizeof value);
            out[i] = (float)value;
        }
        break;
    case NN_U8:
        for (size_t i = 0; i < elements; i++)
            out[i] = data[i];
        break;
    case NN_U16:
        for (size_t i = 0; i < elements; i++)
            out[i] = half_at(data, i);
        break;
    case NN_I32:
        for (size_t i = 0; i < elements; i++) {
            int32_t value;
            memcpy(&value, data + i * sizeof value, sizeof value);
            out[i] = (float)value;
        }
        break;
    }
}
