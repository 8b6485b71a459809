#include "fixture.h"

#include <check.h>
#include <stdio.h>

steno_status fixture_publish(captions_source *source, bool is_final, unsigned number)
{
    char first[16], text[32];
    snprintf(first, sizeof first, "%u", number);
    snprintf(text, sizeof text, "%u words", number);
    const steno_word words[] = {{first, number * 1000, number * 1000 + 100, 0.5f},
        {"words", number * 1000 + 100, number * 1000 + 200, 1}};
    const steno_alternative best = {text, words, 2, 0.75f};
    const steno_result result = {
        .is_final = is_final,
        .endpoint = is_final,
        .stable_words = 1,
        .start_ms = number * 1000,
        .end_ms = number * 1000 + 200,
        .alternatives = &best,
        .alternative_count = 1,
    };
    return is_final ? captions_publish_final(source, &result, 7)
                    : captions_publish_interim(source, &result, 7);
}

void fixture_publish_status(captions_source *source, captions_state state)
{
    const captions_status status = {
        .state = state, .device = "a device", .reason = "a reason", .heard_ms = 12};
    ck_assert_int_eq(captions_publish_status(source, &status), STENO_OK);
}
