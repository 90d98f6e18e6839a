# SPDX-License-Identifier: Apache-2.0
"""The views, by the program sqlite3: every recipe of profd-history(5) against what was written."""
import os
import re
import subprocess

from writer import T0, Writer, check, check_equal, run, sql

MANUAL = os.environ['MANUAL']
# The recipes' ten minutes begin there.
BEGIN = T0


def recipes():
    """By the sentence before each: the SQL."""
    with open(MANUAL, encoding='utf-8') as file:
        text = file.read()
    found = re.findall(r'\n([^\n]+):\n\n```\n(.*?)```\n', text.split('# RECIPES')[1], re.S)
    check_equal(len(found), text.count('```') // 2, 'recipes')
    return {title.split(',')[0].split('.')[0]: script for title, script in found}


def rows(folder, script):
    return [line.split('|') for line in sql(folder, script).splitlines()]


def fill(folder):
    """Ten minutes of a web server (two processes) and one of something else."""
    with Writer(folder) as writer:
        for i in range(60):
            samples = ['web 100 web.service 6 main|serve|parse', 'web 100 web.service 3 main|serve',
                       'web 101 web.service 1 main|idle']
            if i < 6:
                samples.append(f'job {i + 500} job.service 50 main|crunch|main')
            check_equal(writer.window(BEGIN + i * 10, samples), (0, ''), 'window')
        check_equal(writer.window(BEGIN + 7200, ['other 9 - 1 main']), (0, ''), 'window')


def check_recipes(folder, short_pids):
    """short_pids: processes of one window still have theirs."""
    recipe = recipes()
    got = rows(folder, recipe['CPU seconds of each unit by minute'])
    check_equal(got[:3], [['2027-01-15 06:00', 'job.service', '3.0'],
                          ['2027-01-15 06:00', 'web.service', '0.6'],
                          ['2027-01-15 06:01', 'web.service', '0.6']], 'units by minute')
    check_equal(len(got), 11, 'units by minute')
    got = rows(folder, recipe['Processes that used most'])
    jobs = [[str(500 + i), 'job', 'job.service', '0.5'] for i in range(6)]
    web = [['100', 'web', 'web.service', '5.4'], ['101', 'web', 'web.service', '0.6']]
    want = web + jobs if short_pids else web + [['', 'job', 'job.service', '3.0']]
    check_equal(sorted(got), sorted(want), 'processes')
    check_equal(got[0], web[0], 'the first process')
    check_equal(rows(folder, recipe['Functions of a unit by their share']),
                [['parse', '/usr/bin/web', '60.0', '360'], ['serve', '/usr/bin/web', '30.0', '180'],
                 ['idle', '/usr/bin/web', '10.0', '60']], 'functions')
    check_equal(rows(folder, recipe['The same with what they called']),
                [['main', '100.0'], ['serve', '90.0'], ['parse', '60.0'], ['idle', '10.0']],
                'functions with what they called')
    job = recipe['The same with what they called'].replace('web.service', 'job.service')
    check_equal(rows(folder, job), [['crunch', '100.0'], ['main', '100.0']], 'recursion')
    got = rows(folder, recipe['How much of what is known was thinned'])
    check_equal(got, [['2027-01-15 06:00', '0.0'], ['2027-01-15 08:00', '0.0']], 'thinned')
    got = rows(folder, recipe['Which builds of a program ran'])
    check_equal(len(got), 1, 'builds')
    check_equal(got[0][2], '2027-01-15 06:00:00', 'first window')


def test_recipes(folder):
    fill(folder)
    got = rows(folder, recipes()['What was recorded last'])
    check_equal(got[0], ['2027-01-15 08:00:00', '10.0', '0.0', '1', '0'], 'the last window')
    check_equal(got[1], ['2027-01-15 06:09:50', '10.0', '0.01', '10', '0'], 'the one before')
    check_recipes(folder, True)


def test_recipes_when_folded(folder):
    """Few stacks: nothing is lost but the pids of short processes."""
    fill(folder)
    with Writer() as writer:
        writer.ok(f'tidy {folder} {BEGIN + 7200} 0 0')
    check_equal(rows(folder, 'SELECT count(*), max(seconds) FROM windows WHERE level = 1'),
                [['10', '60.0']], 'windows')
    check_recipes(folder, False)


def test_views_agree_with_the_reader(folder):
    """Thinned or not, in any hour: the same sums."""
    with Writer(folder) as writer:
        for hour in range(3):
            writer.tell(f'many {T0 + hour * 3600} 90 200')
            while not writer.hear().startswith('0 '):
                pass
        writer.ok(f'tidy {folder} {T0 + 4 * 3600} 0 0')
        for hour in range(3):
            cpu, samples, windows, _, _ = writer.read(T0 + hour * 3600, T0 + hour * 3600 + 3600)
            got = rows(folder, 'SELECT sum(cpu_ns), sum(samples), count(DISTINCT window),'
                       f' max(thinned) FROM samples WHERE begin_ns >= {T0 + hour * 3600}000000000'
                       f' AND begin_ns < {T0 + hour * 3600 + 3600}000000000')
            check_equal(got, [[str(round(cpu * 1e9)), str(samples), str(windows),
                               '1' if hour < 2 else '0']], f'hour {hour}')
        # Every node that is used has a way to the root, and a frame with a name.
        got = rows(folder, 'SELECT count(*) FROM samples LEFT JOIN nodes USING (segment, node)'
                   ' LEFT JOIN frames USING (frame) WHERE function IS NULL')
        check_equal(got, [['0']], 'samples without a function')
        got = rows(folder, 'SELECT DISTINCT function FROM nodes JOIN frames USING (frame)'
                   ' WHERE parent = 0')
        check_equal(got, [['main']], 'roots')


def test_nothing_can_be_written(folder):
    fill(folder)
    check('readonly' in sql_fails(folder, 'DELETE FROM slice;'), 'the file was changed')


def sql_fails(folder, script):
    done = subprocess.run(['sqlite3', '-readonly', os.path.join(folder, 'history.db')],
                          input=script, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    check(done.returncode != 0, 'it did not fail')
    return done.stdout


if __name__ == '__main__':
    run(globals())
