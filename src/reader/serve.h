/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a worker process: questions in, answers out, until the socket is closed. */
#pragma once

#include "worker/protocol.h"

/* Serves WORKER_SOCKET. Returns the process's exit status. */
int serve(answer_fn answer, void *state);
