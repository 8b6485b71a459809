/* Protobuf messages written by hand, field by field, independently of generated code. */
#ifndef UNIT_DAEMON_WIRE_BYTES_H
#define UNIT_DAEMON_WIRE_BYTES_H

#include <stdint.h>
#include <string.h>

typedef struct bytes {
    uint8_t data[1 << 16];
    size_t size;
} bytes;

static inline void bytes_varint(bytes *b, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        b->data[b->size++] = (uint8_t)(value | 0x80);
    b->data[b->size++] = (uint8_t)value;
}

static inline void bytes_number(bytes *b, unsigned field, int64_t value)
{
    bytes_varint(b, (uint64_t)field << 3);
    bytes_varint(b, (uint64_t)value);
}

static inline void bytes_block(bytes *b, unsigned field, const void *data, size_t size)
{
    bytes_varint(b, (uint64_t)field << 3 | 2);
    bytes_varint(b, size);
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void bytes_text(bytes *b, unsigned field, const char *text)
{
    bytes_block(b, field, text, strlen(text));
}

static inline void bytes_message(bytes *b, unsigned field, const bytes *inner)
{
    bytes_block(b, field, inner->data, inner->size);
}

static inline void bytes_float(bytes *b, unsigned field, float value)
{
    bytes_varint(b, (uint64_t)field << 3 | 5);
    memcpy(b->data + b->size, &value, sizeof value);
    b->size += sizeof value;
}

#endif
