/* Well-formed weights: what is found, converted and reported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/weights.h"
#include "nn_fixture.h"

static const char header[] =
    "{\"__metadata__\":{\"format\":\"1\",\"note\":\"caf\xc3\xa9\"},"
    "\"b.weight\":{\"dtype\":\"I8\",\"shape\":[2,3],\"data_offsets\":[8,14]},"
    "\"b.weight.scale\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
    "\"a\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[14,20]},"
    "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[14,14]},"
    "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[20,28]}}  ";

static image example(void)
{
    const float scales[2] = {0.5f, 2.0f};
    const signed char bytes[6] = {1, 2, 3, -4, -5, -128};
    const uint16_t values[3] = {0x3f80, 0xc000, 0x3e80};
    const int64_t scalar = 42;
    unsigned char data[28];
    memcpy(data, scales, 8);
    memcpy(data + 8, bytes, 6);
    memcpy(data + 14, values, 6);
    memcpy(data + 20, &scalar, 8);
    return image_create(header, data, sizeof data);
}

static nn_weights *open_example(const image *file)
{
    nn_weights *weights = NULL;
    steno_error error = {0};
    ck_assert_msg(nn_weights_open(file->bytes, file->size, &weights, &error) == STENO_OK, "%s",
        error.message);
    return weights;
}

START_TEST(tensors_are_found_by_name_and_shape)
{
    image file = example();
    nn_weights *weights = open_example(&file);
    steno_error error;
    const nn_tensor *tensor = NULL;
    ck_assert_int_eq(
        nn_weights_find(weights, "b.weight", 2, (const size_t[]){2, 3}, &tensor, &error), STENO_OK);
    ck_assert_int_eq(tensor->type, NN_I8);
    ck_assert_str_eq(tensor->name, "b.weight");
    ck_assert_str_eq(tensor->scale->name, "b.weight.scale");
    float *floats = NULL;
    ck_assert_int_eq(
        nn_weights_floats(weights, "b.weight", 2, (const size_t[]){2, 3}, &floats, &error),
        STENO_OK);
    const float expected[6] = {0.5f, 1.0f, 1.5f, -8.0f, -10.0f, -256.0f};
    ck_assert_mem_eq(floats, expected, sizeof expected);
    memory_free(floats);
    ck_assert_int_eq(
        nn_weights_floats(weights, "a", 1, (const size_t[]){3}, &floats, &error), STENO_OK);
    ck_assert_mem_eq(floats, ((const float[]){1.0f, -2.0f, 0.25f}), 3 * sizeof *floats);
    memory_free(floats);
    ck_assert_int_eq(nn_weights_floats(weights, "scalar", 0, NULL, &floats, &error), STENO_OK);
    ck_assert_float_eq(floats[0], 42.0f);
    memory_free(floats);
    ck_assert_int_eq(
        nn_weights_floats(weights, "empty", 2, (const size_t[]){0, 7}, &floats, &error), STENO_OK);
    memory_free(floats);
    nn_weights_close(weights);
    free(file.bytes);
}
END_TEST

START_TEST(a_wrong_shape_says_what_was_expected_and_found)
{
    image file = example();
    nn_weights *weights = open_example(&file);
    steno_error error;
    const nn_tensor *tensor = NULL;
    float *floats = NULL;
    ck_assert_int_eq(
        nn_weights_find(weights, "b.weight", 2, (const size_t[]){3, 2}, &tensor, &error),
        STENO_ERROR_FORMAT);
    ck_assert_str_eq(error.message, "tensor b.weight: expected shape [3, 2], found [2, 3]");
    ck_assert_int_eq(nn_weights_find(weights, "b.weight", 1, (const size_t[]){2}, &tensor, &error),
        STENO_ERROR_FORMAT);
    ck_assert_int_eq(nn_weights_floats(weights, "c", 1, (const size_t[]){2}, &floats, &error),
        STENO_ERROR_FORMAT);
    ck_assert_str_eq(error.message, "tensor c [2] is not in the file");
    ck_assert_ptr_null(tensor);
    ck_assert_ptr_null(floats);
    nn_weights_close(weights);
    free(file.bytes);
}
END_TEST

START_TEST(metadata_and_the_list_of_tensors)
{
    image file = example();
    nn_weights *weights = open_example(&file);
    ck_assert_str_eq(nn_weights_metadata(weights, "format"), "1");
    ck_assert_str_eq(nn_weights_metadata(weights, "note"), "caf\xc3\xa9");
    ck_assert_ptr_null(nn_weights_metadata(weights, "absent"));
    ck_assert_uint_eq(nn_weights_count(weights), 5);
    const char *const names[] = {"a", "b.weight", "b.weight.scale", "empty", "scalar"};
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(nn_weights_at(weights, i)->name, names[i]);
    ck_assert_ptr_null(nn_weights_at(weights, 5));
    nn_weights_close(weights);
    free(file.bytes);
    file = image_create("{}", NULL, 0);
    weights = open_example(&file);
    ck_assert_uint_eq(nn_weights_count(weights), 0);
    ck_assert_ptr_null(nn_weights_metadata(weights, "format"));
    nn_weights_close(weights);
    nn_weights_close(NULL);
    free(file.bytes);
}
END_TEST

START_TEST(types_are_known_by_name)
{
    static const struct {
        const char *name;
        nn_type type;
        size_t bytes;
    } types[] = {
        {"F32", NN_F32, 4},
        {"BF16", NN_BF16, 2},
        {"F16", NN_F16, 2},
        {"I64", NN_I64, 8},
        {"U8", NN_U8, 1},
        {"U16", NN_U16, 2},
        {"I32", NN_I32, 4},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char text[128];
        snprintf(text, sizeof text,
            "{\"t\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%zu]}}", types[i].name,
            3 * types[i].bytes);
        const unsigned char data[24] = {0};
        image file = image_create(text, data, 3 * types[i].bytes);
        nn_weights *weights = open_example(&file);
        ck_assert_int_eq(nn_weights_get(weights, "t")->type, types[i].type);
        ck_assert_ptr_null(nn_weights_get(weights, "t.scale"));
        nn_weights_close(weights);
        free(file.bytes);
    }
}
END_TEST

static steno_status open_and_read(void *argument)
{
    const image *file = argument;
    nn_weights *weights = NULL;
    float *floats = NULL;
    steno_error error;
    steno_status status = nn_weights_open(file->bytes, file->size, &weights, &error);
    if (status == STENO_OK)
        status = nn_weights_floats(weights, "a", 1, (const size_t[]){3}, &floats, &error);
    memory_free(floats);
    nn_weights_close(weights);
    return status;
}

START_TEST(each_allocation_may_fail)
{
    image file = example();
    ck_assert_uint_eq(fixture_fail_each_allocation(open_and_read, &file), 4);
    free(file.bytes);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {tensors_are_found_by_name_and_shape,
        a_wrong_shape_says_what_was_expected_and_found, metadata_and_the_list_of_tensors,
        types_are_known_by_name, each_allocation_may_fail};
    return fixture_run("nn weights", tests, sizeof tests / sizeof *tests);
}
