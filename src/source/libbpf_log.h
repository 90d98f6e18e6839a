/* SPDX-License-Identifier: Apache-2.0 */
/* What libbpf has to say, the verifier's reasons too, goes to the log's debug level, not to stderr. */
#pragma once

void libbpf_log(void);
