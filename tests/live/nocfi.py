#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Code without call frame information: musl, programs without unwind tables, assembly in libraries.

Nearly all samples end in a true root, and the frames between are those of the target's own account.
"""
import os

from harness import (COPIES, TARGETS, Skipped, Target, by_table_only, check, check_complete,
                     check_equal, has, need, record, run)


def target(name, *arguments):
    if not os.path.exists(os.path.join(TARGETS, name)):
        raise Skipped(f'{name} was not built: its library or compiler is not installed')
    return Target(name, *arguments)


# What may stand above `turn` in untabled.c, root first.
UNTABLED = {('by_switch', 'leaf'), ('by_pointer', 'pointed', 'leaf'), ('tail_end',),
            ('by_alloca', 'leaf'), ('by_aligned', 'leaf'), ('by_early', 'leaf'),
            ('by_sort',), ('by_sort', 'compare'), ('by_print',), ('by_error',)}
UNTABLED |= {('by_depth',) * depth + ('leaf',) for depth in range(1, 14)}
BEGINNINGS = {chain[:length] for chain in UNTABLED for length in range(len(chain) + 1)}
# Before the jump it is by_tail itself.
BEGINNINGS.add(('by_tail',))
NAMES = {name for chain in BEGINNINGS for name in chain}


def check_untabled(recording):
    """Each stack is one that the program can have; nearly all are whole."""
    wrong, whole, total = {}, 0, 0
    for frames, weight in recording.stacks:
        own = [frame for frame in frames if frame in NAMES or frame in ('main', 'turn')]
        total += weight
        if own[:1] != ['main'] or own[1:2] not in ([], ['turn']) or \
                tuple(own[2:]) not in BEGINNINGS:
            wrong[tuple(own)] = wrong.get(tuple(own), 0) + weight
        whole += weight if tuple(own[2:]) in UNTABLED else 0
    wrong_share = sum(wrong.values()) / total
    print(f'    {100 * whole / total:.1f} % are whole, {100 * wrong_share:.2f} % wrong')
    # While a program starts and ends there is no main yet, or no more.
    check(wrong_share <= max(0.001, 1.5 / recording.samples), f'{wrong}')
    check(whole > 0.9 * total, f'only {whole} of {total} are whole')
    for name in ('by_switch', 'pointed', 'tail_end', 'by_alloca', 'by_aligned', 'by_early',
                 'by_depth', 'by_error'):
        share = recording.share(lambda frames, name=name: name in frames)
        check(share > 0.02, f'only {share:.4f} in {name}')


def untabled(name):
    with target(name) as running:
        recording = record('-p', running.pid, seconds=1.5, hz=1999)
    check_complete(recording)
    check_untabled(recording)


def test_without_frame_pointers():
    untabled('untabled')


def test_with_frame_pointers():
    untabled('untabled_fp')


def test_stripped():
    """No symbol at all: functions have the names of their addresses, each one its own."""
    with target('untabled_stripped') as running:
        recording = record('-p', running.pid, seconds=1, hz=1999)
    check_complete(recording)
    own = {frame for frame in recording.functions() if frame.startswith('untabled_stripped+0x')}
    print(f'    {len(own)} functions')
    check(10 <= len(own) <= 20, f'{own}')


def test_musl_dynamic():
    untabled('musl_untabled')


def test_musl_static():
    untabled('musl_static_untabled')


def test_musl_stripped():
    with target('musl_stripped_untabled') as running:
        recording = record('-p', running.pid, seconds=1, hz=1999)
    check_complete(recording)


def test_musl_threads():
    """Stacks of threads end in clone, in the dynamic libc as well, which has no name for it."""
    for kind in ('musl_', 'musl_static_', 'musl_stripped_'):
        with target(kind + 'threads', 50) as running:
            recording = record('-p', running.pid, seconds=1, hz=1999)
        check_complete(recording)
        if kind == 'musl_stripped_':
            continue
        inside = recording.share(has('worker', 'worker_step', 'worker_leaf'))
        print(f'    {kind}threads: {100 * inside:.1f} % in worker_leaf')
        check(inside > 0.8, f'{inside}')


@by_table_only('what a handler on a stack of its own has interrupted lies outside of the copy')
def test_musl_signals():
    """Handlers return to musl's own trampoline; under them lies what they interrupted."""
    for kind in ('musl_', 'musl_static_', 'musl_stripped_'):
        with target(kind + 'signals') as running:
            recording = record('-p', running.pid, seconds=1, hz=1999)
        check_complete(recording)
        if kind == 'musl_stripped_':
            continue
        for handler in ('on_plain', 'on_alternate'):
            whole = recording.share(lambda frames: handler in frames)
            under = recording.share(lambda frames: handler in frames and 'sort_once' in
                                    frames[frames.index('main'):frames.index(handler)])
            print(f'    {kind}signals: {handler} {100 * whole:.1f} %, over the sorting '
                  f'{100 * under:.1f} %')
            check(whole > 0.1 and under > 0.98 * whole, f'{handler} lies on nothing')


def test_musl_children():
    """fork, exec and the first and last instructions of processes."""
    for kind in ('musl_', 'musl_static_'):
        path = os.path.join(TARGETS, kind + 'children')
        if not os.path.exists(path):
            raise Skipped('musl-gcc is not installed')
        recording = record(seconds=None, hz=1999, command=[path, 100, 5, 2, 'exec'])
        # A program at a fixed address that executes itself has the old one's mappings for a moment.
        check_complete(recording, percent=98 if kind == 'musl_static_' else 99.9)


def test_libgmp():
    with target('gmp') as running:
        recording = record('-p', running.pid, seconds=3, hz=1999)
    check_complete(recording)
    ways = ('multiply', 'divide', 'power', 'root')
    share = recording.share(lambda frames: any(has('main', 'turn', way)(frames) for way in ways))
    print(f'    {100 * share:.1f} % beneath main, turn and one of {ways}')
    check(share > 0.98, f'{share}')
    for way in ways[:3]:  # roots are quickly found
        check(recording.share(lambda frames, way=way: way in frames) > 0.005, f'no {way}')
    wrong = recording.share(lambda frames: sum(frames.count(way) for way in ways) > 1)
    check_equal(wrong, 0.0, 'share in two ways at once')
    assembly = {'__gmpn_mul_basecase', '__gmpn_mul_1', '__gmpn_addmul_1', '__gmpn_submul_1',
                '__gmpn_sqr_basecase', '__gmpn_redc_1', '__gmpn_add_n', '__gmpn_sub_n',
                '__gmpn_mullo_basecase', '__gmpn_hgcd2', '__gmpn_gcd_22'}
    share = recording.share(lambda frames: frames[-1] in assembly)
    print(f'    {100 * share:.1f} % in assembly')
    check(share > 0.3, f'{share}')


def test_libjpeg():
    with target('jpeg') as running:
        recording = record('-p', running.pid, seconds=2, hz=1999)
    check_complete(recording)
    for way in ('compress', 'decompress'):
        share = recording.share(has('main', way))
        print(f'    {100 * share:.1f} % beneath {way}')
        check(share > 0.1, f'{share}')
    both = recording.share(lambda frames: 'compress' in frames and 'decompress' in frames)
    check_equal(both, 0.0, 'share in both at once')


def test_libcrypto():
    """Ciphers, digests and signatures, each under the function that the program has called."""
    openssl = need('openssl')
    # With AVX2 the frames of SHA-2 are found below the stack pointer, where no copy is.
    digests = ['md5'] if COPIES else ['sha256', 'sha512', 'md5']
    for more, above in ((['aes-128-cbc'], 'EVP_Cipher'), (digests, 'EVP_Digest'),
                        (['rsa2048'], 'BN_mod_exp'), (['-evp', 'aes-256-gcm'], 'EVP_'),
                        (['-evp', 'chacha20-poly1305'], 'EVP_EncryptUpdate')):
        recording = record(seconds=None, hz=1999,
                           command=[openssl, 'speed', '-seconds', '1', '-bytes', '1024'] + more)
        check_complete(recording)
        share = recording.share(lambda frames: any(frame.startswith(above) for frame in frames))
        print(f'    {" ".join(more)}: {100 * share:.1f} % beneath {above}…')
        check(share > 0.8, f'{share}')


if __name__ == '__main__':
    run(globals())
