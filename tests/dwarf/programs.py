# SPDX-License-Identifier: Apache-2.0
"""Large programs of every origin, for agreement.py --programs. Each function makes one in a folder of
its own, and returns (path, debug file or '', what others are asked for instead of path or None), or None
where this system has nothing to make it of."""
import concurrent.futures
import os
import re
import shutil
import subprocess

# No header of the library: hundreds of units that have some would take minutes to compile.
COMMON = r'''
template <class T> struct box {
	T value;
	explicit box(T v) : value(v) {}
	T get() const { return value; }
	template <class F> auto map(F f) const { return box<decltype(f(value))>(f(value)); }
};

template <class T> static inline void exchange(T &a, T &b) { T c = a; a = b; b = c; }

template <class T, class Less> void sort(T *from, T *to, Less less)
{
	if (to - from < 2)
		return;
	T pivot = from[(to - from) / 2], *low = from, *high = to - 1;
	while (low <= high) {
		while (less(*low, pivot))
			low++;
		while (less(pivot, *high))
			high--;
		if (low <= high)
			exchange(*low++, *high--);
	}
	sort(from, high + 1, less);
	sort(low, to, less);
}

template <int N> struct digits {
	static inline long sum(long x) { return x % 10 + digits<N - 1>::sum(x / 10); }
};
template <> struct digits<0> { static inline long sum(long x) { return x; } };

struct shape {
	virtual ~shape() {}
	virtual long area() const = 0;
};

template <class T> static inline long gather(const T *items, int count)
{
	long all = 0;
	for (int i = 0; i < count; i++)
		all += box<long>(items[i].weight()).map([](long x) { return x * 3; }).get();
	return all;
}
'''

UNIT = r'''
#include "common.h"

namespace unit{n} {{
struct item {{
	int key; long value;
	long weight() const {{ return digits<{digits}>::sum(value) + key; }}
	bool operator<(const item &o) const {{ return key < o.key || (key == o.key && value < o.value); }}
}};
struct square : shape {{
	long side;
	explicit square(long s) : side(s) {{}}
	long area() const override {{ return side * side + {n}; }}
}};
struct ring : shape {{
	square outer, inner;
	explicit ring(long s) : outer(s), inner(s - 1) {{}}
	long area() const override {{ return outer.area() - inner.area(); }}
}};
static __attribute__((noinline)) long measure(const shape &s) {{ return s.area() ^ {n}; }}
static long twice(long x) {{ return x > {n} ? twice(x - {n} - 1) + 1 : x; }}

long work(long *out, int count)
{{
	item items[64];
	for (int i = 0; i < 64; i++)
		items[i] = {{ (i * {odd} + count) % 61, count * 7919L + i }};
	sort(items, items + 64, [](const item &a, const item &b) {{ return a < b; }});
	sort(out, out + count, [](long a, long b) {{ return a % {odd} < b % {odd}; }});
	long all = gather(items, 64);
	if (count & 1)
		all += measure(ring(all % 1000));
	else
		all += measure(square(out[0]));
	if (all % 77 == 76)
		throw all;
	return twice(all % 100000) + all;
}}
}}
long work{n}(long *out, int count) {{ return unit{n}::work(out, count); }}
'''


def run(command, folder):
    subprocess.run(command, cwd=folder, check=True, timeout=300, stderr=subprocess.DEVNULL)


def write(folder, name, text):
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
        file.write(text)


def units(folder, count):
    """The C++ files of a program with so many units and one for main."""
    write(folder, 'common.h', COMMON)
    names = ['main.cc']
    calls = ''.join(f'\tall += work{n}(data, 50);\n' for n in range(count))
    write(folder, 'main.cc', ''.join(f'long work{n}(long *out, int count);\n'
                                     for n in range(count)) +
          f'int main(int count, char **)\n{{\n\tlong data[50] = {{}}, all = count;\n{calls}'
          '\treturn (int)all;\n}\n')
    for n in range(count):
        names.append(f'unit{n}.cc')
        write(folder, names[-1], UNIT.format(n=n, digits=n % 7 + 1, odd=2 * n + 3))
    return names


def cpp(folder, count, command, *link):
    names = units(folder, count)
    parts = os.cpu_count() or 1
    with concurrent.futures.ThreadPoolExecutor(parts) as pool:
        for done in [pool.submit(run, [*command, '-c', *names[part::parts]], folder)
                     for part in range(min(parts, len(names)))]:
            done.result()
    run([*command, *link, *[name.replace('.cc', '.o') for name in names], '-o', 'program'], folder)
    return os.path.join(folder, 'program')


def library(_):
    """The C library and its debug file from Debian's libc6-dbg."""
    found = re.search(r'=> (\S+/libc\.so\.6) ', subprocess.run(
        ['ldd', shutil.which('ls')], capture_output=True, text=True, check=True).stdout)
    notes = subprocess.run(['readelf', '-n', found[1]], capture_output=True, text=True,
                           check=True).stdout
    identity = re.search(r'Build ID: (\w\w)(\w+)', notes)
    debug = f'/usr/lib/debug/.build-id/{identity[1]}/{identity[2]}.debug'
    return (found[1], debug, None) if os.path.exists(debug) else None


def rust(folder):
    """Distributions' rustc; its standard library, which has debug information, is linked in."""
    targets = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../targets/generics.rs')
    rustc = '/usr/bin/rustc' if os.path.exists('/usr/bin/rustc') else shutil.which('rustc')
    if not rustc:
        return None
    run([rustc, '-g', '-O', targets, '-o', 'program'], folder)
    return os.path.join(folder, 'program'), '', None


def type_units(folder):
    return cpp(folder, 300, ['g++', '-O2', '-g', '-fdebug-types-section']), '', None


def without_aranges(folder):
    path = cpp(folder, 300, ['clang++', '-O2', '-g'])
    sections = subprocess.run(['readelf', '-SW', path], capture_output=True, text=True,
                              check=True).stdout
    assert '.debug_info' in sections and '.debug_aranges' not in sections
    return path, '', None


def link_time(folder):
    return cpp(folder, 60, ['g++', '-O2', '-g', '-flto=1'], '-Wl,--gc-sections'), '', None


def package(folder):
    path = cpp(folder, 100, ['clang++', '-O2', '-g', '-gsplit-dwarf'])
    run(['sh', '-c', 'llvm-dwp -e program -o program.dwp && rm -- *.dwo'], folder)
    return path, '', None


PROGRAMS = {
    'C library': library,
    'Rust': rust,
    'C++, 301 units and types': type_units,
    'C++, 301 units without .debug_aranges': without_aranges,
    'C++, 61 units, LTO': link_time,
    'C++, 101 units in a package': package,
}
