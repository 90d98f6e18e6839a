/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process that downloads one debug file says to profd, over a socket that keeps messages
 * apart (SOCK_SEQPACKET): any number of FETCH_PROGRESS, then one of the others. The file itself goes
 * through a second socket, whose other end profd has but never reads: it is a parcel (base/parcel.h)
 * for whoever parses the file. So no descriptor of that process ever reaches profd.
 *
 * Both ends are the same program. Nothing that is said is believed beyond what is shown to people.
 */
#pragma once

#include <stdint.h>

enum {
	FETCH_STATUS_SOCKET = 3, /* in the process */
	FETCH_FILE_SOCKET = 4,
};

enum fetch_kind {
	FETCH_PROGRESS,
	FETCH_DONE,	  /* the file lies in the parcel */
	FETCH_UNKNOWN,	  /* no server has it */
	FETCH_ERROR,	  /* it did not come */
	FETCH_NO_CACHE,	  /* there is no folder to put it into */
	FETCH_NO_LIBRARY, /* libdebuginfod is not there */
	FETCH_KINDS
};

struct fetch_message {
	uint32_t kind;
	int32_t error;	      /* a negative errno: why not */
	uint64_t done, total; /* bytes; total 0: not known */
	uint32_t from_cache;  /* nothing was downloaded */
	uint32_t reserved;
};
