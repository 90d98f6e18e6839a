#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a large C++ file to compile: generate_cpp.py [UNITS] > large.cc

Standard containers and algorithms of many distinct types, so that the compiler instantiates,
inlines and optimises a lot. One unit is about 0.4 s of clang++-14 -O2. Always the same text.
"""
import sys

HEAD = '''#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

template <int N> struct Fib { static constexpr long value = Fib<N - 1>::value + Fib<N - 2>::value; };
template <> struct Fib<0> { static constexpr long value = 0; };
template <> struct Fib<1> { static constexpr long value = 1; };
'''

UNIT = '''
namespace unit{n} {{
struct Key {{
	int a; long b; std::string name;
	bool operator<(const Key &o) const {{ return std::tie(a, b, name) < std::tie(o.a, o.b, o.name); }}
	bool operator==(const Key &o) const {{ return a == o.a && b == o.b && name == o.name; }}
}};
struct Hash {{ size_t operator()(const Key &k) const {{ return k.a * 31u + std::hash<std::string>()(k.name) + {n}; }} }};
template <class T, int D> struct Tree {{
	std::unique_ptr<Tree<T, D - 1>> left, right; T value;
	T sum() const {{ return value + (left ? left->sum() : T()) + (right ? right->sum() : T()); }}
}};
template <class T> struct Tree<T, 0> {{ T value; T sum() const {{ return value; }} }};

std::map<Key, std::vector<std::string>> index{n};
std::unordered_map<Key, std::set<long>, Hash> table{n};

long work(const std::vector<Key> &keys)
{{
	std::vector<Key> sorted(keys);
	std::sort(sorted.begin(), sorted.end());
	std::stable_sort(sorted.begin(), sorted.end(), [](const Key &x, const Key &y) {{ return x.b > y.b; }});
	std::function<long(long)> f = [&](long x) {{ return x < 2 ? {n} : f(x - 1) + Fib<{fib}>::value; }};
	for (const auto &key : sorted) {{
		index{n}[key].push_back(key.name + std::to_string(key.a));
		table{n}[key].insert(f(key.b));
	}}
	std::ostringstream out;
	for (const auto &[key, names] : index{n})
		for (const auto &name : names)
			out << key.a << ':' << name << '\\n';
	std::regex pattern("unit{n}-([a-z]+)[0-9]*");
	std::string text = out.str();
	long found = std::distance(std::sregex_iterator(text.begin(), text.end(), pattern), std::sregex_iterator());
	Tree<double, {tree}> tree{{}};
	std::tuple<int, long, std::string, std::vector<double>> mixed(1, found, text, {{1.0, tree.sum()}});
	return found + std::get<1>(mixed) + std::accumulate(sorted.begin(), sorted.end(), 0l,
		[](long s, const Key &k) {{ return s + k.b; }});
}}
}}
'''


def generate(units):
    return HEAD + ''.join(UNIT.format(n=n, fib=20 + n % 40, tree=8 + n % 8)
                          for n in range(units))


if __name__ == '__main__':
    sys.stdout.write(generate(int(sys.argv[1]) if len(sys.argv) > 1 else 40))
