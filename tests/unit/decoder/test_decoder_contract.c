/* Bad configurations, options and files, and memory that runs out. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fixture.h"
#include "support/suite.h"

static steno_status create(const fixture *f, const decoder_config *config, size_t max_rows,
    decoder **out, steno_error *error)
{
    return decoder_create(
        config, f->weights, nn_ops_reference(), NN_PRECISION_F32, max_rows, out, error);
}

static void expect_refusal(
    const fixture *f, const decoder_config *config, size_t max_rows, const char *name)
{
    decoder *d = NULL;
    steno_error error = {0};
    size_t alive = memory_alive();
    ck_assert_int_eq(create(f, config, max_rows, &d, &error), STENO_ERROR_FORMAT);
    ck_assert_msg(strstr(error.message, name) != NULL, "%s", error.message);
    ck_assert_ptr_null(d);
    ck_assert_uint_eq(memory_alive(), alive);
}

START_TEST(bad_config)
{
    fixture f;
    fixture_open(&f);
    const struct {
        size_t offset, value;
        const char *name;
    } cases[] = {
        {offsetof(decoder_config, dimension), 0, "dimension is 0"},
        {offsetof(decoder_config, dimension), SIZE_MAX, "dimension"},
        {offsetof(decoder_config, dimension), 13, "ctc.weight"},
        {offsetof(decoder_config, tokens), 1, "tokens is 1"},
        {offsetof(decoder_config, tokens), 13, "ctc.weight"},
        {offsetof(decoder_config, embedding), 0, "embedding is 0"},
        {offsetof(decoder_config, embedding), 11, "decoder.lstm.weight"},
        {offsetof(decoder_config, lstm), 70000, "lstm is 70000"},
        {offsetof(decoder_config, lstm), 23, "decoder.attention.query.weight"},
        {offsetof(decoder_config, attention), 0, "attention is 0"},
        {offsetof(decoder_config, attention), 15, "decoder.attention.key.weight"},
        {offsetof(decoder_config, location_filters), 0, "location_filters is 0"},
        {offsetof(decoder_config, location_filters), 4, "decoder.attention.location.weight"},
        {offsetof(decoder_config, location_width), 6, "location_width is 6, must be odd"},
        {offsetof(decoder_config, location_width), 7, "decoder.attention.filters.weight"},
        {offsetof(decoder_config, window), 0, "window is 0"},
        {offsetof(decoder_config, window), 1 << 20, "window"},
        {offsetof(decoder_config, look_ahead), 7, "look_ahead is 7, allowed are 0..6"},
        {offsetof(decoder_config, look_ahead), SIZE_MAX, "look_ahead"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        decoder_config config = f.config;
        memcpy((char *)&config + cases[i].offset, &cases[i].value, sizeof(size_t));
        expect_refusal(&f, &config, 8, cases[i].name);
    }
    expect_refusal(&f, &f.config, 0, "max_rows is 0");
    expect_refusal(&f, &f.config, SIZE_MAX, "max_rows");
    ck_assert_mem_eq(decoder_get_config(f.decoder), &f.config, sizeof f.config);
    fixture_close(&f);
}
END_TEST

START_TEST(missing_tensor)
{
    static const char *const names[] = {"ctc.weight", "ctc.bias", "decoder.embedding.weight",
        "decoder.lstm.weight", "decoder.lstm.recurrent", "decoder.lstm.bias",
        "decoder.attention.query.weight", "decoder.attention.key.weight", "decoder.attention.bias",
        "decoder.attention.location.weight", "decoder.attention.filters.weight",
        "decoder.attention.energy.weight", "decoder.output.weight", "decoder.output.bias"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        tiny_model_config model = fixture_model();
        fixture f = {.config = fixture_config(&model)};
        size_t size, length = strlen(names[i]);
        f.bytes = tiny_model_write(&model, &size);
        /* Its name with another first letter, within quotes, so that no other name is met. */
        char quoted[64] = "\"";
        strcat(strcat(quoted, names[i]), "\"");
        char *found = memmem(f.bytes, size, quoted, length + 2);
        ck_assert_ptr_nonnull(found);
        found[1] = 'X';
        ck_assert_int_eq(nn_weights_open(f.bytes, size, &f.weights, NULL), STENO_OK);
        expect_refusal(&f, &f.config, 8, names[i]);
        nn_weights_close(f.weights);
        free(f.bytes);
    }
}
END_TEST

START_TEST(bad_options)
{
    fixture f;
    fixture_open(&f);
    search_options cases[20];
    for (size_t i = 0; i < 20; i++)
        cases[i] = fixture_options();
    cases[0].beam = 0;
    cases[1].beam = SEARCH_MAX_BEAM + 1;
    cases[2].token_threshold = -0.1f;
    cases[3].token_threshold = 1;
    cases[4].token_threshold = NAN;
    cases[5].attention_weight = -1;
    cases[6].attention_weight = NAN;
    cases[7].attention_weight = INFINITY;
    cases[8].ctc_weight = -1;
    cases[9].ctc_weight = NAN;
    cases[10].ctc_weight = cases[10].attention_weight = 0;
    cases[11].token_bonus = NAN;
    cases[12].token_bonus = INFINITY;
    cases[13].segment_max = 0;
    cases[14].segment_max = 1001;
    cases[15].segment_blanks = 0;
    cases[16].segment_blanks = cases[16].segment_max + 1;
    cases[17].segment_blanks = SIZE_MAX;
    cases[18].lm_weight = -1;
    cases[19].lm_weight = NAN;
    size_t alive = memory_alive();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        search *s = NULL;
        steno_error error = {0};
        ck_assert_int_eq(search_create(f.decoder, &cases[i], (search_sink){0}, &s, &error),
            STENO_ERROR_ARGUMENT);
        ck_assert_ptr_null(s);
        ck_assert_msg(
            strstr(error.message, "search options: ") == error.message, "%s", error.message);
    }
    ck_assert_uint_eq(memory_alive(), alive);
    fixture_close(&f);
}
END_TEST

/* The largest and smallest that are allowed, and no sink. */
START_TEST(extreme_options)
{
    fixture f;
    fixture_open(&f);
    search_options cases[3] = {fixture_options(), fixture_options(), fixture_options()};
    cases[0].beam = SEARCH_MAX_BEAM;
    cases[0].segment_max = cases[0].segment_blanks = 1000;
    cases[0].token_threshold = 0;
    cases[1].beam = 1;
    cases[1].segment_max = cases[1].segment_blanks = 1;
    cases[2].ctc_weight = 0;
    float *encodings = fixture_encodings("a.bC..d....efAAk.....", 1);
    for (size_t i = 0; i < 3; i++) {
        search *s = NULL;
        ck_assert_int_eq(search_create(f.decoder, &cases[i], (search_sink){0}, &s, NULL), STENO_OK);
        decoder_item item = {s, encodings, 21, true};
        decoder_advance(f.decoder, f.scratch, &item, 1);
        ck_assert_uint_eq(search_position(s), 21);
        search_destroy(s);
    }
    decoder_advance(f.decoder, f.scratch, NULL, 0);
    free(encodings);
    fixture_close(&f);
}
END_TEST

START_TEST(failing_allocations)
{
    fixture f;
    fixture_open(&f);
    size_t alive = memory_alive();
    steno_status status = STENO_ERROR_MEMORY;
    uint64_t failures = 0;
    for (; status == STENO_ERROR_MEMORY; failures++) {
        decoder *d = NULL;
        memory_fail_at(memory_attempts() + 1 + failures);
        status = create(&f, &f.config, 8, &d, NULL);
        memory_fail_at(0);
        decoder_destroy(d);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_int_eq(status, STENO_OK);
    ck_assert_uint_gt(failures, 15); /* one per tensor at least */

    search_options options = fixture_options();
    status = STENO_ERROR_MEMORY;
    for (failures = 0; status == STENO_ERROR_MEMORY; failures++) {
        search *s = NULL;
        memory_fail_at(memory_attempts() + 1 + failures);
        status = search_create(f.decoder, &options, (search_sink){0}, &s, NULL);
        memory_fail_at(0);
        search_destroy(s);
        ck_assert_uint_eq(memory_alive(), alive);
    }
    ck_assert_int_eq(status, STENO_OK);
    ck_assert_uint_gt(failures, 10);
    decoder_destroy(NULL);
    search_destroy(NULL);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("decoder contract");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, bad_config);
    tcase_add_test(tcase, missing_tensor);
    tcase_add_test(tcase, bad_options);
    tcase_add_test(tcase, extreme_options);
    tcase_add_test(tcase, failing_allocations);
    Suite *suite = suite_create("decoder contract");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
