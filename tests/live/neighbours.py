# SPDX-License-Identifier: Apache-2.0
"""What the tests of hostile files share: who must not be troubled, and who has to give way."""
import os
import re
import shutil
import time

from harness import HANG_S, PROFD, TARGETS, Failed, check, check_equal, folder
from roots import Roots


def program(name):
    return os.path.join(TARGETS, name)


def copy_of(name, path=None):
    path = path or os.path.join(folder(), os.path.basename(name))
    shutil.copy(program(name), path)
    return path


def given_up(recording):
    """{file name: reason}. Of the whole machine, others' files may be among them."""
    summary = recording.summary
    check_equal(len(summary['given_up']), summary['files_given_up'], 'files given up')
    return {os.path.basename(entry['path']): entry['why'] for entry in summary['given_up']}


def of_process(recording, name):
    """The stacks of the processes of this name, and how many samples they are."""
    stacks = [(frames, count) for frames, count in recording.stacks if frames[0] == name]
    return stacks, sum(count for _, count in stacks)


# A frame of a file that could not be read is called by the file alone.
UNREAD_LIBC = re.compile(r'\[(libc|ld-linux-x86-64)\.so[^]]*\]')


def check_untroubled(recording, name, *functions, at_least=100, lost=0.001):
    """
    Every stack of these processes, or nearly every one, has a true root and the functions in it, and
    what it has of the libc, which all share, is named.
    """
    stacks, total = of_process(recording, name)
    check(total >= at_least, f'only {total} samples of {name}: {recording.stderr}')
    roots = Roots((TARGETS,))
    bad = [(frames, count) for frames, count in stacks
           if any(frame.startswith('[truncated') for frame in frames[1:2]) or not roots.classify(frames[1:])[0]
           or any(UNREAD_LIBC.fullmatch(frame) for frame in frames)
           or not all(function in frames for function in functions)]
    missing = sum(count for _, count in bad)
    print(f'    {name}: {total} samples, {missing} of them incomplete')
    check(missing <= lost * total or missing <= 1, f'{missing} of {total} stacks of {name}: {bad[:3]}')


def workers_of(pid):
    """{role: pid} of the processes that work for a profd. A second reader is there for lines."""
    with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as file:
        children = file.read().split()
    found = {}
    for child in children:
        try:
            with open(f'/proc/{child}/cmdline', 'rb') as file:
                words = file.read().split(b'\0')
        except OSError:
            continue
        if len(words) > 2 and words[1] == b'_worker':
            role = words[2].decode()
            found[role if role not in found else f'second {role}'] = int(child)
    return found


def profd_processes():
    """Every process that runs this profd, workers included."""
    found = set()
    real = os.path.realpath(PROFD)
    for name in os.listdir('/proc'):
        try:
            if name.isdigit() and os.readlink(f'/proc/{name}/exe') == real:
                found.add(int(name))
        except OSError:
            pass
    return found


def check_all_gone(what):
    for _ in range(HANG_S * 10):
        left = profd_processes()
        if not left:
            return
        time.sleep(0.1)
    raise Failed(f'{what}: {left} are left')
