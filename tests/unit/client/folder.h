/* A folder of its own for a test's files, removed when the test ends. */
#ifndef TEST_CLIENT_FOLDER_H
#define TEST_CLIENT_FOLDER_H

/* For a Check fixture. */
void folder_make(void);
void folder_remove(void);

/* FOLDER/name; valid until the eighth call after. */
const char *folder_path(const char *name);
/* Writes a file of this text and gives its path. */
const char *folder_write(const char *name, const char *text);
/* The text of a file, to be freed; NULL if there is none. */
char *folder_read(const char *name);
/* How many files are in it. */
int folder_count(void);

#endif
