#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `record -e growth` costs a fault that is not in the sample.

usage: cost.py PROFD FAULTS [ROUNDS]

A program that does nothing but fault is measured in turns without profd, with profd recording it (events
on its threads), and with profd looking for something else on all CPUs, whose events it passes as well.
Each figure is the least of a tenth of a second, which interruptions do not reach; the median of all turns
is printed, and what the events add.
"""
import statistics
import subprocess
import sys
import time


def measure(faults, count):
    for _ in range(3):
        faults.stdout.readline()
    return [float(faults.stdout.readline()) for _ in range(count)]


def main():
    profd, program = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    faults = subprocess.Popen([program], stdout=subprocess.PIPE, bufsize=0)
    ways = {'without': None, 'on its threads': ['-p', str(faults.pid)],
            'passed on all CPUs': ['--comm', 'nobody-is-called-so']}
    found = {way: [] for way in ways}
    summary = '/tmp/profd-bench-growth.json'
    try:
        for _ in range(rounds):
            for way, target in ways.items():
                if not target:
                    found[way] += measure(faults, 10)
                    continue
                recorder = subprocess.Popen([profd, 'record', '-q', '-e', 'growth', *target, '-o',
                                             '/dev/null', '-f', 'folded', '--summary', summary])
                time.sleep(1)
                found[way] += measure(faults, 10)
                recorder.send_signal(2)
                recorder.wait()
    finally:
        faults.kill()
        faults.wait()
    base = statistics.median(found['without'])
    for way, values in found.items():
        print(f'{way:20} {statistics.median(values):6.0f} ns a fault  '
              f'{statistics.median(values) - base:+5.0f} ns  least {min(values):.0f}')


if __name__ == '__main__':
    main()
