#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A service comes in a new version while `profd daemon` records: `profd query` tells, and is right."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import harness
from elf import Elf
from harness import PROFD, TARGETS, Failed, Skipped, check, check_equal

SECONDS = 9


def cgroup2():
    with open('/proc/self/mounts', encoding='utf-8') as file:
        for line in file:
            if line.split()[2] == 'cgroup2':
                return line.split()[1]
    raise Skipped('no cgroup2 is mounted')


class Unit:
    """A control group that is called as systemd would call a service's."""

    def __init__(self):
        self.name = f'profd-live-{os.getpid()}.service'
        self.path = os.path.join(cgroup2(), self.name)

    def __enter__(self):
        os.mkdir(self.path)
        # Also when we are killed: it goes with its last process.
        self.remover = subprocess.Popen(
            ['sh', '-c', 'read word; for i in $(seq 300); do rmdir "$1" 2>/dev/null; '
             '[ -e "$1" ] || exit; sleep 0.1; done', 'sh', self.path],
            stdin=subprocess.PIPE, start_new_session=True)
        return self

    def __exit__(self, *_):
        self.remover.stdin.close()
        self.remover.wait()

    def start(self, program):
        """In the group from its first instruction on."""
        return harness.Target(program, prefix=['sh', '-c', 'echo $$ > "$0"/cgroup.procs; exec "$@"',
                                               self.path])


class Daemon:
    def __init__(self, folder):
        self.store = os.path.join(folder, 'store')
        config = os.path.join(folder, 'profd.conf')
        with open(config, 'w', encoding='ascii'):
            pass
        self.errors = open(os.path.join(folder, 'errors'), 'w+', encoding='utf-8')
        self.process = harness.start(
            [PROFD, 'daemon', '--config', config, '--store', self.store, '--window', '2s', '-F', '99',
             '--max-overhead', '20', '--socket', 'none', '--stop-file', 'none', '--symbol-cache',
             'none', '--user', 'root'], stderr=self.errors, stdout=subprocess.DEVNULL)

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def wait_history(self):
        """Until it has written its first window."""
        for _ in range(harness.HANG_S * 10):
            if subprocess.run([PROFD, 'query', '--store', self.store, '--json'],
                              capture_output=True, check=False).returncode == 0:
                return
            check(self.process.poll() is None, f'the daemon ended: {self.said()}')
            time.sleep(0.1)
        raise Failed(f'there is no history: {self.said()}')

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check_equal(self.process.wait(harness.HANG_S), 0, f'exit status ({self.said()})')


def query(store, *arguments):
    done = subprocess.run([PROFD, 'query', '--store', store, *arguments], capture_output=True,
                          timeout=harness.HANG_S, check=False, encoding='utf-8')
    check(done.returncode == 0 and not done.stderr, f'profd query {arguments}: {done}')
    return done.stdout


def near(change, old, new):
    """4.5 standard errors: once in some hundred thousand by chance."""
    error = abs(change['new'] - change['old'] - (new - old))
    check(error <= 4.5 / 1.96 * change['half'] and change['half'] < 0.12,
          f'{change} is not from {old} to {new}')


def build_id(version):
    return Elf(os.path.join(TARGETS, version)).build_id


def installed(folder, version):
    """As a package is upgraded: the file is another one, under the same name."""
    path = os.path.join(folder, 'app')
    shutil.copy(os.path.join(TARGETS, version), path + '.new')
    os.rename(path + '.new', path)
    return path


def record(folder):
    """The old version, both for a moment, the new one. Returns the store and what is true."""
    daemon = Daemon(folder)
    daemon.wait_history()
    truth = {}
    with Unit() as unit:
        path = installed(folder, 'version_old')
        with unit.start(path) as old:
            truth['begin_ns'] = time.time_ns()
            time.sleep(SECONDS)
            installed(folder, 'version_new')
            truth['deploy_ns'] = time.time_ns()
            with unit.start(path) as new:
                time.sleep(1)
                truth['old'] = old.stop()['json_decode']
                time.sleep(SECONDS)
                truth['end_ns'] = time.time_ns()
                truth['new'] = new.stop()['json_decode']
        daemon.stop()
        truth.update(unit=unit.name, path=path)
    return daemon.store, truth


recorded, asked_by = [], set()


def history():
    """What was recorded, for all tests; anew for one that asks again, since it is being repeated."""
    test = sys._getframe(1).f_code.co_name
    if test in asked_by:
        recorded.clear()
        asked_by.clear()
    asked_by.add(test)
    if not recorded:
        recorded.extend(record(harness.folder()))
    return recorded


def test_new_version():
    store, truth = history()
    deploys = json.loads(query(store, '--deploys', '--unit', truth['unit'], '--json'))['deploys']
    check_equal(len(deploys), 1, f'new versions in {deploys}')
    deploy = deploys[0]
    check_equal((deploy['executable'], deploy['unit'], deploy['returned'], deploy['compared']),
                (truth['path'], truth['unit'], False, True), 'whose')
    check_equal((deploy['old']['build_id'], deploy['new']['build_id']),
                tuple(build_id(f'version_{side}') for side in ('old', 'new')),
                'builds')
    # Its window may have begun before it.
    check(-2.5e9 <= deploy['time_ns'] - truth['deploy_ns'] <= 1.5e9,
          f'{deploy["time_ns"]} for {truth["deploy_ns"]}')
    by_name = {change['function']: change for change in deploy['changes']}
    check(set(by_name) >= {'json_decode', 'render'}, f'changes: {by_name}')
    check_equal(by_name['json_decode']['with_callees'], False, 'by itself')
    near(by_name['json_decode'], truth['old'], truth['new'])
    near(by_name['render'], 1 - truth['old'], 1 - truth['new'])
    line = query(store, '--deploys', '--unit', truth['unit'])
    print('    ' + line.strip())
    check(f' {truth["unit"]} {truth["path"]} ' in line and 'json_decode ' in line, line)
    # The rest of the machine goes on in whatever version it is.
    others = json.loads(query(store, '--deploys', '--unit', 'profd-nosuch.service', '--json'))
    check_equal(others['deploys'], [], 'new versions of another unit')


def test_interval_of_a_unit():
    store, truth = history()
    for begin, end, version in (('begin_ns', 'deploy_ns', 'old'), ('deploy_ns', 'end_ns', 'new')):
        answer = json.loads(query(
            store, '--since', f'@{truth[begin]}ns', '--until', f'@{truth[end]}ns', '--unit',
            truth['unit'], '--build-id', build_id(f'version_{version}'),
            '--json'))
        decode = [f['self'] for f in answer['functions'] if f['name'] == 'json_decode'][0]
        # By its share: the weights are samples only as long as each stood for one period.
        harness.check_count(decode['share'] * answer['samples'], answer['samples'] * truth[version], 4.5,
                            f'samples of json_decode in the {version} version')
        check(answer['samples'] >= 100, f'{answer["samples"]} samples')
        cores = answer['total']['cores']
        check(0 < cores < 1.2, f'{cores} cores of one thread')


def test_baseline():
    store, truth = history()
    change = json.loads(query(
        store, '--since', f'@{truth["deploy_ns"] + 3 * 10**9}ns', '--until', f'@{truth["end_ns"]}ns',
        '--baseline', f'@{truth["begin_ns"]}ns..@{truth["deploy_ns"] - 2 * 10**9}ns', '--unit',
        truth['unit'], '--json'))
    by_name = {function['name']: function['self'] for function in change['functions']}
    check_equal(by_name['json_decode']['mark'], 'dearer', 'json_decode')
    near({'old': by_name['json_decode']['base'], 'new': by_name['json_decode']['new'],
          'half': max(by_name['json_decode']['high'] - by_name['json_decode']['change'],
                      by_name['json_decode']['change'] - by_name['json_decode']['low'])},
         truth['old'], truth['new'])


def test_lists():
    store, truth = history()
    whole = ('--since', f'@{truth["begin_ns"]}ns', '--until', f'@{truth["end_ns"]}ns', '--json')
    units = json.loads(query(store, *whole, '--list=units'))['units']
    check(truth['unit'] in [row['name'] for row in units[:6]], f'units: {units}')
    builds = json.loads(query(store, *whole, '--list=builds', '--unit', truth['unit']))['builds']
    of_path = {row['name']: row for row in builds if row['executable'] == truth['path']}
    # Between its execve and the news of it a process may be of no known build, but of no other one; on a busy
    # machine that takes a while.
    unknown = of_path.pop(None, None)
    check_equal(set(of_path), {build_id('version_old'), build_id('version_new')},
                'builds of the unit')
    check(not unknown or unknown['share'] < 0.2, f'{unknown} of no build')


if __name__ == '__main__':
    harness.run(globals(), by_table_only='profd daemon records by tables')
