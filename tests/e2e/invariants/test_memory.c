/* Memory is fixed: nothing is allocated while feeding, an hour of a stream holds what a minute
 * does, and streams that are gone leave nothing behind. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "material.h"
#include "support/suite.h"

/* Of its own: the model's pages, which it shares with the file, come and go. */
static size_t resident_bytes(void)
{
    unsigned long whole, resident, shared;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%lu %lu %lu", &whole, &resident, &shared), 3);
    fclose(file);
    return (resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

/* Pages that the C library and the worker threads' stacks touch late: none of it grows. */
enum { SLACK_BYTES = 2 << 20 };

static void feed_all(steno_stream *stream, const float *samples, size_t frames)
{
    for (size_t fed = 0; fed < frames;) {
        size_t taken;
        steno_status status = steno_stream_feed(stream, samples + fed, frames - fed, &taken);
        ck_assert_int_ge(status, 0);
        fed += taken;
        if (status == STENO_FULL)
            steno_stream_wait(stream, -1);
        const steno_result *result;
        while (steno_stream_next(stream, &result, NULL) == STENO_OK)
            ;
    }
}

START_TEST(test_a_long_stream_holds_what_a_short_one_does)
{
    material m = material_open(0);
    size_t frames, fed = 0;
    float *samples = material_speech("demo.flac", &frames);
    steno_stream_options options;
    steno_stream_options_init(&options);
    options.rate_hz = 22050; /* so that the resampler takes part */
    options.interim = true;
    steno_stream *stream;
    ck_assert_int_eq(steno_stream_create(m.engine, m.model, &options, &stream, NULL), STENO_OK);
    for (; fed < 60 * 22050; fed += frames)
        feed_all(stream, samples, frames);
    size_t alive = memory_alive(), bytes = steno_stream_bytes(stream), resident = resident_bytes();
    uint64_t attempts = memory_attempts();
    for (; fed < 600 * 22050; fed += frames)
        feed_all(stream, samples, frames);
    ck_assert_uint_eq(memory_alive(), alive);
    ck_assert_uint_eq(memory_attempts(), attempts);
    ck_assert_uint_eq(steno_stream_bytes(stream), bytes);
    ck_assert_uint_le(resident_bytes(), resident + SLACK_BYTES);
    steno_stream_destroy(stream);
    free(samples);
    material_close(&m);
}
END_TEST

START_TEST(test_many_streams_leave_nothing)
{
    material m = material_open(0);
    size_t frames, alive = 0, resident = 0;
    float *samples = material_speech("2277-149874-0007.flac", &frames);
    for (int i = 0; i < 300; i++) {
        if (i == 30) {
            alive = memory_alive();
            resident = resident_bytes();
        }
        steno_stream *stream;
        ck_assert_int_eq(steno_stream_create(m.engine, m.model, NULL, &stream, NULL), STENO_OK);
        feed_all(stream, samples, 4000);
        steno_stream_finish(stream);
        steno_stream_wait(stream, i % 2 ? -1 : 0); /* every other one in the middle of its work */
        steno_stream_destroy(stream);
    }
    ck_assert_uint_eq(memory_alive(), alive);
    ck_assert_uint_le(resident_bytes(), resident + SLACK_BYTES);
    free(samples);
    material_close(&m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *tests = tcase_create("memory");
    tcase_set_timeout(tests, 900);
    tcase_add_test(tests, test_a_long_stream_holds_what_a_short_one_does);
    tcase_add_test(tests, test_many_streams_leave_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
