/* What tells files apart by their contents: the beginning of their SHA-256. */
#ifndef SPEECH_FINGERPRINT_H
#define SPEECH_FINGERPRINT_H

enum { FINGERPRINT_BYTES = 17 };

/* 16 hexadecimal digits, terminated; "" where the file can't be read, or is a pipe or a device,
 * which might never end. */
void fingerprint_file(const char *path, char out[FINGERPRINT_BYTES]);

#endif
