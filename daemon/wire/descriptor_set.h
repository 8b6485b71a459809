/* What proto/ describes, as a serialised google.protobuf.FileDescriptorSet that imports nothing
 * from outside; generated into the build folder. */
#ifndef WIRE_DESCRIPTOR_SET_H
#define WIRE_DESCRIPTOR_SET_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t descriptor_set[];
extern const size_t descriptor_set_size;

#endif
