/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire format of Protocol Buffers (protobuf.dev, "Encoding"): a message is a run of fields, each
 * with its number and how it is stored. What they mean, and in which order they come, is for others.
 */
#pragma once

#include "base/bytes.h"

enum protobuf_wire {
	PROTOBUF_VARINT = 0,
	PROTOBUF_FIXED64 = 1,
	PROTOBUF_BYTES = 2,
	PROTOBUF_FIXED32 = 5, /* 3 and 4, groups, are of a time before pprof */
};

struct protobuf_field {
	uint32_t number; /* 1..2^29-1 */
	enum protobuf_wire wire;
	uint64_t value;	     /* of a number */
	struct reader bytes; /* of PROTOBUF_BYTES: a text, a message or packed numbers; borrowed */
};

/* Named outcomes of protobuf_next: the message is over; it is cut off, or none. */
enum { PROTOBUF_END = 1, PROTOBUF_BAD = 2 };

/* A number of more than two bytes, or none that is whole. See protobuf_varint. */
bool protobuf_varint_long(struct reader *reader, uint64_t *ret);

/* Reads a number into *ret. Returns false when it is cut off or has more than 64 bits. */
static inline bool protobuf_varint(struct reader *reader, uint64_t *ret)
{
	const unsigned char *at = reader->at;

	if (at < reader->end && at[0] < 0x80) {
		*ret = at[0];
		reader->at = at + 1;
		return true;
	}
	if (reader->end - at >= 2 && at[1] < 0x80) {
		*ret = (uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7;
		reader->at = at + 2;
		return true;
	}
	return protobuf_varint_long(reader, ret);
}

/* Reads the next field into *ret. Returns 0, PROTOBUF_END or PROTOBUF_BAD. */
int protobuf_next(struct reader *reader, struct protobuf_field *ret);
