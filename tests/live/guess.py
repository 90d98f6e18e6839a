#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where nothing tells of a frame: the caller is guessed, the stack says so, and it is counted.
And what a stack owes to frame pointers that generated code may not have is counted, too."""
import re

from harness import Target, check, record, run


def test_a_caller_that_nobody_knows():
    with Target('lost_caller') as target:
        recording = record('-p', target.pid)
    summary = recording.summary
    guessed = recording.share(lambda frames: '[guessed]' in frames)
    print(f'    {100 * guessed:.2f} % of {recording.samples} samples are marked; the summary says '
          f'{summary["guessed"]} guessed, {summary["complete"]} complete, {summary["truncated"]}')
    check(guessed > 0.9, 'not marked')
    check(abs(summary['guessed'] / recording.samples - guessed) < 1e-9,
          'marked and counted differ')
    check(f'{summary["guessed"]} guessed' in recording.stderr, f'not told: {recording.stderr}')
    # What is certain lies on one side of the mark, and the truth on the other.
    certain = recording.share(lambda frames: '[guessed]' in frames and 'lost' in
                              frames[frames.index('[guessed]') + 1:])
    check(certain > 0.9, f'{certain}: the mark is not before the code that nobody knows')
    right = recording.share(
        lambda frames: '[guessed]' in frames and 'main' in frames and
        frames[frames.index('main'):frames.index('[guessed]')] == ['main', 'known_caller'])
    print(f'    {100 * right / guessed:.2f} % of them have the true caller')
    check(right > 0.9, f'{right}')


def test_nothing_is_guessed_where_everything_is_known():
    with Target('recurse', 30) as target:
        recording = record('-p', target.pid)
    check(recording.summary['guessed'] == 0, f'{recording.summary["guessed"]} guessed')
    check(recording.share(lambda frames: '[guessed]' in frames) == 0, 'marked')
    check(recording.summary['through_generated_code'] == 0, 'generated code in a plain C program')
    check('generated' not in recording.stderr, recording.stderr)


def check_trust(recording):
    """Line and summary say the same of stacks that go through generated code. Returns how many."""
    trusting = recording.summary['through_generated_code']
    seen = recording.share(lambda frames: any(re.search(r'^\[jit|_\[j\]$', frame)
                                              for frame in frames) and
                           '[guessed]' not in frames and
                           not any(frame.startswith('[truncated') for frame in frames))
    said = re.search(r'complete \(([\d.]+)% through generated code, trusting its frame pointers',
                     recording.stderr)
    print(f'    {trusting} of {recording.samples} samples trust generated code; {100 * seen:.2f} % '
          f'of them have a frame there and no mark')
    check(abs(trusting / recording.samples - seen) < 1e-9, 'seen and counted differ')
    check(said and abs(float(said[1]) - 100 * seen) < 0.11, f'not told: {recording.stderr}')
    return trusting


def test_generated_code_without_frame_pointers():
    """Most of its frames are missed: who trusts rbp there must say so."""
    with Target('frameless') as target:
        recording = record('-p', target.pid)
    true = recording.share(lambda frames: frames[-1] == 'known_leaf' and 'main' in frames and
                           len(frames) >= frames.index('main') + 12)
    complete = recording.summary['complete']
    trusting = check_trust(recording)
    print(f'    {100 * true:.2f} % have all frames, {complete} are called complete')
    check(complete - trusting <= (true + 0.01) * recording.samples,
          f'{complete - trusting} are called complete without a word')
    check(trusting > 0.9 * recording.samples, 'generated code that was not met')


def test_generated_code_with_frame_pointers():
    """Its stacks are right, and nobody but its compiler knows."""
    with Target('generated') as target:
        recording = record('-p', target.pid)
    check(check_trust(recording) > 0.3 * recording.samples, 'generated code that was not met')


if __name__ == '__main__':
    run(globals())
