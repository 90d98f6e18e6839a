# SPDX-License-Identifier: Apache-2.0
"""Profiles of a program of known shape as folded text: 80 functions by Zipf's law, a load that
differs from run to run by up to 20 % either way, json_decode with a share of its own. What is drawn
follows from a seed alone."""
import bisect
import itertools
import random

REQUEST = [f'{group}_{n}' for group in ('parse', 'query', 'render', 'compress') for n in range(16)]
UPKEEP = [f'upkeep_{n}' for n in range(16)]


def weights(share, load):
    """Stack → how much of the program's time it takes."""
    requests = [1 / (i + 3) for i in range(len(REQUEST))]
    upkeep = [1 / (i + 1) for i in range(len(UPKEEP))]
    stacks = {f'main;serve;{name}': 4 * load * weight / sum(requests)
              for name, weight in zip(REQUEST, requests)}
    stacks['main;serve;json_decode'] = 6 * load * share / (1 - share)
    stacks.update({f'main;keep_up;{name}': 2 * weight / sum(upkeep)
                   for name, weight in zip(UPKEEP, upkeep)})
    return stacks


def run(chance, share, samples=1000):
    """Folded text of one run."""
    stacks = weights(share, chance.uniform(0.8, 1.2))
    names, sums = list(stacks), list(itertools.accumulate(stacks.values()))
    counts = dict.fromkeys(names, 0)
    for _ in range(samples):
        counts[names[bisect.bisect(sums, chance.random() * sums[-1])]] += 1
    # An interrupt that comes in bursts, in one run of six.
    if chance.random() < 1 / 6:
        counts['main;keep_up;upkeep_0;irq_[k]'] = chance.randrange(5, 25)
    return ''.join(f'{stack} {count}\n' for stack, count in counts.items() if count)


def write(path, text, encoding='ascii'):
    with open(path, 'w', encoding=encoding) as file:
        file.write(text)
    return path


def runs(name, seed, share, count, samples=1000):
    chance = random.Random(seed)
    return [write(f'{name}{i}.folded', run(chance, share, samples)) for i in range(count)]
