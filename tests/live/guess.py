#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where nothing tells of a frame: the caller is guessed, the stack says so, and it is counted."""
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


if __name__ == '__main__':
    run(globals())
