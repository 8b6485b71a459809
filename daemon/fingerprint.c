#include "daemon/fingerprint.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>

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

void fingerprint_file(const char *path, char out[FINGERPRINT_BYTES])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    FILE *file = fopen(path, "re");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    out[0] = '\0';
    if (file != NULL && context != NULL && digest(file, context, hash))
        for (size_t i = 0; i < (FINGERPRINT_BYTES - 1) / 2; i++)
            snprintf(out + 2 * i, 3, "%02x", hash[i]);
    if (file != NULL)
        fclose(file);
    EVP_MD_CTX_free(context);
}
