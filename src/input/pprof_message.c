// SPDX-License-Identifier: Apache-2.0
/* Fields of messages, and the strings and the memory behind them. */
#include "input/pprof_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pprof_refuse(struct pprof *pprof, const char *format, ...)
{
	char *reason = pprof->report->reason;
	size_t size = sizeof(pprof->report->reason), used = 0;
	va_list list;

	if (pprof->what)
		used = (size_t)snprintf(reason, size, ": %s %" PRIu64, pprof->what, pprof->number);
	used += (size_t)snprintf(reason + used, size - used, ": ");
	va_start(list, format);
	vsnprintf(reason + used, size - used, format, list);
	va_end(list);
	return INPUT_REFUSED;
}

int pprof_next(struct pprof *pprof, struct reader *message, struct protobuf_field *ret)
{
	int r = protobuf_next(message, ret);

	if (r == 0)
		return 0;
	return r == PROTOBUF_END ? MESSAGE_END : pprof_refuse(pprof, "it is cut off or damaged");
}

int pprof_wrong_wire(struct pprof *pprof, const struct protobuf_field *field)
{
	return pprof_refuse(pprof,
			    "field %" PRIu32 " is stored in a way (%d) that pprof does not know",
			    field->number, (int)field->wire);
}

int pprof_number(struct pprof *pprof, const struct protobuf_field *field, uint64_t *ret)
{
	if (field->wire != PROTOBUF_VARINT)
		return pprof_wrong_wire(pprof, field);
	*ret = field->value;
	return 0;
}

int pprof_small(struct pprof *pprof, const struct protobuf_field *field, uint32_t *ret)
{
	uint64_t number = 0;
	int r = pprof_number(pprof, field, &number);

	if (r == 0)
		*ret = number <= INT32_MAX ? (uint32_t)number : 0;
	return r;
}

int pprof_string(struct pprof *pprof, uint32_t *ret, uint64_t text)
{
	struct text *found;
	uint32_t id;
	int r;

	/* A file without strings has the empty one. */
	if (!text) {
		*ret = 0;
		return 0;
	}
	if (text >= pprof->texts.count)
		return pprof_refuse(pprof, "it names string %" PRIu64 ", of %" PRIu32, text,
				    pprof->texts.count);
	found = &pprof->texts.at[text];
	if (!found->id) {
		r = profile_string_of(pprof->profile, &id, (const char *)found->at, found->size);
		if (r != 0)
			return r == PROFILE_FULL ? NO_ROOM : r;
		found->id = id + 1;
	}
	*ret = found->id - 1;
	return 0;
}

int pprof_take_string(struct pprof *pprof, const struct protobuf_field *field, uint32_t *ret)
{
	uint64_t text = 0;
	int r = pprof_number(pprof, field, &text);

	return r ? r : pprof_string(pprof, ret, text);
}

uint64_t pprof_bytes(const struct pprof *pprof)
{
	uint64_t numbered = pprof->mapping_count + pprof->function_count + pprof->location_count;

	return pprof->file.size + pprof->texts.capacity * (uint64_t)sizeof(*pprof->texts.at) +
	       pprof->comments.capacity * (uint64_t)sizeof(*pprof->comments.at) +
	       numbered * ID_TABLE_BYTES + profile_bytes(pprof->profile) +
	       pprof->inlined_frames * PROFILE_FRAME_BYTES;
}

int pprof_check_memory(struct pprof *pprof, uint64_t number)
{
	if (number % CHECK_ITEMS || pprof_bytes(pprof) < pprof->limit_bytes)
		return 0;
	pprof->what = NULL;
	return pprof_refuse(pprof, "the file takes more memory than it may, %" PRIu64 " MiB",
			    pprof->limit_bytes >> 20);
}
