#include "token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum { SALT_BYTES = 16, SECRET_BYTES = 32, FILE_MAX_BYTES = 1 << 20 };

/* ---- Lines ---- */

static steno_status append(token_file *self, const char *line, size_t size, steno_error *error)
{
    char **lines = realloc(self->lines, (self->count + 1) * sizeof *lines);
    char *copy = strndup(line, size);
    if (lines != NULL)
        self->lines = lines;
    if (lines == NULL || copy == NULL) {
        free(copy);
        return failure_memory(error);
    }
    self->lines[self->count++] = copy;
    return STENO_OK;
}

static steno_status read_lines(token_file *self, FILE *file, steno_error *error)
{
    char *line = NULL;
    size_t room = 0, total = 0;
    ssize_t size;
    steno_status status = STENO_OK;
    while (status == STENO_OK && (size = getline(&line, &room, file)) > 0) {
        total += (size_t)size;
        if (total > FILE_MAX_BYTES)
            status = failure_set(
                error, STENO_ERROR_LIMIT, "%s: not a file of tokens: too large", self->path);
        else
            status = append(self, line, strcspn(line, "\r\n"), error);
    }
    if (status == STENO_OK && ferror(file))
        status = failure_errno(error, self->path, errno);
    free(line);
    return status;
}

static bool is_name(const char *text)
{
    size_t length = strspn(text, NAME_CHARACTERS);
    return length > 0 && length <= TOKEN_NAME_MAX && text[length] == '\0';
}

bool token_file_entry(const token_file *self, size_t line, token_entry *out_entry)
{
    token_entry entry = {.max_streams = TOKEN_NO_LIMIT};
    char kind[8], hashes[2][68];
    int used = 0;
    const char *text = self->lines[line];
    if (sscanf(text, "%64s %7s %67s %67s %n", entry.name, kind, hashes[0], hashes[1], &used) < 4 ||
        entry.name[0] == '#' || strcmp(kind, "sha256") != 0)
        return false;
    const char *streams = strstr(text + used, "streams="),
               *created = strstr(text + used, "created=");
    if (streams != NULL)
        entry.max_streams = (uint32_t)strtoul(streams + strlen("streams="), NULL, 10);
    if (created != NULL)
        sscanf(created + strlen("created="), "%31s", entry.created);
    *out_entry = entry;
    return true;
}

/* The line of a name; count: there is none.  Counts the entries on its way. */
static size_t find(const token_file *self, const char *name, size_t *out_entries)
{
    size_t found = self->count, entries = 0;
    for (size_t i = 0; i < self->count; i++) {
        token_entry entry;
        if (!token_file_entry(self, i, &entry))
            continue;
        entries++;
        if (strcmp(entry.name, name) == 0)
            found = i;
    }
    *out_entries = entries;
    return found;
}

/* ---- Tokens ---- */

static void to_hexadecimal(const unsigned char *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++)
        sprintf(out + 2 * i, "%02x", bytes[i]);
}

/* In letters that need no quotes anywhere: base64 as for addresses, without padding. */
static void write_token(const unsigned char secret[SECRET_BYTES], char out[TOKEN_BYTES])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t used = (size_t)snprintf(out, TOKEN_BYTES, "steno_");
    for (size_t bit = 0; bit < 8 * SECRET_BYTES; bit += 6) {
        unsigned high = secret[bit / 8];
        unsigned low = bit / 8 + 1 < SECRET_BYTES ? secret[bit / 8 + 1] : 0;
        out[used++] = letters[((high << 8 | low) >> (10 - bit % 8)) & 63];
    }
    out[used] = '\0';
}

/* Of the salt and the token's characters. */
static bool hash_token(const unsigned char salt[SALT_BYTES], const char *token, unsigned char *out)
{
    unsigned char joined[SALT_BYTES + TOKEN_BYTES];
    size_t size = strlen(token);
    memcpy(joined, salt, SALT_BYTES);
    memcpy(joined + SALT_BYTES, token, size);
    bool done = EVP_Digest(joined, SALT_BYTES + size, out, NULL, EVP_sha256(), NULL) == 1;
    explicit_bzero(joined, sizeof joined);
    return done;
}

/* A line for `name`, and its new token. */
static steno_status make_line(const char *name, uint32_t max_streams, char *line, size_t size,
    char token[TOKEN_BYTES], steno_error *error)
{
    unsigned char random[SALT_BYTES + SECRET_BYTES], hash[EVP_MAX_MD_SIZE];
    char salt_text[2 * SALT_BYTES + 1], hash_text[2 * 32 + 1], limit[24] = "", created[32];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return failure_set(error, STENO_ERROR_INTERNAL, "the system has no random numbers");
    write_token(random + SALT_BYTES, token);
    if (!hash_token(random, token, hash))
        return failure_set(error, STENO_ERROR_INTERNAL, "libcrypto has no SHA-256");
    to_hexadecimal(random, SALT_BYTES, salt_text);
    to_hexadecimal(hash, 32, hash_text);
    explicit_bzero(random, sizeof random);
    if (max_streams != TOKEN_NO_LIMIT)
        snprintf(limit, sizeof limit, " streams=%u", (unsigned)max_streams);
    time_t now = time(NULL);
    struct tm date;
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &date));
    snprintf(
        line, size, "%s sha256 %s %s%s created=%s", name, salt_text, hash_text, limit, created);
    return STENO_OK;
}

steno_status token_file_add(token_file *self, const char *name, uint32_t max_streams,
    char out_token[TOKEN_BYTES], steno_error *error)
{
    char line[512];
    size_t entries;
    if (!is_name(name))
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "'%.80s' is no name: 1 to 64 letters, digits, dots, dashes and underscores", name);
    if (find(self, name, &entries) < self->count)
        return failure_set(error, STENO_ERROR_ARGUMENT,
            "%s: %s has a token already; revoke it first", self->path, name);
    if (entries >= TOKENS_MAX)
        return failure_set(error, STENO_ERROR_LIMIT, "%s: has %d tokens, which is the most",
            self->path, (int)TOKENS_MAX);
    steno_status status = make_line(name, max_streams, line, sizeof line, out_token, error);
    return status == STENO_OK ? append(self, line, strlen(line), error) : status;
}

steno_status token_file_remove(token_file *self, const char *name, steno_error *error)
{
    size_t entries, found = find(self, name, &entries);
    if (found == self->count)
        return failure_set(
            error, STENO_ERROR_NOT_FOUND, "%s: there is no token of %.80s", self->path, name);
    free(self->lines[found]);
    self->count--;
    memmove(
        self->lines + found, self->lines + found + 1, (self->count - found) * sizeof *self->lines);
    return STENO_OK;
}

/* ---- The file ---- */

/* Owner, group and mode as the file has them, else for its owner and group alone. */
static void keep_owner(int from, int to)
{
    struct stat there;
    if (from < 0 || fstat(from, &there) != 0) {
        (void)fchmod(to, 0640);
        return;
    }
    /* Who may not give it away keeps it: readable to nobody more than before. */
    if (fchown(to, there.st_uid, there.st_gid) != 0)
        (void)fchmod(to, there.st_mode & 0700);
    else
        (void)fchmod(to, there.st_mode & 0777);
}

/* Where the file itself lies: a link is followed, so that it stays one; and what takes its place
 * must not take a device's. */
static steno_status find_target(token_file *self, steno_error *error)
{
    struct stat there;
    bool is_there = stat(self->path, &there) == 0;
    if (is_there && !S_ISREG(there.st_mode))
        return failure_set(error, STENO_ERROR_IO, "%s: not a regular file", self->path);
    self->target = is_there ? realpath(self->path, NULL) : strdup(self->path);
    return self->target != NULL ? STENO_OK : failure_errno(error, self->path, errno);
}

static steno_status open_draft(token_file *self, steno_error *error)
{
    steno_status status = find_target(self, error);
    if (status < 0)
        return status;
    if (asprintf(&self->draft, "%s.new", self->target) < 0) {
        self->draft = NULL;
        return failure_memory(error);
    }
    self->draft_fd = open(self->draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (self->draft_fd < 0 && errno == EEXIST)
        return failure_set(error, STENO_ERROR_STATE,
            "%s is there: somebody is changing %s, or was stopped while doing so", self->draft,
            self->path);
    return self->draft_fd >= 0 ? STENO_OK : failure_errno(error, self->path, errno);
}

steno_status token_file_open(
    token_file *self, const char *path, bool for_writing, steno_error *error)
{
    *self = (token_file){.path = path, .draft_fd = -1};
    steno_status status = for_writing ? open_draft(self, error) : STENO_OK;
    if (status < 0)
        return status;
    FILE *file = fopen(path, "re");
    if (file == NULL && (errno != ENOENT || !for_writing))
        return failure_errno(error, path, errno);
    if (for_writing)
        keep_owner(file != NULL ? fileno(file) : -1, self->draft_fd);
    if (file != NULL) {
        status = read_lines(self, file, error);
        fclose(file);
    } else {
        static const char about[] = "# Tokens of stenod; \"steno token\" changes this file.";
        status = append(self, about, strlen(about), error);
    }
    return status;
}

steno_status token_file_save(token_file *self, steno_error *error)
{
    FILE *file = fdopen(self->draft_fd, "w");
    if (file == NULL)
        return failure_errno(error, self->draft, errno);
    self->draft_fd = -1;
    for (size_t i = 0; i < self->count; i++)
        fprintf(file, "%s\n", self->lines[i]);
    bool is_written = fflush(file) == 0 && !ferror(file) && fsync(fileno(file)) == 0;
    int code = errno;
    if (fclose(file) != 0 && is_written) {
        is_written = false;
        code = errno;
    }
    if (is_written && rename(self->draft, self->target) == 0) {
        free(self->draft);
        self->draft = NULL;
        return STENO_OK;
    }
    return failure_errno(error, self->path, is_written ? errno : code);
}

void token_file_close(token_file *self)
{
    /* Ours only if it could be made. */
    bool is_ours = self->draft_fd >= 0 || self->lines != NULL;
    if (self->draft_fd >= 0)
        close(self->draft_fd);
    if (self->draft != NULL && is_ours)
        unlink(self->draft);
    free(self->draft);
    free(self->target);
    for (size_t i = 0; i < self->count; i++)
        free(self->lines[i]);
    free(self->lines);
    *self = (token_file){.draft_fd = -1};
}
