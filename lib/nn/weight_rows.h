/* The weight of a linear layer, prepared alike for every implementation. */
#ifndef NN_WEIGHT_ROWS_H
#define NN_WEIGHT_ROWS_H

#include <stdint.h>

#include "nn/ops.h"

/* What every linear_create requires of its weight: a matrix, neither dimension empty, small enough
 * that a whole row's products of bytes fit the 32-bit sum (NN_PRECISION_INT8).  Otherwise
 * STENO_ERROR_FORMAT or STENO_ERROR_LIMIT naming the tensor. */
steno_status weight_rows_check(const nn_tensor *weight, nn_precision precision, steno_error *error);

/* The precision a layer of that weight really computes in: as asked, but INT8 with fewer than 128
 * columns becomes F32.  Quantising so short a row of inputs costs more than its products in bytes
 * save (64 -> 64, 64 rows: 76 against 132 GFLOP/s), and full precision is better anyway. */
nn_precision weight_rows_precision(const nn_tensor *weight, nn_precision asked);

/* The weight as bytes out [rows, columns] and one scale per row: a tensor of bytes as it is, any
 * other type quantised row by row.  Can fail for want of memory only. */
steno_status weight_rows_quantise(
    const nn_tensor *weight, int8_t *out, float *out_scale, steno_error *error);

#endif
