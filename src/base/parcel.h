/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open file that is kept and handed on, but not open here: it lies in the queue of a socket
 * (unix(7), SCM_RIGHTS). Closing a descriptor of a file system that asks somebody else (FUSE) may
 * take for ever, and so does the end of a process that has one; closing the socket does not, because
 * then the kernel lets go of the file without asking.
 */
#pragma once

/* A parcel with the file open as `fd`, which stays the caller's. Returns it or a negative errno. */
int parcel_make(int fd);
/*
 * The file in a parcel, or `fd` itself when it is none. fd: consumed, also on failure.
 * Returns a descriptor or a negative errno (-EBADMSG: a socket, but without a file).
 */
int parcel_open(int fd);
