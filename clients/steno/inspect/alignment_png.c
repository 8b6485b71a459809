/*
 * The matrix of the alignment as a PNG of palette colours: libpng's own errors jump out of it, so
 * everything that is to be freed is known before the first call that may fail.
 */
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/alignment.h"

/* Palette: 0..SHADES - 1 from white to the darkest blue, then the trigger's orange. */
enum { SHADES = 255, TRIGGER = 255, LARGEST_CELL = 8, LARGEST_WIDTH = 16384 };

typedef struct matrix {
    const heard *heard;
    const heard_token *tokens;
    size_t rows, columns;
    uint64_t first; /* encoding of column 0 */
    size_t cell;    /* pixels on each side */
} matrix;

bool alignment_has_png(void)
{
    return true;
}

static matrix matrix_of(const heard *h)
{
    matrix m = {.heard = h, .first = h->from_ms / h->encoding_ms};
    m.tokens = heard_get_tokens(h, &m.rows);
    m.columns = (size_t)((h->to_ms - h->from_ms) / h->encoding_ms);
    size_t longest = m.columns > m.rows ? m.columns : m.rows;
    m.cell = longest > 0 ? LARGEST_WIDTH / longest : LARGEST_CELL;
    m.cell = m.cell > LARGEST_CELL ? LARGEST_CELL : m.cell < 1 ? 1 : m.cell;
    return m;
}

/* A cell of a column of the row, from white to blue. */
static void set_cell(const matrix *m, png_byte *pixels, uint64_t encoding, png_byte colour)
{
    if (encoding >= m->first && encoding - m->first < m->columns)
        memset(pixels + (encoding - m->first) * m->cell, colour, m->cell);
}

/* The pixels of a token's row; its first and last line frame the trigger. */
static void draw_row(const matrix *m, size_t row, bool edge, png_byte *pixels)
{
    memset(pixels, 0, (m->columns > 0 ? m->columns : 1) * m->cell);
    if (row >= m->rows)
        return;
    const heard_token *token = &m->tokens[row];
    const float *weights = heard_get_weights(m->heard, token);
    for (size_t k = 0; k < token->count; k++)
        set_cell(m, pixels, token->first + k,
            (png_byte)(sqrtf(weights[k] < 1 ? weights[k] : 1) * (SHADES - 1)));
    if (token->trigger < m->first || token->trigger - m->first >= m->columns)
        return;
    png_byte *trigger = pixels + (token->trigger - m->first) * m->cell;
    if (edge && m->cell > 2)
        memset(trigger, TRIGGER, m->cell);
    else if (m->cell > 2)
        trigger[0] = trigger[m->cell - 1] = TRIGGER;
}

static void write_bytes(png_structp png, png_bytep bytes, size_t size)
{
    sink *out = png_get_io_ptr(png);
    sink_bytes(out, (const char *)bytes, size);
    if (out->status < 0)
        png_error(png, "writing failed");
}

static void flush_bytes(png_structp png) {}

/* libpng prints otherwise. */
static void stay_quiet(png_structp png, png_const_charp message) {}

static void jump(png_structp png, png_const_charp message)
{
    png_longjmp(png, 1);
}

static void make_palette(png_color *palette)
{
    for (int i = 0; i < SHADES; i++) {
        double share = i / (SHADES - 1.0);
        palette[i] = (png_color){(png_byte)(255 - share * (255 - 8)),
            (png_byte)(255 - share * (255 - 48)), (png_byte)(255 - share * (255 - 107))};
    }
    palette[TRIGGER] = (png_color){194, 65, 12};
}

/* All of the file: jumps out where something fails. */
static void write_image(png_structp png, png_infop info, const matrix *m, png_byte *pixels)
{
    png_color palette[SHADES + 1];
    size_t columns = m->columns > 0 ? m->columns : 1, rows = m->rows > 0 ? m->rows : 1;
    make_palette(palette);
    png_set_IHDR(png, info, (png_uint_32)(columns * m->cell), (png_uint_32)(rows * m->cell), 8,
        PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
        PNG_FILTER_TYPE_DEFAULT);
    png_set_PLTE(png, info, palette, SHADES + 1);
    png_write_info(png, info);
    for (size_t row = 0; row < rows; row++)
        for (size_t line = 0; line < m->cell; line++) {
            draw_row(m, row, line == 0 || line == m->cell - 1, pixels);
            png_write_row(png, pixels);
        }
    png_write_end(png, info);
}

steno_status alignment_write_png(sink *out, const heard *h)
{
    const matrix m = matrix_of(h);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, jump, stay_quiet);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    png_byte *pixels = malloc((m.columns > 0 ? m.columns : 1) * m.cell);
    steno_status status = STENO_ERROR_MEMORY;
    if (info != NULL && pixels != NULL) {
        png_set_write_fn(png, out, write_bytes, flush_bytes);
        if (setjmp(png_jmpbuf(png)) == 0)
            write_image(png, info, &m, pixels);
        else if (out->status == STENO_OK)
            out->status = STENO_ERROR_MEMORY; /* the only thing left to go wrong */
        status = out->status;
    }
    free(pixels);
    png_destroy_write_struct(&png, &info);
    return status;
}
