/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that downloads one debug file from the servers of DEBUGINFOD_URLS, and ends. Servers can
 * send whatever they like, for any time: it has no privileges, is ended when it takes too long, and
 * does not look into the file.
 */
#pragma once

/* No debug file is larger: libLLVM's has 1.5 GB. A smaller DEBUGINFOD_MAXSIZE counts. */
#define FETCH_FILE_BYTES_MAX (2ULL << 30)

/*
 * The whole process, which is somebody without privileges already where there is such a one.
 * build_id: lower-case hex. Returns its exit status.
 */
int fetcher_main(const char *build_id);
