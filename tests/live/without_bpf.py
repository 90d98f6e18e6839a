#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program that bpf(2) is refused to, as a container's filter of system calls does it.

usage: without_bpf.py PROGRAM [ARGUMENT...]
"""
import ctypes
import os
import platform
import struct
import sys

BPF_CALL, ARCHITECTURE = {'x86_64': (321, 0xc000003e), 'aarch64': (280, 0xc00000b7)}[
    platform.machine()]
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, REFUSE = 0x7fff0000, 0x00050000 | 1  # SECCOMP_RET_ERRNO, EPERM
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06  # classic BPF: word at an offset, jump, end

# struct seccomp_data: int nr; u32 arch; ...
PROGRAM = [(LOAD, 0, 0, 4), (EQUALS, 0, 2, ARCHITECTURE), (LOAD, 0, 0, 0),
           (EQUALS, 1, 0, BPF_CALL), (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]


class Filter(ctypes.Structure):
    _fields_ = [('count', ctypes.c_ushort), ('at', ctypes.c_char_p)]


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    code = b''.join(struct.pack('HBBI', *statement) for statement in PROGRAM)
    wanted = Filter(len(PROGRAM), code)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(wanted), 0, 0) < 0:
        sys.exit(f'without_bpf.py: {os.strerror(ctypes.get_errno())}')
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == '__main__':
    main()
