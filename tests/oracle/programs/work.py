# SPDX-License-Identifier: Apache-2.0
"""A bit of everything that the interpreter does, in a thread of its own."""
import ctypes
import json
import re
import struct
import threading
import zlib


class Text(str):
    def __lt__(self, other):
        return len(self) < len(other)


def numbers(count):
    for i in range(count):
        yield i * 7919 % 1009


def recurse(left):
    if left:
        return recurse(left - 1) + 1
    raise LookupError('bottom')


def work():
    values = sorted(numbers(60), key=lambda value: -value)
    text = json.dumps({'values': values, 'names': ['a', None, 1.5]}, sort_keys=True)
    assert json.loads(text)['values'] == values
    assert re.sub(r'(\d+), (\d+)', lambda match: match[2], text, count=5)
    assert sorted([Text('aaa'), Text('b'), Text('cc')])[0] == 'b'
    try:
        recurse(12)
    except LookupError as error:
        assert error.args
    assert zlib.decompress(zlib.compress(text.encode() * 3)) == text.encode() * 3
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int),
                               ctypes.POINTER(ctypes.c_int))
    array = (ctypes.c_int * 5)(3, 5, 1, 4, 2)
    libc.qsort(array, 5, 4, compare(lambda a, b: a[0] - b[0]))
    assert list(array) == [1, 2, 3, 4, 5]
    assert struct.unpack('<HQ', struct.pack('<HQ', 1, 2)) == (1, 2)
    assert 3 ** 400 // 7 ** 100 % 10 ** 9 > 0
    print(f'{len(text)} {1 / 3:.3f}', flush=True)


libc = ctypes.CDLL(None)
thread = threading.Thread(target=work)
thread.start()
thread.join()
