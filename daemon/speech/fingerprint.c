#include "speech/fingerprint.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 16 };

static bool digest(FILE *file, EVP_MD_CTX *context, unsigned char hash[EVP_MAX_MD_SIZE])
{
    unsigned char piece[PIECE_BYTES];
    if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        return false;
    for (size_t size; (size = fread(piece, 1, sizeof(piece), file)) > 0;)
        if (EVP_DigestUpdate(context, piece, size) != 1)
            return false;
    return !ferror(file) && EVP_DigestFinal_ex(context, hash, NULL) == 1;
}

/* NULL where it isn't a regular file or can't be read; a pipe without a writer is not waited for.
 */
static FILE *open_regular(const char *path)
{
    struct stat there;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return NULL;
    FILE *stream = NULL;
    if (fstat(file, &there) == 0 && S_ISREG(there.st_mode))
        stream = fdopen(file, "r");
    if (stream == NULL)
        close(file);
    return stream;
}

void fingerprint_file(const char *path, char out[FINGERPRINT_BYTES])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    FILE *file = open_regular(path);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    out[0] = '\0';
    if (file != NULL && context != NULL && digest(file, context, hash))
        for (size_t i = 0; i < (FINGERPRINT_BYTES - 1) / 2; i++)
            snprintf(out + 2 * i, 3, "%02x", hash[i]);
    if (file != NULL)
        fclose(file);
    EVP_MD_CTX_free(context);
}
