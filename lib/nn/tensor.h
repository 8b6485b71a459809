/* A view of a weight tensor inside a model file; slowest dimension first. */
#ifndef NN_TENSOR_H
#define NN_TENSOR_H

#include <stddef.h>

typedef enum nn_type { NN_F32, NN_BF16, NN_F16, NN_I8, NN_I64, NN_U8, NN_U16, NN_I32 } nn_type;

enum { NN_MAX_RANK = 4 };

typedef struct nn_tensor {
    const char *name; /* lives as long as the weights */
    nn_type type;
    size_t rank;
    size_t shape[NN_MAX_RANK];
    const void *data;              /* little endian, any alignment */
    const struct nn_tensor *scale; /* NN_I8: one f32 per row of the first dimension; else NULL */
} nn_tensor;

/* Number of elements. */
size_t nn_tensor_elements(const nn_tensor *tensor);

/* Converts all elements to float in out [elements] (NN_I8: times its row's scale). */
void nn_tensor_to_float(const nn_tensor *tensor, float *out);

#endif
