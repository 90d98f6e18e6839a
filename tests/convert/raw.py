# SPDX-License-Identifier: Apache-2.0
"""What `go tool pprof -raw` says of a profile, without the numbers that files give to things."""
import os
import re
import shutil
import subprocess
import tempfile

HANG_S = 240
NOTHING = '0x0/0x0/0x0'
PLACES = ('/usr/bin/go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go')


def find_go():
    """The path of a go command; None: there is none."""
    for path in (shutil.which('go'),) + PLACES:
        if path and os.access(path, os.X_OK):
            return path
    return None


def environment():
    result = dict(os.environ, GOENV='off', GOFLAGS='', GO111MODULE='off', GOTOOLCHAIN='local',
                  CGO_ENABLED='0', PPROF_BINARY_PATH='/nonexistent', PPROF_TMPDIR=tempfile.gettempdir(),
                  GOPATH=os.path.join(tempfile.gettempdir(), 'profd-convert-go', 'path'))
    result.setdefault('GOCACHE', os.path.join(tempfile.gettempdir(), 'profd-convert-go'))
    result.pop('GOROOT', None)
    return result


def run_go(*arguments):
    done = subprocess.run([find_go(), *arguments], env=environment(), capture_output=True,
                          timeout=HANG_S, check=False)
    if done.returncode:
        raise AssertionError(f'go {arguments}: {done.stderr.decode()}')
    return done.stdout.decode()


def sections(text):
    """(head, samples, locations, mappings), each a list of lines."""
    parts = re.fullmatch(r'(.*?)^Samples:\n(.*?)^Locations\n(.*?)^Mappings\n?(.*)', text,
                         re.MULTILINE | re.DOTALL)
    if not parts:
        raise AssertionError(f'not as pprof -raw writes it: {text[:400]!r}')
    return [part.splitlines() for part in parts.groups()]


def read_mappings(lines):
    return {number: ' '.join(rest.split()) for number, rest in
            (re.fullmatch(r'(\d+): (.*)', line).groups() for line in lines if line)}


def read_locations(lines, mappings):
    """Number → the text of the location, with its mapping's instead of that one's number. The tool
    gives locations a mapping of nothing where a file has no mappings at all."""
    found, number = {}, None
    for line in lines:
        begin = re.match(r' *(\d+): 0x', line)
        if begin:
            number = begin[1]
            line = line[begin.end() - 2:]
            found[number] = ''
        line = re.sub(r'\bM=(\d+) ', lambda m: f'<{mappings[m[1]]}> '
                      if mappings[m[1]] != NOTHING else '', line)
        found[number] += line.strip() + '\n'
    return found


def raw(path):
    """(head, {(stack, labels): values}): equal for profiles that say the same."""
    text = run_go('tool', 'pprof', '-symbolize=none', '-raw', path)
    head, samples, locations, mappings = sections(text)
    places = read_locations(locations, read_mappings(mappings))
    rows = []
    head.append(samples[0].strip())
    for line in samples[1:]:
        row = re.fullmatch(r' *(-?\d+(?: +-?\d+)*): ([\d ]*)', line)
        if row:
            rows.append([[int(value) for value in row[1].split()],
                         tuple(places[number] for number in row[2].split()), []])
        else:
            rows[-1][2].append(line.strip())
    values = {}
    for row, stack, labels in rows:
        key = (stack, tuple(labels))
        before = values.get(key, [0] * len(row))
        values[key] = [a + b for a, b in zip(before, row)]
    return head, values
