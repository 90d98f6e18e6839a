# SPDX-License-Identifier: Apache-2.0
"""The flight recorder: --last keeps the last seconds, SIGUSR1 writes them and goes on."""
import glob
import os
import re
import signal
import time

from harness import HANG_S, Failed, Recorder, Target, check, check_equal, run
from roots import parse


def wait_written(recorder, names):
    """The dated files that are there by now, as many as that."""
    for _ in range(HANG_S * 10):
        files = sorted(glob.glob(os.path.join(recorder.folder, 'out.*-*.folded')))
        if len(files) >= names:
            return files
        time.sleep(0.1)
    raise Failed(f'never written: {os.listdir(recorder.folder)}')


def commands(stacks):
    """{command: samples}"""
    found = {}
    for frames, count in stacks:
        found[frames[0]] = found.get(frames[0], 0) + count
    return found


def test_what_is_older_is_not_written():
    """Of two programs one has ended long before: it is in the first file, and in no later one."""
    with Target('split') as first, Target('recurse', 20) as second:
        recorder = Recorder('-p', f'{first.pid},{second.pid}', '--last', '2s')
        recorder.wait_timers()
        time.sleep(2)
        recorder.signal(signal.SIGUSR1)
        early = list(parse(wait_written(recorder, 1)[0]))
        first.stop()
        time.sleep(4)
        recorder.signal(signal.SIGUSR1)
        late = list(parse(wait_written(recorder, 2)[1]))
        time.sleep(1.2)
        recorder.signal(signal.SIGINT)
        recording = recorder.finish()
    check_equal(recording.status, 0, 'status')
    check({'split', 'recurse'} <= set(commands(early)), commands(early))
    # The name of each file tells when it was written.
    for path in wait_written(recorder, 2):
        check(re.search(r'/out\.20\d{6}-\d{6}(-\d)?\.folded$', path), path)
    for stacks in (late, recording.stacks):
        check_equal(set(commands(stacks)), {'recurse'}, 'commands')
        # 99 Hz of one process, of which others may take a part; 3 s at most are kept.
        check(30 < commands(stacks)['recurse'] <= 99 * 3.5, commands(stacks))
        check(all('main' in frames for frames, _ in stacks), stacks[:2])
    check_equal(recording.summary['samples'], sum(commands(recording.stacks).values()), 'samples')
    check(recording.summary['duration_s'] < 4, recording.summary['duration_s'])
    check_equal(recording.stderr.count('\nprofd: wrote ') + recording.stderr.startswith('profd: wrote '),
                3, f'files that are told of: {recording.stderr}')


if __name__ == '__main__':
    run(globals())
