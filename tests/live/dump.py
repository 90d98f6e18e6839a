#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""profd dump: every thread's stack once, of processes whose threads are known, and never stopped."""
import contextlib
import json
import os
import signal
import subprocess
import time

from gdb_agreement import gdb_stacks
from golang import build, toolchains
from harness import (HANG_S, Failed, Program, Skipped, Target, check, check_equal, end, folder, need,
                     one_line, profd, run, start)
from hostile import MuteFs

ARGUMENTS = ('--symbol-cache', 'none')
KERNEL_THREAD = 0x00200000  # PF_KTHREAD, include/linux/sched.h
ROOTS = {'_start', 'clone3', '__clone3', 'clone', '__clone', 'runtime.goexit', 'runtime.mstart',
         'runtime.rt0_go', 'runtime.mcall', 'runtime.clone', 'runtime.systemstack',
         'runtime.clone.abi0', '_rt0_amd64_linux', 'runtime.goexit.abi0'}


class Dump:
    """What --json says of a process."""

    def __init__(self, pid, *arguments, **options):
        status, self.output, errors = profd('dump', '-p', pid, '--json', *ARGUMENTS, *arguments,
                                            **options)
        check_equal(status, 0, f'status of profd dump ({errors})')
        check_equal(errors, '', 'stderr')
        whole = json.loads(self.output)
        check_equal(whole['schema_version'], 1, 'schema_version')
        self.command, self.stacks = whole['command'], whole['stacks']
        self.threads = {thread['tid']: thread for thread in whole['threads']}
        check_equal(len(self.threads), len(whole['threads']), 'different thread ids')

    def frames(self, thread, kernel=False, inlined=True):
        """Innermost first."""
        return [frame for frame in self.stacks[thread['stack']]
                if (kernel or frame['kind'] != 'kernel') and (inlined or not frame['inlined'])]

    def names(self, thread, **which):
        return [frame['function'] for frame in self.frames(thread, **which)]


def text_of(pid, *arguments, **options):
    status, output, errors = profd('dump', '-p', pid, *ARGUMENTS, *arguments, **options)
    check_equal(status, 0, f'status of profd dump ({errors})')
    return output


def switches(pid):
    """{thread id: how often it has left the CPU}"""
    counts = {}
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/status', encoding='utf-8') as file:
            counts[int(tid)] = sum(int(line.split()[1]) for line in file if 'ctxt_switches' in line)
    return counts


def waits(*arguments):
    """The target and its truth, once the first thread waits, too."""
    target = Target('waits', *arguments)
    truth = json.loads(target.read_line())
    for _ in range(HANG_S * 100):
        with open(f'/proc/{target.pid}/syscall', encoding='ascii') as file:
            if file.read().startswith('34 '):  # pause
                return target, truth
        time.sleep(0.01)
    raise Failed('the first thread never waits')


def check_chain(names, *chain):
    """The names stand next to each other, innermost first."""
    check(any(tuple(names[i:i + len(chain)]) == chain for i in range(len(names))),
          f'{chain} not in {names}')


def check_whole(dump):
    """Every thread has a stack to a true root."""
    for thread in dump.threads.values():
        check('stack' in thread, f'no stack: {thread}')
        names = dump.names(thread)
        check_equal(thread['walk'], 'complete', f'walk of {thread["name"]} ({names})')
        check(names[-1] in ROOTS, f'{thread["name"]} ends at {names[-1]}')


def test_waits_are_told():
    target, truth = waits()
    with target:
        ids = truth['threads']
        before = switches(target.pid)
        dump = Dump(target.pid)
        check_equal(switches(target.pid), before, 'how often the threads have left the CPU')
        check_equal(set(dump.threads), set(ids.values()), 'threads')
        check_whole(dump)
        for name in ('futex', 'sleep', 'pipe', 'epoll', 'poll', 'accept', 'recv'):
            thread = dump.threads[ids[name]]
            check_equal(thread['name'], name, 'name')
            check_equal(thread['state'], 'sleeping', f'state of {name}')
            check_equal(thread['taken'], 'still', f'how {name} was taken')
            check_chain(dump.names(thread), f'wait_{name}', 'run', 'start_thread')
            check(dump.names(thread, kernel=True)[0] == thread['kernel_function'],
                  f'{name} waits in {thread["kernel_function"]}')
            line = next(frame for frame in dump.frames(thread) if frame['function'] == 'run')
            check(line['file'].endswith('waits.c') and line['line'] > 0, f'no line: {line}')

        def call(name):
            made = dump.threads[ids[name]]['system_call']
            return [made['name']] + [argument['text'] for argument in made['arguments']]

        pipe = '{} <{}>'.format(truth['pipe'],
                                os.readlink(f'/proc/{target.pid}/fd/{truth["pipe"]}'))
        here, there = (f'127.0.0.1:{truth[key]}' for key in ('server_port', 'client_port'))
        check_equal(call('pipe')[:2], ['read', pipe], 'read')
        check_equal(call('pipe')[3], '1', 'size of the read')
        check_equal(call('epoll')[:2] + call('epoll')[3:],
                    ['epoll_wait', f'{truth["epoll"]} <epoll>', '1', 'for ever'],
                    'epoll_wait')
        check_equal(call('poll'), ['poll', f'[{pipe}]', '1', '4000000 ms'], 'poll')
        check_equal(call('accept'), ['accept', f'{truth["listen"]} <tcp {here}>'], 'accept')
        check_equal(call('recv')[:2], ['recvfrom', f'{truth["server"]} <tcp {here} -> {there}>'],
                    'recv')
        check_equal(call('sleep')[-1], '4000.000000000 s', 'the time to sleep')
        check_equal(call('futex')[0], 'futex', 'what pthread_cond_wait calls')
        check('FUTEX_WAIT' in call('futex')[2], f'operation {call("futex")}')
        check_equal(call('main'), ['pause'], 'pause')


def test_deep_stacks_are_whole():
    target, truth = waits()
    with target:
        dump = Dump(target.pid)
        thread = dump.threads[truth['threads']['deep']]
        names = dump.names(thread)
        check_equal(names.count('descend'), truth['depth'], 'frames of the recursion')
        check_chain(names, 'wait_sleep', 'descend')
        check_chain(names, 'descend', 'wait_deep', 'run')
        text = text_of(target.pid)
        check(f'(the same {truth["depth"] - 2} more times)' in text, f'not told: {text}')


def test_since_when():
    begun = time.monotonic()
    target, truth = waits()
    with target:
        ready = time.monotonic()
        time.sleep(0.5)
        before = time.monotonic()
        dump = Dump(target.pid)
        after = time.monotonic()
        for name, tid in truth['threads'].items():
            if name == 'main':
                continue
            slept = dump.threads[tid].get('off_cpu_s')
            check(slept is not None, f'{name}: since when it sleeps is not told')
            # The scheduler's clock and ours may be apart by a tick.
            check(before - ready - 0.02 < slept < after - begun + 0.02,
                  f'{name} slept {slept}, not {before - ready} to {after - begun}')


def test_equal_stacks_are_shown_together():
    target, truth = waits(5)
    with target:
        check_equal(len(truth['threads']), 9, 'threads of the target')
        text, each = text_of(target.pid), text_of(target.pid, '--all')
        command = f'Process {target.pid}: {target.process.args[0]} 5\n'
        check(text.startswith(command), f'head: {text[:200]}')
        check('\n14 threads, 10 different\n' in text, f'head: {text[:200]}')
        check('\n5 threads (sleeping in ' in text and '"more"\n' in text, f'groups: {text}')
        check_equal(text.count('    run_more (waits.c:'), 1, 'stacks of "more"')
        check_equal(each.count('    run_more (waits.c:'), 5, 'stacks of "more" with --all')
        check_equal(each.count('\nThread '), 14, 'threads with --all')
        check(' [kernel]\n' in text, 'no kernel frames')
        check(' [kernel]\n' not in text_of(target.pid, '--no-kernel'), 'kernel frames')
        check_equal(sum(frame['kind'] == 'kernel' for stack in Dump(target.pid, '--no-kernel').stacks
                        for frame in stack), 0, 'kernel frames in JSON')


def test_inlined_functions():
    with Target('inlines') as target:
        with_them, without = Dump(target.pid), Dump(target.pid, '--no-inline')
        check(any(frame['inlined'] for stack in with_them.stacks for frame in stack), 'none inlined')
        check(not any(frame['inlined'] for stack in without.stacks for frame in stack), 'inlined')


def test_running_threads_are_sampled():
    target, truth = waits(0, 'busy')
    with target:
        ways = set()
        for _ in range(6):
            dump = Dump(target.pid)
            thread = dump.threads[truth['threads']['busy']]
            check('stack' in thread, f'no stack: {thread}')
            check_chain(dump.names(thread, inlined=False), 'wait_busy', 'run', 'start_thread')
            check_equal(thread['walk'], 'complete', 'walk')
            ways.add(thread['taken'])
            if 'sampled' in ways:
                check_equal(thread['state'], 'running', 'state')
                break
        check('sampled' in ways, f'never sampled: {ways}')
    with Target('recurse', 900) as target:
        dump = Dump(target.pid)
        names = dump.names(dump.threads[target.pid], inlined=False)
        check(names.count('recurse') >= 899 or 'leaf' not in names, f'{len(names)} frames: {names[:3]}')


def test_threads_that_come_and_go():
    with Target('threads', 8) as target:
        for _ in range(5):
            dump = Dump(target.pid)
            check_equal(len(dump.threads), 9, 'threads')
            for thread in dump.threads.values():
                names = dump.names(thread)
                check('stack' in thread and names, f'no stack: {thread}')
                check(thread['taken'] == 'moved' or names[-1] in ROOTS, f'{thread}: {names}')
    script = ('import threading,time\n'
              'def short(): time.sleep(0.001)\n'
              'while True:\n'
              '    some = [threading.Thread(target=short) for _ in range(4)]\n'
              '    for t in some: t.start()\n'
              '    for t in some: t.join()\n')
    with Program([need('python3'), '-c', script]) as program:
        time.sleep(0.3)
        for _ in range(5):
            dump = Dump(program.pid)
            check(program.pid in dump.threads, 'the first thread is missing')
            # Who has been waited for may take its time to go.
            check(len(dump.threads) <= 9, f'{len(dump.threads)} threads of at most 5')


def test_states():
    for state, word in (('stopped', 'stopped'), ('uninterruptible', 'uninterruptible sleep'),
                        ('sleeping', 'sleeping')):
        with Target('states', state) as target:
            child = int(target.read_line())
            dump = Dump(child)
            thread = dump.threads[child]
            check_equal(thread['state'], word, 'state')
            check_equal(dump.names(thread)[-1], '_start', f'root of {state}')
            check('main' in dump.names(thread), f'{state}: {dump.names(thread)}')
            if state == 'uninterruptible':
                check_equal(thread['system_call']['name'], 'vfork', 'system call')
            with open(f'/proc/{child}/stat', encoding='ascii') as file:
                check_equal(file.read().split()[2], {'stopped': 'T', 'uninterruptible': 'D',
                                                     'sleeping': 'S'}[state], 'state afterwards')


def test_a_stopped_runner():
    with Target('recurse', 50) as target:
        os.kill(target.pid, signal.SIGSTOP)
        for _ in range(HANG_S * 10):
            with open(f'/proc/{target.pid}/stat', encoding='ascii') as file:
                if file.read().split()[2] == 'T':
                    break
            time.sleep(0.1)
        dump = Dump(target.pid)
        thread = dump.threads[target.pid]
        check_equal(thread['state'], 'stopped', 'state')
        check_equal(thread['taken'], 'still', 'how it was taken')
        check_equal(dump.names(thread)[-1], '_start', 'root')


def check_agrees_with_gdb(pid):
    dump = Dump(pid)
    mine = {tuple(dump.names(thread, inlined=False)[::-1]) for thread in dump.threads.values()}
    for wanted in gdb_stacks(pid, 1):
        check(any(len(stack) == len(wanted) and all(name in names for name, names
                                                    in zip(stack, wanted)) for stack in mine),
              f'gdb sees {[sorted(names)[:2] for names in wanted]}, profd {sorted(mine)}')


def test_stacks_equal_those_of_gdb():
    target, _ = waits()
    with target:
        check_agrees_with_gdb(target.pid)
    with Program([need('python3'), '-c', 'import time; time.sleep(1000)']) as program:
        time.sleep(0.5)
        check_agrees_with_gdb(program.pid)


def test_python():
    with Program([need('python3'), '-c', 'import time; time.sleep(1000)']) as program:
        time.sleep(0.5)
        dump = Dump(program.pid)
        check_whole(dump)


def test_node():
    with Program([need('node'), '-e', 'setInterval(() => {}, 100000)']) as program:
        time.sleep(1)
        dump = Dump(program.pid)
        check(len(dump.threads) > 3, f'threads: {dump.threads}')
        check_whole(dump)


def test_go():
    source = 'golang'
    with Target(build(toolchains()[-1][1], source)) as target:
        dump = Dump(target.pid)
        complete = [thread for thread in dump.threads.values() if thread.get('walk') == 'complete']
        check(len(complete) >= len(dump.threads) - 1, f'{dump.threads}')
        check(any('runtime.futex' in ' '.join(dump.names(thread)) for thread in complete),
              'no thread waits in runtime.futex')


def test_many_threads():
    target, truth = waits(5000)
    with target:
        dump = Dump(target.pid)
        check_equal(len(dump.threads), 5000 + len(truth['threads']), 'threads')
        check_whole(dump)
        more = [thread for thread in dump.threads.values() if thread['name'] == 'more']
        check_equal(len(more), 5000, 'threads called "more"')
        check_equal(len({thread['stack'] for thread in more}), 1, 'their stacks')


def kernel_thread():
    for pid in sorted(int(name) for name in os.listdir('/proc') if name.isdigit()):
        try:
            with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as file:
                fields = file.read().rpartition(')')[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[6]) & KERNEL_THREAD and fields[0] == 'S':
            return pid
    raise Skipped('there are no kernel threads here')


def test_kernel_threads():
    pid = kernel_thread()
    dump = Dump(pid)
    names = dump.names(dump.threads[pid], kernel=True)
    check(any(name.startswith('ret_from_fork') for name in names), f'{names}')


def test_32_bit_code():
    """It is not walked, and says so."""
    source, program = (os.path.join(folder(), name) for name in ('short.c', 'short'))
    with open(source, 'w', encoding='ascii') as file:
        file.write('void _start(void)\n'
                   '{ for (;;) { int r = 29; __asm__ volatile("int $0x80" : "+a"(r)); } }\n')
    subprocess.run([need('gcc'), '-m32', '-nostdlib', '-static', '-fno-pic', '-o', program, source],
                   check=True, timeout=HANG_S)
    with Program([program]) as target:
        time.sleep(0.3)
        for way in ((), ('--stop',)):
            dump = Dump(target.pid, *way)
            thread = dump.threads[target.pid]
            check_equal((thread['walk'], thread['state']), ('32-bit code', 'sleeping'), f'{way}')
            check_equal(dump.names(thread), ['[truncated: 32-bit code]'], f'{way}')
            check('system_call' not in thread, f'{thread}')


def test_hostile_names():
    script = ('import time\n'
              'open("/proc/self/comm", "wb").write(b"\\x1b[31m\\xff\\"\\n")\n'
              'time.sleep(1000)\n')
    with Program([need('python3'), '-c', script, '\x1b]0;title\x07\n']) as program:
        time.sleep(0.5)
        text = text_of(program.pid)
        check('\x1b' not in text and '\x07' not in text, f'escape codes: {text[:300]!r}')
        dump = Dump(program.pid)
        check('\x1b' not in dump.output and '\x07' not in dump.output, 'escape codes in JSON')
        check_equal(dump.threads[program.pid]['name'], '\x1b[31m\ufffd"\n', 'name')


def test_pages_that_do_not_come():
    """Its arguments and the rest of its stack are in a file whose file system does not answer."""
    backing = os.path.join(folder(), 'pages')
    with open(backing, 'wb') as file:
        file.truncate(64 * 4096)
    with contextlib.ExitStack() as stack:
        fs = stack.enter_context(MuteFs({'pages': backing}))
        prefix = ['nsenter', '-t', str(fs.server.pid), '-m', '--']
        target = stack.enter_context(Target('page_wait', fs.path('pages'), prefix=prefix,
                                            stdin=subprocess.PIPE))
        fs.say('mute read')
        stack.callback(fs.abort)
        target.process.stdin.write(b'\n')
        target.process.stdin.flush()
        target.read_until('waiting')
        fs.say('await')
        dump = Dump(target.pid)
        check_equal(len(dump.threads), 2, 'threads')
        thread = dump.threads.pop(target.pid)
        names = dump.names(thread, inlined=False)
        check_chain(names, 'inner', 'outer')
        check(thread['walk'] != 'complete' and names[-1].startswith('[truncated'), f'{names}')
        waiting = next(iter(dump.threads.values()))
        with open(f'/proc/{target.pid}/task/{waiting["tid"]}/stat', encoding='ascii') as file:
            state = file.read().rpartition(')')[2].split()[0]
        check_equal(waiting['state'], {'S': 'sleeping', 'D': 'uninterruptible sleep'}[state],
                    'of who waits for the page')
        check('system_call' not in waiting, f'{waiting}')
        check_chain(dump.names(waiting), 'wait_for_page', 'start_thread')


def test_peers_and_what_epoll_watches():
    name = os.path.join(folder(), 'server.sock')
    script = ('import os, select, socket, sys, threading\n'
              'server = socket.socket(socket.AF_UNIX)\n'
              'server.bind(sys.argv[1])\n'
              'server.listen()\n'
              'child = os.fork()\n'
              'if child == 0:\n'
              '    client = socket.socket(socket.AF_UNIX)\n'
              '    client.connect(sys.argv[1])\n'
              '    client.recv(1)\n'
              'met, _ = server.accept()\n'
              'epoll = select.epoll()\n'
              'pipes = [os.pipe() for _ in range(3)]\n'
              'for fd in (met.fileno(), *(pipe[0] for pipe in pipes)):\n'
              '    epoll.register(fd, select.EPOLLIN)\n'
              'threading.Thread(target=met.recv, args=(1,), daemon=True).start()\n'
              'print(child, met.fileno(), epoll.fileno(), flush=True)\n'
              'epoll.poll()\n')
    with Program([need('python3'), '-c', script, name], stdout=subprocess.PIPE) as program:
        child, met, epoll = map(int, program.process.stdout.readline().split())
        time.sleep(0.3)

        def calls(pid):
            return {thread['system_call']['name']: thread['system_call']['arguments'][0]['text']
                    for thread in Dump(pid).threads.values()}

        here = f'unix {name} -> (python3, pid {child})'
        check_equal(calls(child)['recvfrom'].partition(' ')[2],
                    f'<unix -> {name} (python3, pid {program.pid})>', 'the peer of the client')
        told = calls(program.pid)
        check_equal(told['recvfrom'], f'{met} <{here}>', 'the peer of the server')
        check(told['epoll_wait'].startswith(f'{epoll} <epoll of {met} <{here}>, ') and
              told['epoll_wait'].endswith(', 1 more>'), told['epoll_wait'])


def tracers_and_states(pid):
    """{(who traces it, state)} of a process's threads"""
    found = set()
    for tid in os.listdir(f'/proc/{pid}/task'):
        try:
            with open(f'/proc/{pid}/task/{tid}/status', encoding='utf-8', errors='replace') as file:
                fields = dict(line.split(':', 1) for line in file if ':' in line)
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.add((int(fields['TracerPid']), fields['State'].split()[0]))
    return found


def wait_until_free(pid, why):
    until = time.monotonic() + HANG_S
    while True:
        found = tracers_and_states(pid)
        if all(tracer == 0 and state in 'RSD' for tracer, state in found):
            return
        if time.monotonic() > until:
            raise Failed(f'{why}: {found}')
        time.sleep(0.01)


def test_stop_tells_the_same():
    target, truth = waits(20, 'busy')
    with target:
        free, stopped = Dump(target.pid, '--no-kernel'), Dump(target.pid, '--stop')
        check(0 < json.loads(stopped.output)['stopped_s'] < 1, 'how long it was stopped')
        check('stopped_s' not in json.loads(free.output), 'told of one that was not stopped')
        check_equal(set(stopped.threads), set(free.threads), 'threads')
        check_whole(stopped)
        for tid, thread in stopped.threads.items():
            check_equal(thread['taken'], 'still', f'how {thread["name"]} was taken')
            if thread['name'] == 'busy':
                check_equal(thread['state'], 'running', 'state of the busy one')
                check_chain(stopped.names(thread, inlined=False), 'wait_busy', 'run')
                continue
            before = free.threads[tid]
            for key in ('name', 'state', 'walk', 'system_call'):
                check_equal(thread[key], before[key], f'{key} of {before["name"]}')
            check_equal(stopped.frames(thread), free.frames(before), f'frames of {before["name"]}')
        check_equal(stopped.threads[truth['threads']['accept']]['kernel_function'],
                    'inet_csk_accept', 'kernel function')
        wait_until_free(target.pid, 'after the stop')
        check('; stopped for ' in text_of(target.pid, '--stop=500ms'), 'not told in the text')


def in_the_middle(pid, act, *arguments, stdout=subprocess.DEVNULL):
    """Runs dumps until `act`, given profd and the tracer, catches one while the process is stopped."""
    for _ in range(30):
        process = start([os.environ['PROFD'], 'dump', '-p', str(pid), '--stop', *ARGUMENTS,
                         *arguments], stdout=stdout, stderr=subprocess.PIPE)
        try:
            while process.poll() is None:
                with open(f'/proc/{pid}/status', encoding='utf-8') as file:
                    fields = dict(line.split(':', 1) for line in file if ':' in line)
                if fields['State'].split()[0] == 't':
                    act(process, int(fields['TracerPid']))
                    return
        finally:
            end(process)
    raise Failed('never found stopped')


def test_stop_lets_go_whoever_is_killed():
    target, _ = waits(2000, 'busy')
    with target:
        def kill_profd(process, tracer):
            os.kill(process.pid, signal.SIGKILL)
            wait_until_free(target.pid, 'profd was killed')

        def kill_tracer(process, tracer):
            os.kill(tracer, signal.SIGKILL)
            wait_until_free(target.pid, 'the tracer was killed')

        def stop_tracer(process, tracer):
            os.kill(tracer, signal.SIGSTOP)
            wait_until_free(target.pid, 'the tracer was stopped')

        def stop_profd(process, tracer):
            os.kill(process.pid, signal.SIGSTOP)
            wait_until_free(target.pid, 'profd was stopped')
            os.kill(process.pid, signal.SIGCONT)
            _, errors = process.communicate(timeout=HANG_S)
            # It depends on how far it had come.
            check(process.returncode == 0 or
                  'did not stop in time' in one_line(errors.decode('utf-8')), f'{errors}')

        for act in (kill_profd, kill_tracer, stop_tracer, stop_profd):
            in_the_middle(target.pid, act)
        check_whole(Dump(target.pid, '--stop'))


def children_of(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        return {int(word) for word in file.read().split()}


def test_stop_waits_for_nobody():
    """What reads programs' files is not needed while the process is stopped."""
    target, _ = waits(2000)
    with target:
        def stop_workers(process, tracer):
            workers = children_of(process.pid) - {tracer}
            check(workers, 'no workers')
            for worker in workers:
                os.kill(worker, signal.SIGSTOP)
            try:
                wait_until_free(target.pid, 'the workers were stopped')
            finally:
                for worker in workers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGCONT)
            output, errors = process.communicate(timeout=HANG_S)
            check_equal(process.returncode, 0, f'status ({errors})')
            for thread in json.loads(output)['threads']:
                check_equal((thread['taken'], thread['walk']), ('still', 'complete'),
                            f'{thread["name"]}')

        in_the_middle(target.pid, stop_workers, '--json', stdout=subprocess.PIPE)


def test_stop_loses_no_signal_whoever_is_killed():
    script = ('import os, signal, threading, time\n'
              'count = 0\n'
              'def again(*_):\n'
              '    global count\n'
              '    count += 1\n'
              'signal.signal(signal.SIGUSR1, again)\n'
              'threading.stack_size(1 << 16)\n'
              'for _ in range(500):\n'
              '    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n'
              'signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])\n'
              'while True:\n'
              '    seen = count\n'
              '    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)\n'
              '    while count == seen: pass\n'
              '    if count % 100 == 0: os.write(1, b".")\n')
    path = os.path.join(folder(), 'many_signals')

    def wait_for_more():
        size = os.path.getsize(path)
        for _ in range(500):
            if os.path.getsize(path) > size + 2:
                return True
            time.sleep(0.01)
        return False

    def kill_profd(process, _):
        time.sleep(0.01)  # that it has seen its threads stop
        process.kill()

    with open(path, 'wb') as file, Program([need('python3'), '-c', script], stdout=file) as program:
        check(wait_for_more(), 'no signals')
        for _ in range(10):
            in_the_middle(program.pid, kill_profd)
            check(wait_for_more(), 'a signal was lost')


def test_stop_keeps_states_and_signals():
    for state, letter in (('stopped', 'T'), ('uninterruptible', 'D')):
        with Target('states', state) as target:
            child = int(target.read_line())
            thread = Dump(child, '--stop').threads[child]
            check_equal(thread['state'], {'T': 'stopped', 'D': 'uninterruptible sleep'}[letter],
                        'state')
            check('stack' in thread, f'no stack: {thread}')
            check_equal(tracers_and_states(child), {(0, letter)}, 'afterwards')
    # A signal that comes while it is stopped is not lost: the next is sent when the last was seen.
    script = ('import os, signal\n'
              'count = 0\n'
              'def again(*_):\n'
              '    global count\n'
              '    count += 1\n'
              'signal.signal(signal.SIGUSR1, again)\n'
              'while True:\n'
              '    seen = count\n'
              '    os.kill(os.getpid(), signal.SIGUSR1)\n'
              '    while count == seen: pass\n'
              '    os.write(1, b"%d\\n" % count)\n')
    path = os.path.join(folder(), 'counts')
    with open(path, 'wb') as file, Program([need('python3'), '-c', script], stdout=file) as program:
        time.sleep(0.3)
        for _ in range(10):
            Dump(program.pid, '--stop')
        size = os.path.getsize(path)
        for _ in range(HANG_S * 10):
            if os.path.getsize(path) > size + 100:
                break
            time.sleep(0.1)
        check(os.path.getsize(path) > size + 100, 'a signal was lost')


def test_stop_without_bpf():
    """Nothing but CAP_SYS_PTRACE; and no capability at all, for a process of one's own."""
    target, truth = waits()
    with target:
        few = (need('setpriv'), '--bounding-set=-all,+sys_ptrace')
        status, output, errors = profd('dump', '-p', target.pid, *ARGUMENTS, prefix=few)
        check_equal((status, output), (1, ''), 'without BPF')
        check('--stop' in one_line(errors), errors)
        check_whole(Dump(target.pid, '--stop', prefix=few))
    nobody = (need('setpriv'), '--reuid=65534', '--regid=65534', '--clear-groups')
    with Program([*nobody, need('sleep'), '1000']) as program:
        time.sleep(0.5)
        check_whole(Dump(program.pid, '--stop', prefix=nobody))


def test_stop_refusals():
    for text in ('0', '1ms', '11s', 'x', ''):
        status, _, errors = profd('dump', '-p', '1', f'--stop={text}')
        check_equal(status, 2, f'--stop={text}')
        check('--stop' in one_line(errors), errors)
    with Target('recurse', 5) as target, Program(
            [need('gdb'), '-q', '-nx', '-p', str(target.pid), '-ex', 'shell sleep 100'],
            stdin=subprocess.DEVNULL) as gdb:
        for _ in range(HANG_S * 10):
            if {tracer for tracer, _ in tracers_and_states(target.pid)} == {gdb.pid}:
                break
            time.sleep(0.1)
        status, _, errors = profd('dump', '-p', target.pid, '--stop', *ARGUMENTS)
        check_equal(status, 1, 'of one that gdb traces')
        check(f'process {gdb.pid} traces it' in one_line(errors), errors)
    status, _, errors = profd('dump', '-p', kernel_thread(), '--stop', *ARGUMENTS)
    check_equal(status, 1, 'of a kernel thread')
    check('kernel threads do not stop' in one_line(errors), errors)


def test_pid_namespaces():
    done = subprocess.run(
        [need('unshare'), '--pid', '--fork', '--mount-proc', need('sh'), '-c',
         'sleep 100 & sleep 0.3; "$0" dump -p $! --json --symbol-cache none; kill $!',
         os.path.abspath(os.environ['PROFD'])],
        capture_output=True, timeout=HANG_S, check=False)
    whole = json.loads(done.stdout)
    check(whole['pid'] < 10, f'pid {whole["pid"]}')
    check_equal([thread['tid'] for thread in whole['threads']], [whole['pid']], 'threads')
    check_equal(whole['stacks'][0][-1]['function'], '_start', 'root')


def test_refusals():
    def refused(status, *arguments):
        got, output, errors = profd('dump', *arguments)
        check_equal((got, output), (status, ''), f'dump {arguments}')
        return one_line(errors)

    for arguments in ((), ('-p',), ('-p', 'x'), ('-p', '0'), ('-p', '1,2'), ('4711',),
                      ('-p', '1', 'word'), ('-p', '1', '--', 'ls')):
        refused(2, *arguments)
    check('no such process' in refused(1, '-p', 2 ** 22 + 1), 'no such process')
    with Target('states', 'zombie') as target:
        check('zombie' in refused(1, '-p', target.read_line()), 'a zombie')
    target, truth = waits()
    with target:
        check('thread' in refused(1, '-p', truth['threads']['futex']), 'a thread')
        status, output, errors = profd('dump', '-p', target.pid, '--symbol-cache', 'none',
                                       prefix=(need('setpriv'), '--reuid=65534', '--regid=65534',
                                               '--clear-groups'))
        check_equal((status, output), (1, ''), 'without privileges')
        check('run it as root' in one_line(errors), errors)
        # A pipe that nobody reads from any more.
        read, write = os.pipe()
        os.close(read)
        process = start([os.environ['PROFD'], 'dump', '-p', str(target.pid)], stdout=write,
                        stderr=subprocess.PIPE)
        os.close(write)
        _, errors = process.communicate(timeout=HANG_S)
        end(process)
        check_equal(errors, b'', 'what is said about a broken pipe')


if __name__ == '__main__':
    run(globals(), by_table_only='the threads that sleep are read by a BPF program; those that are stopped have no other way')
