#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Programs whose stacks, code or files have unusual shapes: complete, and the true frames between.

Each target says which stacks are true. `Chain` checks every sample against that, not just most.
"""
from harness import Target, check, check_complete, record, run


class Chain:
    """What the samples of a recording say of some functions, in order, all others left out."""

    def __init__(self, recording, *names):
        self.names = set(names)
        self.chains = {}
        for frames, weight in recording.stacks:
            chain = tuple(name for name in frames[1:] if name in self.names)
            self.chains[chain] = self.chains.get(chain, 0) + weight
        self.total = sum(self.chains.values())

    def share(self, predicate):
        return sum(weight for chain, weight in self.chains.items()
                   if predicate(chain)) / self.total

    def check_prefixes_of(self, *whole, most=0.8):
        """All chains are beginnings of the whole one, and most of them are the whole."""
        wrong = {chain: weight for chain, weight in self.chains.items()
                 if chain != whole[:len(chain)]}
        share = self.chains.get(whole, 0) / self.total
        print(f'    {100 * share:.1f} % are the whole chain of {len(whole)}')
        # One sample may fall on the few instructions of which no table tells the truth.
        check(sum(wrong.values()) <= 0.001 * self.total, f'wrong chains: {wrong}')
        check(share >= most, f'only {share:.3f} are {whole}: {self.chains}')


def record_target(*arguments, seconds=1, hz=1999):
    with Target(*arguments) as target:
        return record('-p', target.pid, seconds=seconds, hz=hz)


def test_stack_overflow():
    recording = record_target('altstack', 'overflow')
    check_complete(recording)
    chain = Chain(recording, 'main', 'attempt', 'sink', 'on_overflow', 'work')
    depths = {names.count('sink') for names in chain.chains if 'on_overflow' in names}
    print(f'    the stack is full after {depths} calls')
    check(len(depths) == 1 and min(depths) > 100, f'{depths}')
    chain.check_prefixes_of('main', 'attempt', *['sink'] * min(depths), 'on_overflow', 'work')


def test_nested_handlers():
    recording = record_target('altstack', 'nested')
    check_complete(recording)
    whole = ('main', 'attempt', 'first', 'second', 'third', 'work')
    Chain(recording, *whole).check_prefixes_of(*whole)


def test_handlers_over_themselves():
    for way in ('again', 'in_place'):
        recording = record_target('altstack', way)
        check_complete(recording)
        whole = ('main', 'attempt') + ('again',) * 8 + ('work',)
        Chain(recording, *whole).check_prefixes_of(*whole, most=0.7)


if __name__ == '__main__':
    run(globals())
