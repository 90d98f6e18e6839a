#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns text files into a C header of strings: embed.py OUT [--whole] NAME=FILE..., one name may be
given several files, which are joined. Unless told otherwise, lines that are comments, and
indentation, stay behind."""
import json
import sys

whole = '--whole' in sys.argv
strings = {}
for argument in sys.argv[3 if whole else 2:]:
    name, path = argument.split('=', 1)
    with open(path, encoding='ascii') as source:
        if whole:
            strings.setdefault(name, []).extend(source)
            continue
        lines = (line.strip() for line in source)
        strings.setdefault(name, []).extend(
            line + '\n' for line in lines if line and not line.startswith('//'))

with open(sys.argv[1], 'w', encoding='ascii') as out:
    for name, lines in strings.items():
        # json's escapes of ASCII text are C's as well; a trigraph cannot arise within gnu17.
        quoted = '\n'.join('\t' + json.dumps(line) for line in lines)
        out.write(f'static const char {name}[] =\n{quoted};\n')
