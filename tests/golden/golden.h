/*
 * What models/recipe/golden.py wrote: a model, and the numbers that the PyTorch network computes
 * with it.  For the tiny model both are in one file; for a shipped one the numbers have their own.
 *
 *     PROGRAM TINY.safetensors
 *     PROGRAM MODEL.safetensors NUMBERS.safetensors
 */
#ifndef GOLDEN_GOLDEN_H
#define GOLDEN_GOLDEN_H

#include <check.h>
#include <stdbool.h>

#include "nn/ops.h"
#include "nn/weights.h"

typedef struct golden {
    void *bytes[2];
    nn_weights *model, *numbers;
    bool tiny;       /* both in one file */
    float tolerance; /* of values, see golden.c */
} golden;

/* Remembers the files named by main's arguments; false, with a message, if they are not right. */
bool golden_arguments(int argc, char **argv);

/* Opens them; a failing check if they can't be read. */
void golden_open(golden *golden);
void golden_close(golden *golden);

/* A whole number of the model's config. */
size_t golden_config(const golden *golden, const char *name);
/* Frames of CTC in an encoding: 1 where the config does not say. */
size_t golden_ctc_frames(const golden *golden);

/* The array of that name; a failing check if there is none. */
const nn_tensor *golden_find(const golden *golden, const char *name);

/* The array of that name [rows, columns] as floats, which memory_free frees. */
float *golden_floats(const golden *golden, const char *name, size_t rows, size_t columns);

/* The list of whole numbers of that name, each below `end`; memory_free frees it. */
size_t *golden_list(const golden *golden, const char *name, size_t end, size_t *out_count);

/* Checks values [rows, columns] against expected, which is called `name`. */
void golden_assert_close(const golden *golden, const char *name, const float *values,
    const float *expected, size_t rows, size_t columns);

/* Implementations of the operators there are, and number 0.. of them. */
int golden_operator_sets(void);
const nn_ops *golden_operators(int which);

/* Runs a test case as a suite; the program's exit status. */

int golden_run(TCase *tests, const char *name);

#endif
