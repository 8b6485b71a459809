/* Ten minutes of what is not speech give no words. */
#include <check.h>
#include <stdlib.h>

#include "material.h"
#include "support/suite.h"

enum { SECONDS = 600, SKIPPED = 77 };

START_TEST(test_no_words)
{
    material m = material_open(0);
    size_t frames;
    float *samples = material_sound((sound)_i, SECONDS, &frames);
    recognition r = recognise(m.engine, m.model, NULL, samples, frames, NULL);
    ck_assert_msg(r.word_count == 0, "%zu words in %s: %.300s", r.word_count,
        material_sound_names[_i], r.words);
    ck_assert_uint_eq(r.done_ms, SECONDS * 1000u);
    recognition_free(&r);
    free(samples);
    material_close(&m);
}
END_TEST

int main(void)
{
    if (!material_has_shipped("silence is silent"))
        return SKIPPED;
    Suite *suite = suite_create("silence");
    TCase *tests = tcase_create("silence");
    tcase_set_timeout(tests, 900);
    tcase_add_loop_test(tests, test_no_words, 0, SOUNDS);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
