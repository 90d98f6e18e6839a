// SPDX-License-Identifier: Apache-2.0
/*
 * exceptions [SECONDS]
 *
 * Throws through ten frames with destructors and catches in `attempt`. True stacks: main, attempt,
 * Diver::dive(int) up to 10 times, then either Diver::work() or __cxa_throw and the unwinder of
 * libgcc; or a destructor reached from a landing pad.
 */
#include <stdexcept>

#include "target.h"

namespace
{
struct Ballast {
	uint64_t *value;
	explicit Ballast(uint64_t *where) : value(where)
	{
	}
	FUNCTION ~Ballast()
	{
		*value = target_work(*value, 200);
	}
};
} // namespace

class Diver
{
      public:
	uint64_t value = 1;
	LEAF void work()
	{
		value = target_work(value, 4000);
	}
	FUNCTION void dive(int left);
};

void Diver::dive(int left)
{
	Ballast ballast(&value);

	if (left > 1)
		dive(left - 1);
	work();
	throw std::runtime_error("surface");
}

FUNCTION static uint64_t attempt(Diver &diver)
{
	try {
		diver.dive(10);
	} catch (const std::exception &) {
		diver.value++;
	}
	return diver.value;
}

int main(int argc, char **argv)
{
	Diver diver;

	target_begin(argc > 1 ? argv[1] : nullptr);
	target_ready();
	while (!target_stopped)
		attempt(diver);
	printf("{\"value\": %llu}\n", (unsigned long long)diver.value);
	return 0;
}
