#include "settings/option_values.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static void *member_of(void *object, const option_entry *entry)
{
    return (char *)object + entry->offset;
}

const option_entry *option_find(
    const option_entry *entries, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(entries[i].name) == length && memcmp(entries[i].name, name, length) == 0)
            return &entries[i];
    return NULL;
}

/* ---- Setting ---- */

static void clear_list(option_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        memory_free(list->items[i]);
    memory_free(list->items);
    *list = (option_list){0};
}

steno_status option_list_append(option_list *list, const char *text, size_t length)
{
    char **items = memory_allocate(list->count + 1, sizeof(*items));
    char *item = memory_allocate(length + 1, 1);
    if (items == NULL || item == NULL) {
        memory_free(items);
        memory_free(item);
        return STENO_ERROR_MEMORY;
    }
    memcpy(item, text, length);
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof(*items));
    items[list->count] = item;
    memory_free(list->items);
    list->items = items;
    list->count++;
    return STENO_OK;
}

/* Appends what stands between commas and spaces. */
static steno_status append_all(option_list *list, const char *value)
{
    static const char separators[] = ", \t";
    for (;;) {
        value += strspn(value, separators);
        size_t length = strcspn(value, separators);
        if (length == 0)
            return STENO_OK;
        if (option_list_append(list, value, length) < 0)
            return STENO_ERROR_MEMORY;
        value += length;
    }
}

static bool parse_number(const option_entry *entry, const char *value, uint32_t *out)
{
    size_t digits = strspn(value, "0123456789");
    if (digits == 0 || digits > 9 || value[digits] != '\0')
        return false;
    unsigned long number = strtoul(value, NULL, 10);
    if (number < entry->minimum || number > entry->maximum)
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool parse_switch(const char *value, bool *out)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (value != NULL && strcmp(value, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    *out = true;
    return value == NULL;
}

static bool parse_choice(const option_entry *entry, const char *value, uint32_t *out)
{
    for (uint32_t i = 0; entry->choices[i] != NULL; i++)
        if (strcmp(value, entry->choices[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static steno_status refuse(
    const option_entry *entry, const char *value, const char *where, steno_error *error)
{
    switch (entry->kind) {
    case OPTION_SWITCH:
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: %s is not yes or no", where, value);
    case OPTION_NUMBER:
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: %s is not a number from %u to %u", where,
            value, entry->minimum, entry->maximum);
    default:
        return error_set(
            error, STENO_ERROR_ARGUMENT, "%s: there is no %s: %s", where, value, entry->help);
    }
}

static steno_status set_text(char **member, const char *value)
{
    char *copy = memory_duplicate(value);
    if (copy == NULL)
        return STENO_ERROR_MEMORY;
    memory_free(*member);
    *member = copy;
    return STENO_OK;
}

static steno_status set_list(
    const option_entry *entry, option_list *list, const char *value, option_setting how)
{
    if (how == OPTION_REPLACE)
        clear_list(list);
    return entry->kind == OPTION_LIST ? append_all(list, value)
                                      : option_list_append(list, value, strlen(value));
}

static steno_status put(
    void *member, const option_entry *entry, const char *value, uint32_t number, option_setting how)
{
    switch (entry->kind) {
    case OPTION_SWITCH:
        *(bool *)member = number != 0;
        return STENO_OK;
    case OPTION_NUMBER:
    case OPTION_CHOICE:
        *(uint32_t *)member = number;
        return STENO_OK;
    case OPTION_TEXT:
        return set_text(member, value);
    default:
        return set_list(entry, member, value, how);
    }
}

steno_status option_set(void *object, const option_entry *entry, const char *value,
    option_setting how, const char *where, steno_error *error)
{
    uint32_t number = 0;
    bool flag = false, right = true;
    if (entry->kind == OPTION_NUMBER)
        right = parse_number(entry, value, &number);
    else if (entry->kind == OPTION_CHOICE)
        right = parse_choice(entry, value, &number);
    else if (entry->kind == OPTION_SWITCH)
        right = parse_switch(value, &flag);
    else if (value[0] == '\0')
        return error_set(error, STENO_ERROR_ARGUMENT, "%s: the value is missing", where);
    if (!right)
        return refuse(entry, value, where, error);
    if (how == OPTION_CHECK)
        return STENO_OK;
    if (entry->kind == OPTION_SWITCH)
        number = flag;
    steno_status status = put(member_of(object, entry), entry, value, number, how);
    return status < 0 ? error_memory(error) : STENO_OK;
}

void option_finish(void *object, const option_entry *entry)
{
    void *member = member_of(object, entry);
    if (entry->kind == OPTION_TEXT) {
        memory_free(*(char **)member);
        *(char **)member = NULL;
    } else if (entry->kind == OPTION_LIST || entry->kind == OPTION_LINES) {
        clear_list(member);
    }
}

/* ---- Comparing ---- */

static bool is_equal_list(const option_list *a, const option_list *b)
{
    bool is_equal = a->count == b->count;
    for (size_t i = 0; is_equal && i < a->count; i++)
        is_equal = strcmp(a->items[i], b->items[i]) == 0;
    return is_equal;
}

bool option_is_equal(const option_entry *entry, const void *a, const void *b)
{
    const void *left = (const char *)a + entry->offset, *right = (const char *)b + entry->offset;
    if (entry->kind == OPTION_SWITCH)
        return *(const bool *)left == *(const bool *)right;
    if (entry->kind == OPTION_LIST || entry->kind == OPTION_LINES)
        return is_equal_list(left, right);
    if (entry->kind != OPTION_TEXT)
        return *(const uint32_t *)left == *(const uint32_t *)right;
    const char *one = *(char *const *)left, *other = *(char *const *)right;
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* ---- Help ---- */

/* Prints a text in lines of at most 60 characters, each after 27 spaces but the first. */
static void print_wrapped(FILE *output, const char *text)
{
    const size_t width = 60;
    while (strlen(text) > width) {
        size_t length = width;
        while (length > 0 && text[length] != ' ')
            length--;
        fprintf(output, "%.*s\n%27s", (int)length, text, "");
        text += length + 1;
    }
    fprintf(output, "%s", text);
}

void option_print_help(
    FILE *output, const option_entry *entry, const char *dashes, const char *equals)
{
    char head[64];
    snprintf(head, sizeof(head), "%s%s%s%s", dashes, entry->name,
        entry->argument != NULL ? equals : "", entry->argument != NULL ? entry->argument : "");
    /* A head that is too long stands in a line of its own. */
    if (strlen(head) < 25)
        fprintf(output, "  %-25s", head);
    else
        fprintf(output, "  %s\n%27s", head, "");
    print_wrapped(output, entry->help);
    if (entry->preset != NULL && strcmp(entry->preset, "0") != 0)
        fprintf(output, " (%s)", entry->preset);
    fprintf(output, "\n");
}
