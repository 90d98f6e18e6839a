// SPDX-License-Identifier: Apache-2.0
/* Throws through frames of all sorts, each throw once or twice: it costs ten thousand instructions. */
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{
int destroyed;

struct Ballast {
	int value;
	~Ballast()
	{
		destroyed += value;
	}
};

__attribute__((noipa)) int dive(int left)
{
	Ballast ballast{ left };

	if (left == 0)
		throw std::runtime_error("surface");
	return dive(left - 1) + ballast.value;
}

/* A landing pad in every second frame, which throws again. */
__attribute__((noipa)) int dive_and_look(int left)
{
	try {
		return left ? dive_and_look(left - 1) + 1 : dive(2);
	} catch (const std::exception &) {
		if (left % 2)
			throw;
		throw std::string("from ") + std::to_string(left);
	} catch (...) {
		throw;
	}
}

/* A frame of a size that is known only here, and one that is aligned by force. */
__attribute__((noipa)) int dive_from_alloca(int size)
{
	volatile char *room =
		static_cast<volatile char *>(__builtin_alloca(static_cast<size_t>(size)));
	alignas(64) volatile char aligned[64];
	Ballast ballast{ 1 };

	room[0] = aligned[0] = 1;
	return dive(1) + room[0] + aligned[0] + ballast.value;
}

__attribute__((noipa)) void catches(const std::function<int()> &function)
{
	try {
		function();
		std::abort();
	} catch (const std::exception &e) {
		destroyed += e.what()[0] == '\0';
	} catch (const std::string &text) {
		destroyed += text.empty();
	}
}

/* Past a frame of the C library. */
int compare(const void *a, const void *b)
{
	if (*static_cast<const int *>(a) == 3 || *static_cast<const int *>(b) == 3)
		throw std::out_of_range("three");
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

class Late
{
	std::vector<std::unique_ptr<Ballast>> parts;

      public:
	Late()
	{
		for (int i = 0; i < 3; i++)
			parts.push_back(std::make_unique<Ballast>(Ballast{ i }));
		parts.at(7);
	}
};
} // namespace

int main()
{
	catches([] { return dive(6); });
	catches([] { return dive_and_look(2); });
	catches([] { return dive_from_alloca(100); });
	catches([] {
		int numbers[] = { 5, 3, 1, 4 };

		qsort(numbers, 4, sizeof(*numbers), compare);
		return numbers[0];
	});
	catches([] {
		Late late;
		return 0;
	});
	printf("%d\n", destroyed);
	return 0;
}
