/*
 * An Aho-Corasick automaton (1975) over the bytes of all phrases: a tree of their beginnings, and
 * from each node a link to the node of the longest end of it that is a beginning too, where to go
 * on when no child fits.
 *
 *     "new york", "york city"        (root) - ' ' - n - e - w - ' ' - y - o - r - k
 *                                               \                 |   (links to the other branch)
 *                                                y - o - r - k - ' ' - c - i - t - y
 *
 * Every phrase begins with the space before its first word, so what is found begins at words'
 * beginnings.  It is complete when a space or the end follows; what completes at a node is the sum
 * over its links, computed once.
 *
 * Children are lists: a node has one as a rule, and the root has only the space.
 */
#include "decoder/phrases.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    ROOT = 0,
    BOOST_MAX = 20,
    /* Bytes of a phrase's letters, at most four each, and the space before it. */
    PHRASE_MAX_BYTES = 4 * STENO_PHRASE_MAX_CHARACTERS + 1,
};

typedef struct node {
    unsigned char byte;
    uint32_t child, sibling; /* ROOT: none */
    uint32_t link;
    double complete; /* boosts of all that end here, when a word ends here */
    double credit;   /* for what is under way here */
} node;

struct phrases {
    const vocabulary *vocabulary;
    node *nodes; /* [node_count], those of fewer bytes before those of more after link_all */
    uint32_t node_count;
    double largest;
};

/* Text as it is compared. */

/* Reads one character, 0 at the end; false if the bytes are not UTF-8. */
static bool read_character(const unsigned char **text, uint32_t *out_character)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *c = *text;
    unsigned more = *c < 0x80   ? 0
                    : *c < 0xc0 ? 4
                    : *c < 0xe0 ? 1
                    : *c < 0xf0 ? 2
                    : *c < 0xf8 ? 3
                                : 4;
    if (more > 3)
        return false;
    uint32_t character = more ? *c & (0x3fu >> more) : *c;
    for (unsigned i = 1; i <= more; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return false;
        character = character << 6 | (c[i] & 0x3f);
    }
    if (character < least[more] || character > 0x10ffff || (character & ~0x7ffu) == 0xd800)
        return false;
    *text = c + 1 + more;
    *out_character = character;
    return true;
}

static size_t write_character(uint32_t character, unsigned char *out)
{
    if (character < 0x80) {
        out[0] = (unsigned char)character;
        return 1;
    }
    size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const unsigned char marks[] = {0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; character >>= 6)
        out[i] = (unsigned char)(0x80 | (character & 0x3f));
    out[0] = (unsigned char)(marks[size - 2] | character);
    return size;
}

/* The character to compare, or a space for what parts words.  Cases beyond Latin are left as they
 * are: they would need tables. */
static uint32_t fold(uint32_t c)
{
    bool upper = (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
    if (upper)
        return c + 0x20;
    if (c == 0x2019) /* the apostrophe of typesetting */
        return '\'';
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '\'' || c >= 0xc0;
    bool mark = (c >= 0x2000 && c < 0x2070) || (c >= 0x3000 && c < 0x3005);
    return letter && !mark ? c : ' ';
}

/* Writes the phrase as " word word", nothing if it has no letters; adds its characters to *total.
 */
static steno_status normalise(const steno_phrase *phrase, size_t number, size_t *total,
    unsigned char *out, size_t *out_size, steno_error *error)
{
    const unsigned char *text = (const unsigned char *)phrase->text;
    size_t size = 0, characters = 0;
    bool space = true;
    if (!text)
        return error_set(error, STENO_ERROR_ARGUMENT, "phrase %zu: no text", number);
    if (!(phrase->boost >= 0 && phrase->boost <= BOOST_MAX))
        return error_set(error, STENO_ERROR_ARGUMENT, "phrase %zu: boost %g, should be 0 to %d",
            number, (double)phrase->boost, BOOST_MAX);
    for (uint32_t character; *text;) {
        if (!read_character(&text, &character))
            return error_set(error, STENO_ERROR_ARGUMENT, "phrase %zu: not UTF-8", number);
        if (++characters > STENO_PHRASE_MAX_CHARACTERS)
            return error_set(error, STENO_ERROR_LIMIT, "phrase %zu: longer than %d characters",
                number, STENO_PHRASE_MAX_CHARACTERS);
        character = fold(character);
        if (character != ' ' && space)
            out[size++] = ' ';
        space = character == ' ';
        if (!space)
            size += write_character(character, out + size);
    }
    *total += characters;
    if (*total > STENO_PHRASES_MAX_CHARACTERS)
        return error_set(error, STENO_ERROR_LIMIT, "phrases: more than %d characters in all",
            STENO_PHRASES_MAX_CHARACTERS);
    *out_size = size;
    return STENO_OK;
}

/* The automaton. */

static uint32_t find_child(const phrases *p, uint32_t parent, unsigned char byte)
{
    uint32_t child = p->nodes[parent].child;
    while (child != ROOT && p->nodes[child].byte != byte)
        child = p->nodes[child].sibling;
    return child;
}

static uint32_t characters_of(const unsigned char *text, size_t size)
{
    uint32_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += (text[i] & 0xc0) != 0x80;
    return count;
}

/* Grows the tree by a phrase.  The parts of it take the credit of their bytes' characters, of which
 * the space before the first word is none. */
static void add_phrase(phrases *p, const unsigned char *text, size_t size, double boost)
{
    uint32_t at = ROOT, characters = characters_of(text, size) - 1;
    for (size_t i = 0; i < size; i++) {
        uint32_t child = find_child(p, at, text[i]);
        if (child == ROOT) {
            child = p->node_count++;
            p->nodes[child] = (node){.byte = text[i], .sibling = p->nodes[at].child};
            p->nodes[at].child = child;
        }
        at = child;
        double part = boost * (characters_of(text, i + 1) - 1) / characters;
        if (part > p->nodes[at].credit)
            p->nodes[at].credit = part;
    }
    /* The same phrase twice counts once, with the larger boost. */
    if (boost > p->nodes[at].complete)
        p->nodes[at].complete = boost;
    if (boost > p->largest)
        p->largest = boost;
}

static uint32_t follow(const phrases *p, uint32_t at, unsigned char byte)
{
    for (;;) {
        uint32_t child = find_child(p, at, byte);
        if (child != ROOT || at == ROOT)
            return child;
        at = p->nodes[at].link;
    }
}

/* Links all nodes, the shorter first, since a link leads to a shorter one.  queue [node_count] */
static void link_all(phrases *p, uint32_t *queue)
{
    uint32_t begin = 0, end = 1;
    queue[0] = ROOT;
    while (begin < end) {
        uint32_t parent = queue[begin++];
        for (uint32_t c = p->nodes[parent].child; c != ROOT; c = p->nodes[c].sibling) {
            node *n = &p->nodes[c];
            n->link = parent == ROOT ? ROOT : follow(p, p->nodes[parent].link, n->byte);
            const node *linked = &p->nodes[n->link];
            n->complete += linked->complete;
            n->credit = fmax(fmax(n->credit, linked->credit), n->complete);
            queue[end++] = c;
        }
    }
    assert(end == p->node_count);
}

steno_status phrases_create(const vocabulary *tokens, const steno_phrase *list, size_t count,
    phrases **out_phrases, steno_error *error)
{
    unsigned char text[PHRASE_MAX_BYTES];
    size_t bytes = 1, total = 0, size;
    if (count > STENO_PHRASES_MAX)
        return error_set(
            error, STENO_ERROR_LIMIT, "phrases: %zu, the most are %d", count, STENO_PHRASES_MAX);
    for (size_t i = 0; i < count; i++) {
        steno_status status = normalise(&list[i], i + 1, &total, text, &size, error);
        if (status != STENO_OK)
            return status;
        bytes += size;
    }
    phrases *p = memory_allocate(1, sizeof *p);
    uint32_t *queue = memory_allocate(bytes, sizeof *queue);
    if (!p || !queue || !(p->nodes = memory_allocate(bytes, sizeof *p->nodes))) {
        memory_free(queue);
        phrases_destroy(p);
        return error_memory(error);
    }
    p->vocabulary = tokens;
    p->node_count = 1;
    total = 0;
    for (size_t i = 0; i < count; i++) {
        normalise(&list[i], i + 1, &total, text, &size, NULL);
        if (list[i].boost > 0 && size > 0)
            add_phrase(p, text, size, (double)list[i].boost);
    }
    link_all(p, queue);
    memory_free(queue);
    *out_phrases = p;
    return STENO_OK;
}

void phrases_destroy(phrases *p)
{
    if (!p)
        return;
    memory_free(p->nodes);
    memory_free(p);
}

/* Matching. */

static phrase_state step_byte(const phrases *p, phrase_state state, unsigned char byte)
{
    if (byte == ' ')
        state.kept += p->nodes[state.node].complete;
    state.node = follow(p, state.node, byte);
    return state;
}

phrase_state phrases_step(const phrases *p, phrase_state state, uint32_t token, bool first)
{
    const char *text = vocabulary_text(p->vocabulary, token);
    if (first && *text != ' ')
        state = step_byte(p, state, ' ');
    for (; *text; text++)
        state = step_byte(p, state, (unsigned char)*text);
    return state;
}

double phrases_credit(const phrases *p, phrase_state state)
{
    return state.kept + p->nodes[state.node].credit;
}

double phrases_end_credit(const phrases *p, phrase_state state)
{
    return state.kept + p->nodes[state.node].complete;
}

double phrases_largest(const phrases *p)
{
    return p->largest;
}
