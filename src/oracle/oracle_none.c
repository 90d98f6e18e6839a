// SPDX-License-Identifier: Apache-2.0
/* Without a decoder of instructions nobody knows what a program calls. */
#include "oracle/oracle.h"

#include <errno.h>

struct oracle *oracle_new(const struct oracle_options *options, char **argv, int *error)
{
	(void)options;
	(void)argv;
	*error = -EOPNOTSUPP;
	return NULL;
}

int oracle_follow(struct oracle *oracle)
{
	(void)oracle;
	return -EOPNOTSUPP;
}

void oracle_free(struct oracle *oracle)
{
	(void)oracle;
}
