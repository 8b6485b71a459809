/* Ogg Opus with wrong time stamps is repaired, and what is worse than that left alone. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "audio/ogg_opus.h"
#include "recordings.h"
#include "support/suite.h"

/* Adds to the time stamp of one page; its checksum becomes wrong, which the repair must put right
 * just as well. */
static void shift_page(struct recording ogg, unsigned number, int samples)
{
    unsigned char *stamp = ogg.bytes + recording_page(ogg, number) + 6;
    uint32_t value = stamp[0] | (uint32_t)stamp[1] << 8 | (uint32_t)stamp[2] << 16;
    value += (uint32_t)samples;
    for (int i = 0; i < 3; i++)
        stamp[i] = (unsigned char)(value >> 8 * i);
}

START_TEST(opus_time_stamps_are_repaired)
{
    static const char *const names[] = {"speech/6313-66129-0030.opus",
        "speech/common_voice_en_37177161.opus", "speech/1993-147964-0003.opus"};
    for (size_t i = 0; i < 3; i++) {
        struct recording original = recording_load(names[i]);
        struct recording jittered = recording_load(names[i]);
        ck_assert(ogg_opus_begins(original.bytes, original.size));
        ck_assert(!ogg_opus_repair(jittered.bytes, jittered.size));
        ck_assert_mem_eq(jittered.bytes, original.bytes, original.size);
        static const int shifts[] = {489, -489, 1, 30000};
        for (size_t k = 0; k < 4; k++) {
            shift_page(jittered, 3, shifts[k]);
            shift_page(jittered, 4, shifts[k] / 2 + 1);

            /* Through the front door first: libsndfile must now give every sample. */
            steno_audio_file *file;
            steno_error error;
            steno_status end;
            float *fixed, *plain;
            ck_assert_int_eq(steno_audio_open_memory(
                                 "jittered", jittered.bytes, jittered.size, NULL, &file, &error),
                STENO_OK);
            size_t frames = (size_t)steno_audio_get_info(file)->frames;
            ck_assert_uint_eq(recording_read(file, 999, &fixed, &end, &error), frames);
            ck_assert_int_eq(end, STENO_END);
            steno_audio_close(file);
            ck_assert_int_eq(steno_audio_open_memory(
                                 "original", original.bytes, original.size, NULL, &file, &error),
                STENO_OK);
            ck_assert_uint_eq(recording_read(file, 999, &plain, &end, &error), frames);
            ck_assert_mem_eq(fixed, plain, frames * sizeof(float));
            steno_audio_close(file);
            free(fixed);
            free(plain);

            ck_assert(ogg_opus_repair(jittered.bytes, jittered.size));
            ck_assert_mem_eq(jittered.bytes, original.bytes, original.size);
        }
        free(jittered.bytes);
        free(original.bytes);
    }
}
END_TEST

/* On the last page a time stamp within it tells where the sound ends; one before it can't be. */
START_TEST(opus_ends_within_its_last_page)
{
    struct recording original = recording_load("speech/1993-147964-0003.opus");
    struct recording shifted = recording_load("speech/1993-147964-0003.opus");
    unsigned last = 0;
    while (!(original.bytes[recording_page(original, last) + 5] & 4))
        last++;
    shift_page(shifted, last, -1);
    ck_assert(!ogg_opus_repair(shifted.bytes, shifted.size));
    shift_page(shifted, last, -100000); /* two seconds; a page has one at most */
    ck_assert(ogg_opus_repair(shifted.bytes, shifted.size));
    ck_assert(!ogg_opus_repair(shifted.bytes, shifted.size));
    free(shifted.bytes);
    free(original.bytes);
}
END_TEST

/* A missing page, another stream and a stream that starts late are not for the repair. */
START_TEST(opus_with_holes_is_left_alone)
{
    struct recording opus = recording_load("speech/1993-147964-0003.opus");
    size_t third = recording_page(opus, 3), fourth = recording_page(opus, 4);
    unsigned char *hole = malloc(opus.size);
    size_t size = opus.size - (fourth - third);
    memcpy(hole, opus.bytes, third);
    memcpy(hole + third, opus.bytes + fourth, opus.size - fourth);
    ck_assert(!ogg_opus_repair(hole, size));
    struct recording holed = {hole, size};
    steno_audio_file *file;
    ck_assert_int_eq(
        steno_audio_open_memory("hole", holed.bytes, holed.size, NULL, &file, NULL), STENO_OK);
    steno_audio_close(file);
    free(hole);

    unsigned char *twice = malloc(2 * opus.size);
    memcpy(twice, opus.bytes, opus.size);
    memcpy(twice + opus.size, opus.bytes, opus.size);
    shift_page((struct recording){twice, opus.size}, 3, 489);
    ck_assert(!ogg_opus_repair(twice, 2 * opus.size));
    free(twice);
    free(opus.bytes);
}
END_TEST

/* Cut anywhere, an Opus file gives what is there or a refusal; the walk never leaves the block
 * (what the address sanitizer sees, as each block ends where the file does). */
START_TEST(opus_cut_anywhere)
{
    struct recording opus = recording_load("speech/6313-66129-0030.opus");
    shift_page(opus, 3, 489);
    for (size_t size = 0; size < opus.size; size += size < 300 ? 1 : 97) {
        unsigned char *cut = malloc(size ? size : 1);
        memcpy(cut, opus.bytes, size);
        ogg_opus_repair(cut, size);
        steno_audio_file *file = NULL;
        steno_error error = {0};
        if (steno_audio_open_memory("cut", cut, size, NULL, &file, &error) < 0)
            ck_assert_int_eq(error.status, STENO_ERROR_FORMAT);
        steno_audio_close(file);
        free(cut);
    }
    free(opus.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ogg_opus");
    TCase *tests = tcase_create("ogg_opus");
    tcase_set_timeout(tests, 100); /* valgrind */
    tcase_add_test(tests, opus_time_stamps_are_repaired);
    tcase_add_test(tests, opus_ends_within_its_last_page);
    tcase_add_test(tests, opus_with_holes_is_left_alone);
    tcase_add_test(tests, opus_cut_anywhere);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
