/*
 * Status codes and errors: every function of libsteno that can fail returns a
 * steno_status and, where it takes a steno_error, says in words what went wrong.
 *
 *     steno_error error;
 *     if (steno_model_open(path, NULL, &model, &error) < 0)
 *         fprintf(stderr, "%s\n", error.message);
 */
#ifndef STENO_STATUS_H
#define STENO_STATUS_H

#if defined(__GNUC__)
#define STENO_API __attribute__((visibility("default")))
#define STENO_PRINTF(string, first) __attribute__((format(printf, string, first)))
#else
#define STENO_API
#define STENO_PRINTF(string, first)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Zero is success, positive values are answers that are no failure ("not now"),
 * negative values are failures.  Values never change meaning. */
typedef enum steno_status {
    STENO_OK = 0,
    STENO_AGAIN = 1, /* nothing to give yet; ask again later */
    STENO_FULL = 2,  /* no room now; offer again later */
    STENO_END = 3,   /* nothing will ever come again */

    STENO_ERROR_ARGUMENT = -1,    /* the caller broke the contract */
    STENO_ERROR_MEMORY = -2,      /* an allocation failed */
    STENO_ERROR_NOT_FOUND = -3,   /* no such file, device or tensor */
    STENO_ERROR_PERMISSION = -4,  /* it is there but may not be read */
    STENO_ERROR_IO = -5,          /* reading or writing failed */
    STENO_ERROR_FORMAT = -6,      /* the bytes are not what they should be: damaged or unknown */
    STENO_ERROR_UNSUPPORTED = -7, /* valid, but not something this build or machine can do */
    STENO_ERROR_LIMIT = -8,       /* larger than a stated limit */
    STENO_ERROR_STATE = -9,       /* not allowed now (feeding after finish, say) */
    STENO_ERROR_INTERNAL = -10,   /* a library below failed in a way it never should */
} steno_status;

/* What went wrong, in words for a person: one line, no trailing newline, always terminated. */
typedef struct steno_error {
    steno_status status;
    char message[512];
} steno_error;

/* A short lower-case name such as "not found"; never NULL, also for unknown values. */
STENO_API const char *steno_status_name(steno_status status);

#ifdef __cplusplus
}
#endif

#endif
