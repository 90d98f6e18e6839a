# SPDX-License-Identifier: Apache-2.0
"""Writes a table of the names of system calls by number, from what <asm/unistd.h> defines.

usage: make_system_calls.py OUTPUT COMPILER...
"""
import re
import subprocess
import sys

done = subprocess.run(sys.argv[2:] + ['-E', '-dM', '-x', 'c', '-'], input='#include <asm/unistd.h>\n',
                      check=True, capture_output=True, text=True)
found = re.findall(r'^#define __NR_(\w+) (\d+)$', done.stdout, re.MULTILINE)
if not any(name == 'read' for name, _ in found):
    sys.exit('asm/unistd.h defines no system calls')
with open(sys.argv[1], 'w', encoding='ascii') as file:
    for name, number in sorted(found, key=lambda item: int(item[1])):
        file.write(f'[{number}] = "{name}",\n')
