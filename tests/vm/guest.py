#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What profd can do on a kernel: real assertions, run there (see suite.py), as root.

What is had and what is not is told by what profd does, never by the kernel's version: a thing works, with
figures that are right, or profd says in one line why it does not. What was found is left in the file
that RESULTS names, for the table of the README.

Time in an emulated machine means nothing. Shares do: a tick hits what runs then.
"""
import ctypes
import json
import os
import platform
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'live'))

import alloc  # noqa: E402
import counted  # noqa: E402
import growth  # noqa: E402
import split  # noqa: E402
from harness import (TARGETS, Skipped, Target, check, check_complete, check_equal, has, one_line, profd,  # noqa: E402
                     record, run)

HZ = 499
# An emulated machine takes its time over names: those of inlined functions are not needed, and what one
# recording has learned about a file the next one need not.
QUICK = ('--no-inline', '--symbol-cache', '/tmp/profd-vm-symbols')
FOUND = {'kernel': platform.release(), 'machine': platform.machine()}
DOCTOR = re.compile(r'^(ok|degraded|missing|unknown) +(\S+) +(.*)$', re.M)


def warm_up():
    """
    A name takes an emulated machine seconds to read the first time, which profd takes for a file system that
    does not answer: the C library's, and its debug file's, are read before.
    """
    library = f'/lib/{platform.machine()}-linux-gnu/libc.so.6'
    notes = subprocess.run(['readelf', '-n', library], capture_output=True, text=True,
                           check=False).stdout if shutil.which('readelf') else ''
    build_id = re.search(r'Build ID: (..)(\w+)', notes)
    debug_file = '/usr/lib/debug/.build-id/{}/{}.debug'.format(*build_id.groups()) if build_id else ''
    for path in library, debug_file:
        if os.path.exists(path):
            with open(path, 'rb') as file:
                while file.read(1 << 20):
                    pass
    with Target('threads', 2) as target:
        record(*QUICK, '-p', target.pid, hz=99)


def found(name, value):
    FOUND[name] = value
    with open(os.environ.get('RESULTS', '/dev/null'), 'w', encoding='utf-8') as file:
        json.dump(FOUND, file, indent=1, sort_keys=True)


def doctor():
    """{check: (status, detail)} and the verdict."""
    status, output, errors = profd('doctor')
    checks = {name: (state, detail) for state, name, detail in DOCTOR.findall(output)}
    check(checks, f'{output}{errors}')
    check_equal(status == 0, 'Recording works here.' in output, output)
    return checks, status == 0


def write(path, text):
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)


def works_or_says(name, function, *arguments):
    """A measure: either it does, or the recording is refused in one line that says why."""
    recording = record('-e', name, *arguments, seconds=1, hz=None, good=False)
    if recording.status == 1:
        line = one_line(recording.stderr)
        print(f'    {line}')
        found(name, 'no: ' + line.removeprefix('profd: '))
        return
    check_equal(recording.status, 0, recording.stderr)
    function()
    found(name, 'yes')


def test_doctor_says_that_recording_works():
    checks, works = doctor()
    for name, (state, detail) in checks.items():
        if state in ('missing', 'degraded') and name.startswith(('bpf', 'mapping', 'resident', 'btf')):
            print(f'    {state} {name}: {detail}')
    check(works, f'{checks}')
    for name in ('btf', 'bpf-perf-event', 'bpf-ring-buffer', 'bpf-tp-btf', 'bpf-iter-task', 'cpu-clock'):
        check_equal(checks[name][0], 'ok', name)


def measure_split(*arguments):
    """How many of the four shares are in their interval, and the recording."""
    with Target('split') as target:
        recording = record(*QUICK, '-p', target.pid, *arguments, seconds=4, hz=HZ, outputs=('out.folded', 'out.txt'))
        truth = target.stop()['work']
    with open(recording.path('out.txt'), encoding='utf-8') as file:
        text = file.read()
    shares = [split.printed(text, name) for name in split.NAMES]
    # The truth is of the work in the four alone: what the kernel takes beside them is in no share.
    whole = sum(share for share, _ in shares) / 100
    inside = 0
    for true, (share, half) in zip(truth, shares):
        inside += split.inside(100 * true, share / whole, half / whole)
        print(f'    {100 * true:.1f} as {share / whole:.1f} ± {half / whole:.1f}')
    check_complete(recording)
    return inside, recording


def check_split(name, *arguments):
    inside, recording = measure_split(*arguments)
    if inside < 4:  # one of twenty lies outside: once more
        again, recording = measure_split(*arguments)
        inside = (inside + again) / 2
    check(inside >= 3, f'{inside} of 4 shares lie in their intervals')
    found(name, inside)
    return recording


def test_split_and_closing_line():
    recording = check_split('split')
    check(re.search(r'^profd: \d+ samples in [\d.]+ s \(\d+ Hz\), \d+ lost; stacks [\d.]+% complete',
                    recording.stderr, re.M), recording.stderr)
    check_equal(recording.summary['unwind'], 'table', 'the way')
    found('way', 'table')


def test_split_by_copies():
    recording = check_split('split_copy', '--unwind', 'copy')
    check_equal(recording.summary['unwind'], 'copy', 'the way')


def has_cycles():
    checks, _ = doctor()
    return checks['cycles'][0] == 'ok'


def test_cycles():
    """Hardware's counter, where there is one (the emulated ARM processor has it): refused in a line elsewhere."""
    if not has_cycles():
        recording = record('-e', 'cycles', '-a', seconds=1, hz=None, good=False)
        check_equal(recording.status, 1, recording.stderr)
        check('needs hardware counters' in one_line(recording.stderr), recording.stderr)
        found('cycles', 'not there')
        return
    for way in 'table', 'copy':
        recording = check_split('split_cycles_' + way, '-e', 'cycles', '--unwind', way)
        check_equal(recording.summary['unwind'], way, 'the way')
        figures = recording.summary['counted']['cycles']
        print(f'    {recording.samples} samples, {figures}')
        check(0 < figures['in_samples'] <= 1.1 * figures['counted'], f'{figures}')
    found('cycles', 'yes')


PERF_EVENT_OPEN = {'x86_64': 298, 'aarch64': 241}


def other_counters(count):
    """So many counters of cycles on each CPU, as perf(1) or a neighbour would have."""
    attr = struct.pack('=IIQQQQQ', 0, 112, 0, 0, 0, 0, 0).ljust(112, b'\0')
    libc = ctypes.CDLL(None, use_errno=True)
    opened = []
    for cpu in range(os.cpu_count()):
        for _ in range(count):
            opened.append(libc.syscall(PERF_EVENT_OPEN[platform.machine()], attr, -1, cpu, -1, 0))
    check(min(opened) >= 0, f'{opened}: {os.strerror(ctypes.get_errno())}')
    return opened


def test_counters_take_turns():
    if not has_cycles():
        raise Skipped('there is no counter')
    others = other_counters(9)
    try:
        with Target('split') as target:
            recording = record(*QUICK, '-e', 'cycles', '-p', target.pid, seconds=3, hz=HZ)
    finally:
        for fd in others:
            os.close(fd)
    share = recording.summary['counted']['cycles']['counted_share_of_time']
    print(f'    counted {100 * share:.0f} % of the time: {recording.stderr.splitlines()[0]}')
    check(0.3 < share < 0.95, f'{share}')
    check(re.search(r'cycles.*counted.*% of the time', recording.stderr), recording.stderr)


def test_throttled_counter():
    if not has_cycles():
        raise Skipped('there is no counter')
    write(counted.LIMIT, '100000')  # an emulated machine has lowered it by itself
    counted.lowered('-e', 'cycles', hz=2000, exact=False)


def complete(name, *arguments, roots=(), expect=None):
    with Target(name, *arguments) as target:
        recording = record(*QUICK, '-p', target.pid, hz=HZ)
    share = check_complete(recording, roots=roots)
    if expect:
        check(recording.share(expect) > 0.5, f'{name}: not what it does')
    FOUND.setdefault('complete', []).append(share)
    found('complete', FOUND['complete'])


def test_deep_recursion():
    complete('recurse', 200, 0, expect=lambda frames: frames[1:].count('recurse') == 200)


def test_threads():
    complete('threads', 3, expect=has('worker', 'worker_step', 'worker_leaf'))


def test_signals():
    complete('signals', expect=lambda frames: 'on_plain' in frames or 'on_alternate' in frames)


def test_signed_addresses():
    """Return addresses that are signed (pointer authentication), through signals and exceptions too."""
    if platform.machine() != 'aarch64':
        raise Skipped('no processor that signs them')
    complete('recurse_pac', 200, 0, expect=lambda frames: frames[1:].count('recurse') == 200)
    complete('signals_pac')
    complete('exceptions_pac')


def test_exceptions():
    complete('exceptions', expect=lambda frames: 'main' in frames)


def test_command_with_python():
    """From its first instruction on, through exec; its exit status is profd's."""
    code = ('import json, sys\nfor i in range(60): json.loads(json.dumps(list(range(4000)), indent=1))\n'
            'sys.exit(7)')
    recording = record(*QUICK, hz=HZ, seconds=None, command=['/usr/bin/python3', '-c', code], good=False)
    check_equal(recording.status, 7, recording.stderr)
    share = check_complete(recording)
    FOUND.setdefault('complete', []).append(share)
    found('complete', FOUND['complete'])


def test_whole_machine():
    """Two programs that nobody named, in the same control group as everything else."""
    with Target('recurse', 10, 0), Target('split'):
        recording = record(*QUICK, '-a', '--comm', 'split', hz=HZ)
        both = record(*QUICK, '-a', hz=HZ)
    check_complete(recording)
    check(recording.share(lambda frames: frames[0].startswith('split')) == 1, 'others than split')
    check(both.share(lambda frames: frames[0].startswith(('split', 'recurse'))) > 0.5, 'neither')
    found('all', 'yes')


def test_dump():
    with Target('waits') as target:
        status, output, errors = profd('dump', '-p', target.pid, '--json', *QUICK)
    check_equal(status, 0, errors)
    told = json.loads(output)
    check(len(told['threads']) >= 1, output)
    names = [[frame['function'] for frame in stack] for stack in told['stacks']]
    check(all(stack and stack[-1] in ('_start', 'clone3', '__clone3', 'thread_start') for stack in names), names)
    found('dump', 'yes')


def test_top():
    with Target('split') as target:
        status, output, errors = profd('top', '--once', '-d', 2, '-p', target.pid)
    check_equal(status, 0, errors)
    check('share_40' in output or 'target_work' in output, output)
    found('top', 'yes')


def test_growth():
    with Target('recurse', 10, 0) as target:
        works_or_says('growth', growth.test_small_blocks, '-p', target.pid)


def test_alloc():
    with Target('allocations') as target:
        works_or_says('alloc', alloc.test_shares_are_right, '-p', target.pid)


def test_heap():
    """The library in the program, which no kernel has to know of."""
    recording = record('-e', 'heap', *QUICK, seconds=None, hz=None,
                       command=[os.path.join(TARGETS, 'heap_holder'), 524288])
    check(recording.summary['heap']['samples_lost'] == 0 and recording.samples > 20, recording.stderr)
    check('in use in' in recording.stderr, recording.stderr)
    found('heap', 'yes')


def test_unit_tests_of_the_kernel():
    """The unit tests that user emulation cannot run (suite.py copies them here)."""
    folder = '/profd/unit'
    if not os.path.isdir(folder):
        raise Skipped('there are none')
    with open(os.path.join(folder, 'tests.json'), encoding='utf-8') as file:
        tests = json.load(file)
    failed = []
    for test in tests:
        result = subprocess.run([test['program']], cwd='/tmp', env={**os.environ, **test['environment']},
                                capture_output=True, text=True, errors='replace', check=False, timeout=120)
        if result.returncode not in (0, 77):
            failed.append(test['name'])
            print('\n'.join(line for line in (result.stdout + result.stderr).splitlines()
                            if re.match(r'\[  (ERROR|FAILED|\s*LINE) ', line))[:2000])
    check(len(tests) > 10 and not failed, f'of {len(tests)} failed: {failed}')
    print(f'    {len(tests)} programs of unit tests')


def test_hidden_kernel_symbols():
    write('/proc/sys/kernel/kptr_restrict', '2')
    try:
        checks, _ = doctor()
        check_equal(checks['kernel-symbols'][0], 'degraded', 'kernel-symbols')
        with Target('syscalls') as target:
            recording = record(*QUICK, '-p', target.pid, hz=HZ)
    finally:
        write('/proc/sys/kernel/kptr_restrict', '0')
    check_complete(recording, at_least=50)
    check(not any(name.startswith('entry_SYSCALL') for name in recording.functions()), 'names all the same')


def test_without_tracefs():
    subprocess.run(['umount', '/sys/kernel/tracing'], check=True)
    try:
        checks, works = doctor()
        check(works and checks['tracefs'][0] == 'missing', f'{checks}')
        with Target('recurse', 10, 0) as target:
            check_complete(record(*QUICK, '-p', target.pid, hz=HZ))
    finally:
        subprocess.run(['mount', '-t', 'tracefs', 'tracefs', '/sys/kernel/tracing'], check=True)


def small_memlock():
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))


def test_small_memlock():
    """Kernels before 5.11 charge BPF memory to it: profd raises it, which takes CAP_SYS_RESOURCE."""
    with Target('recurse', 10, 0) as target:
        raised = subprocess.run(
            [os.environ['PROFD'], 'record', '-p', str(target.pid), '-d', '1', '-o', '/dev/null', '-f', 'folded'],
            preexec_fn=small_memlock, capture_output=True, text=True, check=False, timeout=90)
        check_equal(raised.returncode, 0, raised.stderr)
        time.sleep(3)  # what it had is given back by and by, and counts to root's until then
        recording = record(*QUICK, '--unwind', 'table', '-p', target.pid, seconds=1, good=False,
                           prefix=('prlimit', '--memlock=65536:65536', 'setpriv',
                                   '--bounding-set', '-sys_resource,-ipc_lock'))
    if recording.status == 0:
        check_complete(recording, at_least=20)
        found('memlock', 'not charged')
    else:
        check_equal(recording.status, 1, recording.stderr)
        line = one_line(recording.stderr)
        check('RLIMIT_MEMLOCK' in line and 'CAP_SYS_RESOURCE' in line, line)
        found('memlock', 'charged, and said')


PARANOID = '/proc/sys/kernel/perf_event_paranoid'
PARANOID_2 = 'with `perf_event_paranoid` 2'
NOBODY = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all')
# What the manual has people give it; older kernels count BPF memory to RLIMIT_MEMLOCK, see test_small_memlock.
GIVEN = '+bpf,+perfmon,+sys_ptrace,+syslog,+checkpoint_restore,+dac_read_search'
WITH_CAPABILITIES = ('prlimit', '--memlock=unlimited:unlimited', 'setpriv', '--reuid=65534', '--regid=65534',
                     '--clear-groups', '--bounding-set=-all,' + GIVEN, '--inh-caps=-all,' + GIVEN,
                     '--ambient-caps=-all,' + GIVEN)


def paranoid():
    with open(PARANOID, encoding='ascii') as file:
        return int(file.read())


def as_another(prefix, *arguments, good=True):
    """A recording of what it starts itself, by somebody who is not root."""
    place = tempfile.mkdtemp(prefix='profd-vm-user-', dir='/tmp')
    os.chmod(place, 0o777)
    return record(*arguments, '--no-inline', seconds=None, hz=HZ, prefix=prefix, path=place, good=good,
                  command=[os.path.join(TARGETS, 'recurse'), 10, 2])


def check_refused(prefix):
    """perf_event_paranoid is too high for them: that is said, and with 2 they record. Returns that recording."""
    refused = as_another(prefix, good=False)
    check_equal(refused.status, 1, refused.stderr)
    line = one_line(refused.stderr)
    check('sysctl -w kernel.perf_event_paranoid=2' in line, line)
    _, output, _ = profd('doctor', prefix=prefix)
    check('missing   perf-event-paranoid' in output, output)
    before = paranoid()
    print(f'    perf_event_paranoid is {before}: {line}')
    write(PARANOID, '2')
    try:
        return as_another(prefix)
    finally:
        write(PARANOID, str(before))


def test_ordinary_user():
    """Debian's and Ubuntu's kernels begin with more of perf_event_paranoid than the kernel itself knows."""
    refused = paranoid() > 2
    check_complete(check_refused(NOBODY) if refused else as_another(NOBODY))
    found('user', PARANOID_2 if refused else 'yes')


def test_capabilities():
    """What the manual says to give profd is enough, but where the kernel wants CAP_SYS_ADMIN for perf events."""
    recording = as_another(WITH_CAPABILITIES, good=False)
    refused = recording.status != 0
    if refused:
        check(paranoid() > 2, recording.stderr)
        recording = check_refused(WITH_CAPABILITIES)
    check_complete(recording)
    check_equal(recording.summary['unwind'], 'table', 'the way')
    found('capabilities', PARANOID_2 if refused else 'yes')


def test_zz_lockdown():
    """The last one: there is no way back."""
    path = '/sys/kernel/security/lockdown'
    if not os.path.exists(path):
        subprocess.run(['mount', '-t', 'securityfs', 'securityfs', '/sys/kernel/security'], check=True)
    if not os.path.exists(path):
        found('lockdown', 'not offered')
        return
    with open(path, encoding='ascii') as file:
        locked = '[confidentiality]' in file.read()
    if not locked:
        write(path, 'confidentiality')
    checks, _ = doctor()
    check_equal(checks['lockdown'][0], 'missing', 'lockdown')
    with Target('recurse', 10, 0) as target:
        refused = record(*QUICK, '--unwind', 'table', '-p', target.pid, seconds=1, good=False)
        check_equal(refused.status, 1, refused.stderr)
        check('lockdown' in one_line(refused.stderr), refused.stderr)
        recording = record(*QUICK, '-p', target.pid, hz=HZ)
    check_complete(recording)
    check_equal(recording.summary['unwind'], 'copy', 'the way')
    found('lockdown', 'copy')


if __name__ == '__main__':
    warm_up()
    run(globals())
