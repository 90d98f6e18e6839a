// SPDX-License-Identifier: Apache-2.0
#include "worker/ask_code.h"

#include <errno.h>

#include "worker/reader_request.h"

struct code_answer {
	struct code_listing *listing;
	uint64_t address;
};

static int take_code(void *context, int result, const unsigned char *data, size_t size)
{
	const struct code_answer *answer = context;

	if (result > 0)
		return result <= WIRE_CODE_NO_DECODER ? result : -EBADMSG;
	return answer_code(answer->listing, answer->address, data, size);
}

int ask_code(struct workers *workers, struct code_listing *ret, struct object *object,
	     uint64_t address)
{
	struct code_answer answer = { ret, address };
	const struct reader_request request = { .what = READER_CODE,
						.payload = &address,
						.size = sizeof(address),
						.lines = true,
						.take = take_code,
						.context = &answer };

	return reader_request(workers, object, &request);
}
