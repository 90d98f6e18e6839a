// SPDX-License-Identifier: Apache-2.0
#include "server/pages.h"

#include <string.h>

#include "base/cleanup.h"
#include "server/site.h"
#include "page_data.h"

#define FILE_OF(path, type, text)                                                                  \
	{                                                                                          \
		path, type, text, sizeof(text) - 1                                                 \
	}

static const struct file {
	const char *path, *type, *text;
	size_t size;
} files[] = {
	FILE_OF("/", "text/html; charset=utf-8", page_html),
	FILE_OF("/profd.css", "text/css; charset=utf-8", page_css),
	FILE_OF("/profd.js", "text/javascript; charset=utf-8", page_js),
	FILE_OF("/profd.svg", "image/svg+xml", page_svg),
};

void page_answer(struct exchange *exchange)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (strcmp(files[i].path, exchange->request.path) == 0)
			exchange_reply_static(exchange, files[i].type, POLICY_PAGE, files[i].text,
					      files[i].size);
}
