#include "access/certificates.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"

#define PEM_MAX_BYTES (1 << 20)

/* ---- Files ---- */

/* A whole text file.  What is read of a key must not stay in a buffer of stdio's. */
static steno_status read_text(const char *path, char **out_text, steno_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_errno(error, path, errno);
    setvbuf(file, NULL, _IONBF, 0);
    char *text = memory_allocate(PEM_MAX_BYTES + 1, 1);
    steno_status status = STENO_OK;
    if (text == NULL) {
        status = error_memory(error);
    } else {
        size_t size = fread(text, 1, PEM_MAX_BYTES + 1, file);
        if (ferror(file))
            status = error_errno(error, path, errno);
        else if (size > PEM_MAX_BYTES)
            status = error_set(error, STENO_ERROR_LIMIT, "%s: too large for a PEM file", path);
        else
            text[size] = '\0';
    }
    fclose(file);
    if (status < 0)
        memory_free(text);
    else
        *out_text = text;
    return status;
}

/* ---- Checks ---- */

/* A key with a passphrase is none that a daemon could use. */
static int no_passphrase(char *buffer, int size, int is_writing, void *context)
{
    return -1;
}

/* All certificates of the text must be sound; the first one is the caller's. */
static X509 *parse_chain(const char *text)
{
    BIO *source = BIO_new_mem_buf(text, -1);
    X509 *first = source != NULL ? PEM_read_bio_X509(source, NULL, no_passphrase, NULL) : NULL;
    X509 *next = first;
    while (next != NULL) {
        next = PEM_read_bio_X509(source, NULL, no_passphrase, NULL);
        unsigned long code = ERR_peek_last_error();
        bool is_end =
            ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
        if (next == NULL && !is_end) {
            X509_free(first);
            first = NULL;
        }
        X509_free(next);
    }
    BIO_free(source);
    ERR_clear_error();
    return first;
}

static EVP_PKEY *parse_key(const char *text)
{
    BIO *source = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key =
        source != NULL ? PEM_read_bio_PrivateKey(source, NULL, no_passphrase, NULL) : NULL;
    BIO_free(source);
    ERR_clear_error();
    return key;
}

static int64_t end_of(const X509 *certificate)
{
    struct tm date;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &date) != 1)
        return 0;
    return (int64_t)timegm(&date);
}

static steno_status check_pair(
    const char *chain_path, const char *key_path, certificates *self, steno_error *error)
{
    X509 *certificate = parse_chain(self->chain);
    EVP_PKEY *key = parse_key(self->key);
    steno_status status = STENO_OK;
    if (certificate == NULL)
        status = error_set(error, STENO_ERROR_FORMAT,
            "%s: holds no certificate in PEM, or a damaged one", chain_path);
    else if (key == NULL)
        status = error_set(error, STENO_ERROR_FORMAT,
            "%s: holds no private key in PEM without a passphrase, or a damaged one", key_path);
    else if (X509_check_private_key(certificate, key) != 1)
        status = error_set(error, STENO_ERROR_ARGUMENT,
            "%s and %s do not belong together: the key is of another certificate", chain_path,
            key_path);
    else
        self->expires_s = end_of(certificate);
    ERR_clear_error();
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

static steno_status check_ca(const char *path, const char *text, steno_error *error)
{
    X509 *first = parse_chain(text);
    if (first == NULL)
        return error_set(
            error, STENO_ERROR_FORMAT, "%s: holds no certificate in PEM, or a damaged one", path);
    X509_free(first);
    return STENO_OK;
}

steno_status certificates_read(const char *chain_path, const char *key_path,
    const char *client_ca_path, certificates *out_certificates, steno_error *error)
{
    certificates read = {0};
    steno_status status = read_text(chain_path, &read.chain, error);
    if (status == STENO_OK)
        status = read_text(key_path, &read.key, error);
    if (status == STENO_OK && client_ca_path != NULL)
        status = read_text(client_ca_path, &read.client_ca, error);
    if (status == STENO_OK)
        status = check_pair(chain_path, key_path, &read, error);
    if (status == STENO_OK && client_ca_path != NULL)
        status = check_ca(client_ca_path, read.client_ca, error);
    if (status == STENO_OK)
        *out_certificates = read;
    else
        certificates_finish(&read);
    return status;
}

void certificates_finish(certificates *self)
{
    if (self->key != NULL)
        OPENSSL_cleanse(self->key, strlen(self->key));
    memory_free(self->chain);
    memory_free(self->key);
    memory_free(self->client_ca);
    *self = (certificates){0};
}
