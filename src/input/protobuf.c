// SPDX-License-Identifier: Apache-2.0
#include "input/protobuf.h"

#define NUMBER_MAX ((1U << 29) - 1) /* of a field */

bool protobuf_varint_long(struct reader *reader, uint64_t *ret)
{
	const unsigned char *at = reader->at, *end = reader->end;
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
		uint64_t byte = *at++;

		/* Of the tenth byte one bit is left. */
		if (shift == 63 && byte > 1)
			return false;
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			reader->at = at;
			*ret = value;
			return true;
		}
	}
	return false;
}

int protobuf_next(struct reader *reader, struct protobuf_field *ret)
{
	uint64_t key, size;

	if (!reader_left(reader))
		return PROTOBUF_END;
	if (!protobuf_varint(reader, &key) || !(key >> 3) || key >> 3 > NUMBER_MAX)
		return PROTOBUF_BAD;
	ret->number = (uint32_t)(key >> 3);
	ret->wire = (enum protobuf_wire)(key & 7);
	switch (ret->wire) {
	case PROTOBUF_VARINT:
		return protobuf_varint(reader, &ret->value) ? 0 : PROTOBUF_BAD;
	case PROTOBUF_BYTES:
		if (!protobuf_varint(reader, &size) || size > reader_left(reader))
			return PROTOBUF_BAD;
		ret->bytes = reader_of(reader->at, (size_t)size);
		reader->at += size;
		return 0;
	case PROTOBUF_FIXED64:
		ret->value = reader_u64(reader);
		return reader->overrun ? PROTOBUF_BAD : 0;
	case PROTOBUF_FIXED32:
		ret->value = reader_u32(reader);
		return reader->overrun ? PROTOBUF_BAD : 0;
	}
	return PROTOBUF_BAD;
}
