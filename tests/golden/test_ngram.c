/*
 * The language model against the recipe's: an n-gram that models/recipe/ngram.py made and packed,
 * and the scores that ngram_trie.py gives.
 */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "decoder/ngram.h"
#include "golden.h"

static ngram *open_ngram(const golden *g)
{
    json_t *lm = json_loads(nn_weights_metadata(g->model, "lm"), 0, NULL);
    const ngram_config config = {
        .order = (size_t)json_integer_value(json_object_get(lm, "order")),
        .probability_scale = json_number_value(json_object_get(lm, "probability_scale")),
        .backoff_scale = json_number_value(json_object_get(lm, "backoff_scale")),
    };
    json_decref(lm);
    ngram *n = NULL;
    steno_error error = {0};
    ck_assert_msg(
        ngram_create(&config, golden_config(g, "tokens"), g->model, &n, &error) == STENO_OK, "%s",
        error.message);
    return n;
}

START_TEST(scores)
{
    golden g;
    golden_open(&g);
    ngram *n = open_ngram(&g);
    size_t count;
    size_t *tokens = golden_list(&g, "golden.tokens", golden_config(&g, "tokens"), &count);
    float *expected = golden_floats(&g, "golden.scores", count, 1);
    ngram_state state = ngram_start(n);
    for (size_t i = 0; i < count; i++) {
        if (tokens[i] == 0) { /* the next line */
            state = ngram_start(n);
            continue;
        }
        /* The same sum of few terms, rounded to f32 when it was written. */
        double score = ngram_score(n, &state, (uint32_t)tokens[i]);
        ck_assert_msg(fabs(score - (double)expected[i]) < 1e-5, "token %zu: %g, not %g", i, score,
            (double)expected[i]);
        ngram_next(n, &state, (uint32_t)tokens[i]);
    }
    ck_assert_uint_gt(count, 500);
    memory_free(expected);
    memory_free(tokens);
    ngram_destroy(n);
    golden_close(&g);
}
END_TEST

int main(int argc, char **argv)
{
    if (!golden_arguments(argc, argv))
        return EXIT_FAILURE;
    TCase *tests = tcase_create("ngram");
    tcase_add_test(tests, scores);
    return golden_run(tests, "ngram");
}
