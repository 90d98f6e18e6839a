# SPDX-License-Identifier: Apache-2.0
"""Running `profd report`, and counting what it gets wrong."""
import json
import os
import subprocess
import sys

PROFD = os.path.abspath(sys.argv[1])
HANG_S = 120
failures = 0


def fail(text):
    global failures
    print(f'failed: {text}')
    failures += 1


def report(*arguments, stdin=None, expect=0, said=None):
    """stdout. said: what the one line on stderr holds; without it there is none."""
    done = subprocess.run([PROFD, 'report', *arguments], input=stdin, capture_output=True,
                          timeout=HANG_S, check=False)
    err = done.stderr.decode()
    if done.returncode != expect:
        fail(f'{arguments}: status {done.returncode}, not {expect}: {err}')
    if (said or '') not in err or err.count('\n') != (1 if said else 0):
        fail(f'{arguments}: stderr is {err!r}, not one line with {said!r}')
    if expect and done.stdout:
        fail(f'{arguments}: something on stdout: {done.stdout[:200]}')
    return done.stdout.decode()


def as_json(*arguments, said=None):
    return json.loads(report(*arguments, '--json', said=said))


def same(got, want, what):
    if got != want:
        fail(f'{what}:\n{got}\nis not\n{want}')
