// SPDX-License-Identifier: Apache-2.0
/* What handlers answer with, and the headers that each answer has. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "server/site.h"

enum { SENTENCE_BYTES = 512 };

static const char policy_none[] = "default-src 'none'; base-uri 'none'; form-action 'none'; "
				  "frame-ancestors 'none'";
static const char policy_page[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	"connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'";
static const char policy_picture[] =
	"sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
	"style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'self'";

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)MHD_add_response_header(response, name, value);
}

/* Takes the response over; NULL: there was no memory for it. */
static void answer(struct exchange *exchange, unsigned code, const char *type,
		   enum answer_policy policy, struct MHD_Response *response, uint64_t size)
{
	if (exchange->response) { /* one is enough */
		if (response)
			MHD_destroy_response(response);
		return;
	}
	exchange->response = response;
	exchange->code = code;
	exchange->answer_bytes = size;
	if (response) {
		add_header(response, "Content-Type", type);
		add_header(response, "X-Content-Type-Options", "nosniff");
		add_header(response, "Cache-Control", "no-store");
		add_header(response, "Referrer-Policy", "no-referrer");
		add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
		add_header(response, "Cross-Origin-Opener-Policy", "same-origin");
		add_header(response, "X-Frame-Options",
			   policy == POLICY_PICTURE ? "SAMEORIGIN" : "DENY");
		add_header(response, "Content-Security-Policy",
			   policy == POLICY_PAGE      ? policy_page
			   : policy == POLICY_PICTURE ? policy_picture
						      : policy_none);
	}
	if (!exchange->is_suspended)
		return;
	exchange->is_suspended = false;
	exchange->site->http.waiting--;
	/* Then its handler is called again. */
	MHD_resume_connection(exchange->connection);
}

static void reply(struct exchange *exchange, unsigned code, const char *type,
		  enum answer_policy policy, struct bytes *body)
{
	struct MHD_Response *response = NULL;
	size_t size = body->size;

	if (!body->failed)
		response = MHD_create_response_from_buffer(size, body->at, MHD_RESPMEM_MUST_FREE);
	if (response)
		*body = (struct bytes){};
	else
		bytes_fini(body);
	answer(exchange, code, type, policy, response, size);
}

void exchange_reply(struct exchange *exchange, const char *type, struct bytes *body)
{
	reply(exchange, MHD_HTTP_OK, type, POLICY_NONE, body);
}

void exchange_reply_page(struct exchange *exchange, struct bytes *body)
{
	reply(exchange, MHD_HTTP_OK, "text/html; charset=utf-8", POLICY_PAGE, body);
}

void exchange_reply_static(struct exchange *exchange, const char *type, enum answer_policy policy,
			   const char *data, size_t size)
{
	answer(exchange, MHD_HTTP_OK, type, policy,
	       MHD_create_response_from_buffer(size, (void *)(uintptr_t)data,
					       MHD_RESPMEM_PERSISTENT),
	       size);
}

void exchange_reply_file(struct exchange *exchange, int fd, uint64_t size)
{
	struct MHD_Response *response = MHD_create_response_from_fd64(size, fd);
	char disposition[128];

	if (!response) {
		close(fd);
	} else if (exchange->file_name) {
		snprintf(disposition, sizeof(disposition), "attachment; filename=\"%s\"",
			 exchange->file_name);
		add_header(response, "Content-Disposition", disposition);
	}
	answer(exchange, MHD_HTTP_OK, exchange->type, exchange->policy, response, size);
}

void exchange_reply_elsewhere(struct exchange *exchange, const char *path)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	if (response)
		add_header(response, "Location", path);
	answer(exchange, MHD_HTTP_MOVED_PERMANENTLY, "text/plain; charset=utf-8", POLICY_NONE,
	       response, 0);
}

void exchange_fail_with(struct exchange *exchange, unsigned code, const char *header,
			const char *value, const char *sentence)
{
	/* In the place of a picture it is for people. */
	const bool is_picture = exchange->policy == POLICY_PICTURE;
	const enum error_style style =
		exchange->route && !is_picture ? exchange->route->errors : ERROR_PLAIN;
	struct bytes body = {};

	if (exchange->response)
		return;
	if (style == ERROR_JSON) {
		struct json json = json_to(&body);

		json_object(&json, NULL);
		json_string(&json, "error", sentence);
		json_end(&json);
	} else {
		bytes_add_format(&body, "%s\n", sentence);
	}
	reply(exchange, code,
	      style == ERROR_JSON ? "application/json" : "text/plain; charset=utf-8",
	      exchange->policy, &body);
	/* Also when it was resumed by that: it is only sent later. */
	if (exchange->response && style == ERROR_PPROF)
		add_header(exchange->response, "X-Go-Pprof", "1");
	if (exchange->response && header)
		add_header(exchange->response, header, value);
}

void exchange_fail(struct exchange *exchange, unsigned code, const char *format, ...)
{
	char sentence[SENTENCE_BYTES];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	exchange_fail_with(exchange, code, NULL, NULL, sentence);
}

void exchange_fail_for_now(struct exchange *exchange, unsigned code, unsigned seconds,
			   const char *format, ...)
{
	char sentence[SENTENCE_BYTES], after[16];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	snprintf(after, sizeof(after), "%u", seconds ? seconds : 1);
	exchange_fail_with(exchange, code, "Retry-After", after, sentence);
}

const char *exchange_header(struct exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}
