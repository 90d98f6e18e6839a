// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "fetch/library.h"

bool library_is_built_in(void)
{
	return false;
}

const char *library_trouble(void)
{
	return "this build of profd is without debuginfod";
}

int library_find(const char *build_id, library_progress_fn progress, bool *from_cache)
{
	(void)build_id;
	(void)progress;
	(void)from_cache;
	return -ENOSYS;
}
