# SPDX-License-Identifier: Apache-2.0
"""`profd verify`: what it finds out here, and that it notices what is wrong."""
import json
import os
import resource
import shutil
import signal
import subprocess

from harness import HANG_S, PROFD, check, check_equal, folder, one_line, run


def verify(*arguments, **options):
    return subprocess.run([PROFD, 'verify', *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding='utf-8', check=False, **options)


def test_all_is_well_here():
    result = verify('-d', '2', '--json')
    check_equal(result.returncode, 0, result.stdout + result.stderr)
    found = json.loads(result.stdout)
    check(found['good'], result.stdout)
    for what in 'split', 'samples', 'shapes', 'steps', 'copies':
        check_equal(found[what]['verdict'], 'ok', what)
    check(found['steps']['compared'] > 10000, found['steps'])
    check(found['shapes']['in_known_functions'] > 300, found['shapes'])
    # Its own measurement of itself has to be about what it was made for.
    for part in found['split']['parts']:
        check(abs(part['truth'] * 100 - int(part['part'])) < 5, part)


def test_ten_lines():
    result = verify('-d', '1')
    lines = result.stdout.splitlines()
    check_equal(len(lines), 10, result.stdout + result.stderr)
    check(all(len(line) <= 110 for line in lines), result.stdout)
    check('can be trusted' in lines[-1], result.stdout)


def test_where_nothing_can_be_recorded():
    result = verify('-d', '1', preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (12, 12)))
    check_equal(result.returncode, 1, result.stdout)
    check(result.stderr.startswith('profd: '), result.stderr)


def test_interrupted():
    """Wherever it is then, it ends at once and says so."""
    # Before the first second is over it steps, and Ctrl-C ends it as it ends any program.
    for after_s in (3, 5, 7):
        verifier = subprocess.Popen(
            [PROFD, 'verify', '-d', '60' if after_s == 3 else '1'], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding='utf-8', start_new_session=True)
        try:
            verifier.wait(after_s)
        except subprocess.TimeoutExpired:
            verifier.send_signal(signal.SIGINT)
        said, why = verifier.communicate(timeout=HANG_S)
        if verifier.returncode == 0:  # it was done
            check_equal(len(said.splitlines()), 10, said)
        elif verifier.returncode != -signal.SIGINT:
            check_equal((verifier.returncode, said), (1, ''), why)
            check('interrupted' in one_line(why), why)


def test_program_that_the_user_may_not_run():
    """Through sudo it runs as who called: where that is not allowed, this is said once."""
    path = folder()
    os.chmod(path, 0o700)
    own = shutil.copy(PROFD, path)
    result = subprocess.run(
        [own, 'verify', '-d', '1'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8',
        check=False, env=dict(os.environ, SUDO_UID='65534', SUDO_GID='65534', SUDO_USER='nobody'))
    check_equal((result.returncode, result.stdout), (1, ''), result.stderr)
    check('Permission denied' in one_line(result.stderr), result.stderr)


def test_wrong_usage():
    for arguments in (['-d', '0'], ['-d', 'soon'], ['what']):
        result = verify(*arguments)
        check_equal(result.returncode, 2, arguments)
        one_line(result.stderr)


if __name__ == '__main__':
    run(globals())
