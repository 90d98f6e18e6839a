#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real programs: a C++ compiler, Python, memcached under load, node."""
import os
import subprocess
import sys

from harness import (Program, Target, by_table_only, check, check_complete, end, folder, need,
                     record, run, start, wait_listening)
from generate_cpp import generate

PORT = 11311

PYTHON_WORK = '''
import json, random
def fields(n):
    return {"field%d" % i: [random.random() for _ in range(5)] for i in range(n)}
def round_trip(n):
    return json.loads(json.dumps(fields(n)))
def busy():
    while True:
        sorted(round_trip(20).items(), key=lambda item: item[1])
busy()
'''

NODE_WORK = '''
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
function round() { return JSON.parse(JSON.stringify({ a: fib(18), b: [1, 2, 3] })).a; }
for (;;) round();
'''


def test_clang_compile():
    """clang++ -O2 from its first instruction to its end: 110 MB of libLLVM, deep stacks."""
    clang = need('clang++')
    path = os.path.join(folder(), 'large.cc')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(generate(8))
    recording = record(seconds=None, command=[clang, '-O2', '-c', path, '-o', path + '.o'])
    check_complete(recording, at_least=1000, deep=15)
    weight = sum(count for _, count in recording.stacks)
    depth = sum(len(frames) * count for frames, count in recording.stacks) / weight
    print(f'    {recording.samples} samples, {depth:.1f} frames on average')
    check(depth > 15, f'compilers have deeper stacks than {depth}')
    lost = recording.summary['lost']
    check(lost <= 0.01 * recording.samples, f'{lost} lost of {recording.samples}')


def test_clang_attached():
    """The same, attached to while it runs."""
    clang = need('clang++')
    path = os.path.join(folder(), 'large.cc')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(generate(40))
    # -fintegrated-cc1 is clang's default on Linux: the compiler is this process.
    with Program([clang, '-O2', '-c', path, '-o', path + '.o']) as target:
        recording = record('-p', target.pid, seconds=4)
        check(target.process.poll() is None, 'the compile was too short to be attached to')
    check_complete(recording, deep=40)


def test_python():
    with Program([sys.executable, '-c', PYTHON_WORK]) as target:
        recording = record('-p', target.pid, seconds=3)
    check_complete(recording)
    check(recording.share(lambda frames: any('_PyEval_EvalFrameDefault' in frame
                                             for frame in frames)) > 0.95, 'no interpreter loop')


@by_table_only('a frame holds 16 KiB that were never touched: copies end at the first such page')
def test_memcached():
    server = start([need('memcached'), '-u', 'nobody', '-l', '127.0.0.1', '-p', str(PORT)],
                   stderr=subprocess.DEVNULL)
    try:
        wait_listening(PORT)
        with Target('load_memcached', PORT, 30, 4, 20) as load:
            recording = record('-p', server.pid, seconds=4)
            truth = load.stop()
        check(truth['hits'] > 0 and truth['errors'] == 0, f'the load went wrong: {truth}')
    finally:
        end(server)
    check_complete(recording)
    event_loop = recording.share(lambda frames: 'event_base_loop' in frames)
    # The rest is its own threads that sweep the lists of old values.
    check(event_loop > 0.5, f'only {event_loop:.3f} within libevent\'s loop')
    kernel = recording.share(lambda frames: frames[-1].endswith('_[k]'))
    check(kernel > 0.2, f'a server of small answers spends more than {kernel:.3f} in the kernel')


def test_node():
    """JIT code and V8's builtins have no CFI: walked by frame pointers, so less is promised."""
    with Program([need('node'), '--perf-basic-prof', '-e', NODE_WORK],
                 cwd=folder()) as target:
        recording = record('-p', target.pid, seconds=3)
        try:
            os.unlink(f'/tmp/perf-{target.pid}.map')
        except FileNotFoundError:
            pass
    check_complete(recording, percent=99.0)
    trusting = recording.summary['through_generated_code']
    print(f'    {trusting} of {recording.samples} samples trust frame pointers of generated code')
    check(0.5 < trusting / recording.samples <= 1, 'JIT code is trusted without a word')
    check('% through generated code, trusting its frame pointers' in recording.stderr,
          recording.stderr)
    check(any('fib' in name for name in recording.functions()), 'no JIT function has its name')


if __name__ == '__main__':
    run(globals())
