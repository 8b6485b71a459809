/* The parts of `steno inspect` that need no engine: text of documents, and where lines are cut. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/alignment.h"
#include "inspect/lines.h"
#include "inspect/panels.h"
#include "support/suite.h"

typedef struct written {
    char text[65536];
    size_t size;
    size_t room; /* then writing fails */
} written;

static steno_status write_text(void *context, const char *bytes, size_t size)
{
    written *w = context;
    if (w->size + size > w->room)
        return STENO_ERROR_IO;
    memcpy(w->text + w->size, bytes, size);
    w->size += size;
    w->text[w->size] = '\0';
    return STENO_OK;
}

static sink begin(written *w)
{
    *w = (written){.room = sizeof w->text - 1};
    return (sink){.write = write_text, .context = w};
}

START_TEST(escapes)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"<a b=\"c\">'&amp;'</a>", "&lt;a b=&quot;c&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;"},
        {"caf\xC3\xA9 \xE2\x96\x81 \xF0\x9F\x98\x80", "caf\xC3\xA9 \xE2\x96\x81 \xF0\x9F\x98\x80"},
        {"a\x01"
         "b\x7F\t\n\r",
            "a\xEF\xBF\xBD"
            "b\x7F\t\n\xEF\xBF\xBD"},
        /* Cut off, overlong, a surrogate, beyond Unicode, no character of XML. */
        {"\xC3", "\xEF\xBF\xBD"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE0\x80\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xEF\xBF\xBE", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE2\x96<", "\xEF\xBF\xBD\xEF\xBF\xBD&lt;"},
    };
    static written w;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sink out = begin(&w);
        sink_escaped(&out, cases[i].text);
        ck_assert_str_eq(w.text, cases[i].expected);
    }
}
END_TEST

START_TEST(base64)
{
    /* RFC 4648, section 10. */
    static const char *const cases[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static written w, pieces;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sink out = begin(&w);
        sink_base64(&out, cases[i][0], strlen(cases[i][0]));
        ck_assert_str_eq(w.text, cases[i][1]);
    }
    /* Longer than what is gathered before it is written, whole and in pieces. */
    char bytes[6000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7919 >> 3);
    sink out = begin(&w), by_piece = begin(&pieces);
    sink_base64(&out, bytes, sizeof bytes);
    ck_assert_uint_eq(w.size, 8000);
    for (size_t at = 0; at < sizeof bytes; at += 1200)
        sink_base64(&by_piece, bytes + at, 1200);
    ck_assert_str_eq(w.text, pieces.text);
    ck_assert_uint_eq(strspn(w.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789+/"),
        8000);
}
END_TEST

START_TEST(the_first_failure_stays)
{
    static written w;
    sink out = begin(&w);
    w.room = 4;
    sink_text(&out, "abc");
    ck_assert_int_eq(out.status, STENO_OK);
    sink_print(&out, "%d", 12);
    ck_assert_int_eq(out.status, STENO_ERROR_IO);
    sink_text(&out, "d");
    ck_assert_str_eq(w.text, "abc");
}
END_TEST

/* What was heard, made by hand: tokens at these frames of 40 ms, two to an encoding. */
static heard heard_of(uint64_t to_ms, const uint64_t *frames, size_t count)
{
    heard h = {.encoding_ms = 80, .ctc_frame_ms = 40, .to_ms = to_ms, .rate_hz = 16000};
    for (size_t i = 0; i < count; i++) {
        heard_token token = {.text = i % 3 ? "x" : " x",
            .begins = i % 3 == 0,
            .frame = frames[i],
            .trigger = frames[i] / 2,
            .first = frames[i] / 2,
            .count = 2,
            .weights_at = 2 * i};
        ck_assert_int_eq(growing_add(&h.tokens, (const char *)&token, sizeof token), STENO_OK);
        ck_assert_int_eq(
            growing_add(&h.weights, (const char *)(float[]){0.25f, 0.75f}, 8), STENO_OK);
    }
    return h;
}

START_TEST(lines_are_whole)
{
    uint64_t frames[2000];
    for (size_t i = 0; i < 2000; i++)
        frames[i] = 3 * i;
    for (uint64_t to_ms = 80; to_ms < 60000; to_ms += 240) {
        heard h = heard_of(to_ms, frames, 2000);
        uint64_t count = 0, shortest = UINT64_MAX;
        for (uint64_t from_ms = 0, next_ms; from_ms < to_ms; from_ms = next_ms, count++) {
            next_ms = lines_next(&h, from_ms, 6400);
            ck_assert_uint_gt(next_ms, from_ms);
            ck_assert_uint_le(next_ms - from_ms, 6400);
            ck_assert_uint_le(next_ms, to_ms);
            ck_assert_uint_eq(next_ms % 80, 0);
            shortest = next_ms - from_ms < shortest ? next_ms - from_ms : shortest;
        }
        ck_assert_uint_eq(count, (to_ms + 6399) / 6400);
        /* About as long as each other. */
        ck_assert_uint_ge(shortest + 1800, to_ms / count);
        heard_finish(&h);
    }
}
END_TEST

START_TEST(lines_are_cut_in_pauses)
{
    /* Speech up to 4.6 s and from 5.6 s on. */
    uint64_t frames[250];
    size_t count = 0;
    for (uint64_t frame = 0; frame < 250; frame++)
        if (frame * 40 < 4600 || frame * 40 > 5600)
            frames[count++] = frame;
    heard h = heard_of(10000, frames, count);
    uint64_t cut_ms = lines_next(&h, 0, 6400);
    ck_assert_uint_gt(cut_ms, 4600);
    ck_assert_uint_lt(cut_ms, 5600);
    heard_finish(&h);

    heard silence = heard_of(10000, NULL, 0);
    cut_ms = lines_next(&silence, 0, 6400);
    ck_assert_uint_ge(cut_ms, 3600);
    ck_assert_uint_eq(lines_next(&silence, cut_ms, 6400), 10000);
    heard_finish(&silence);
}
END_TEST

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (; (text = strstr(text, what)) != NULL; text++)
        count++;
    return count;
}

START_TEST(rows_and_cells)
{
    static written w;
    heard h = heard_of(4000, (uint64_t[]){10, 20, 30, 80}, 4);
    view v = {.heard = &h, .from_ms = 0, .to_ms = 4000, .scale = 0.16};
    sink out = begin(&w);
    double height = panel_attention(&out, &v, 0);
    ck_assert_uint_eq(count_of(w.text, "fill-opacity=\"0.50\""), 4); /* the root of 0.25 */
    ck_assert_uint_eq(count_of(w.text, "fill-opacity=\"0.87\""), 4);
    ck_assert_uint_eq(count_of(w.text, "<title>"), 4);
    ck_assert_uint_eq(count_of(w.text, "<text"), 5);
    ck_assert(height > 4 * PANEL_ROW);
    /* The cell of encoding 5, at 400 ms, is where the axis has that. */
    ck_assert_ptr_nonnull(strstr(w.text, "<rect x=\"148.0\" y=\"16.0\" width=\"12.8\""));
    ck_assert_double_eq_tol(view_x(&v, 400), 148, 1e-9);

    /* Of a part, what is in it. */
    v.from_ms = 800;
    v.to_ms = 1600;
    out = begin(&w);
    panel_attention(&out, &v, 0);
    ck_assert_uint_eq(count_of(w.text, "<title>"), 2);
    v.from_ms = 3280;
    v.to_ms = 4000;
    out = begin(&w);
    panel_attention(&out, &v, 0);
    ck_assert_ptr_nonnull(strstr(w.text, "nothing said"));
    heard_finish(&h);
}
END_TEST

START_TEST(png_without_anything)
{
    static written w;
    sink out = begin(&w);
    heard nothing = {.encoding_ms = 80};
    steno_status status = alignment_write_png(&out, &nothing);
    ck_assert_int_eq(status, alignment_has_png() ? STENO_OK : STENO_ERROR_UNSUPPORTED);
    if (!alignment_has_png())
        return;
    ck_assert_mem_eq(w.text, "\x89PNG\r\n\x1a\n", 8);
    out = begin(&w);
    w.room = 100;
    ck_assert_int_eq(alignment_write_png(&out, &nothing), STENO_ERROR_IO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inspect");
    TCase *tcase = tcase_create("inspect");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, escapes);
    tcase_add_test(tcase, base64);
    tcase_add_test(tcase, the_first_failure_stays);
    tcase_add_test(tcase, lines_are_whole);
    tcase_add_test(tcase, lines_are_cut_in_pauses);
    tcase_add_test(tcase, rows_and_cells);
    tcase_add_test(tcase, png_without_anything);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
