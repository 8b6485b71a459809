#include "alignment.h"

#include <stdlib.h>
#include <string.h>

/*
 * Cell [r][h] of the usual table holds the fewest errors between the first r words of the reference
 * and the first h of the hypothesis.  Only the counts are wanted, so each cell carries them along
 * and one row is kept instead of the table with its way back: an hour's transcript against another
 * takes kilobytes, not a hundred megabytes.
 */
typedef struct cell {
    uint32_t substitutions, deletions, insertions;
} cell;

static uint32_t total(cell at)
{
    return at.substitutions + at.deletions + at.insertions;
}

/* The best of coming from above (a deletion), the left (an insertion) or both (a match or not). */
static cell step(cell above, cell left, cell diagonal, int same)
{
    diagonal.substitutions += !same;
    above.deletions++;
    left.insertions++;
    cell best = diagonal;
    if (total(above) < total(best))
        best = above;
    if (total(left) < total(best))
        best = left;
    return best;
}

steno_status alignment_count(const char *const *reference, size_t reference_count,
    const char *const *hypothesis, size_t hypothesis_count, alignment_errors *out_errors)
{
    cell *row = calloc(hypothesis_count + 1, sizeof *row);
    if (row == NULL)
        return STENO_ERROR_MEMORY;
    for (size_t h = 1; h <= hypothesis_count; h++)
        row[h].insertions = (uint32_t)h;
    for (size_t r = 1; r <= reference_count; r++) {
        cell diagonal = row[0];
        row[0].deletions = (uint32_t)r;
        for (size_t h = 1; h <= hypothesis_count; h++) {
            cell above = row[h];
            int same = strcmp(reference[r - 1], hypothesis[h - 1]) == 0;
            row[h] = step(above, row[h - 1], diagonal, same);
            diagonal = above;
        }
    }
    cell last = row[hypothesis_count];
    free(row);
    *out_errors = (alignment_errors){last.substitutions, last.deletions, last.insertions};
    return STENO_OK;
}

uint64_t alignment_total(const alignment_errors *errors)
{
    return errors->substitutions + errors->deletions + errors->insertions;
}
