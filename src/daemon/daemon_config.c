// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

void daemon_config_init(struct daemon_config *config)
{
	*config = (struct daemon_config){ .history = true };
	config_init(&config->record);
	/* It looks closely at some, and changes its rate: BPF programs do that. */
	config->record.unwind = UNWIND_TABLE;
}

void daemon_config_fini(struct daemon_config *config)
{
	config_fini(&config->record);
	for (uint32_t i = 0; i < config->allowed_hosts.count; i++)
		free(config->allowed_hosts.at[i]);
	for (uint32_t i = 0; i < config->settings.count; i++)
		free(config->settings.at[i].text);
	for (uint32_t i = 0; i < config->texts.count; i++)
		free(config->texts.at[i]);
	array_fini(&config->allowed_hosts);
	array_fini(&config->settings);
	array_fini(&config->texts);
	free(config->stop_file);
	free(config->store_folder);
	free(config->socket_path);
	free(config->socket_group);
	free(config->listen);
	free(config->token_file);
	free(config->user);
	free(config->path);
	*config = (struct daemon_config){};
}

const char *daemon_config_keep(struct daemon_config *config, const char *text)
{
	char **kept = array_push(&config->texts);

	if (!kept)
		return NULL;
	*kept = strdup(text);
	if (!*kept)
		config->texts.count--;
	return kept && *kept ? *kept : NULL;
}

/* What can change while profd runs; see the header. */
static void take_over(struct daemon_config *running, struct daemon_config *fresh)
{
	running->record.frequency_hz = fresh->record.frequency_hz;
	running->record.period_ns = fresh->record.period_ns;
	running->max_overhead_percent = fresh->max_overhead_percent;
	running->memory_bytes = fresh->memory_bytes;
	running->store_bytes = fresh->store_bytes;
	running->store_age_ns = fresh->store_age_ns;
	running->verbose = fresh->verbose;
	free(running->stop_file);
	running->stop_file = TAKE_PTR(fresh->stop_file);
	log_set_level(running->verbose ? LOG_DEBUG : LOG_INFO);
}

/* An empty text is how a file says that there is none. */
static const char *shown(const char *text)
{
	return text[0] ? text : "not set";
}

static int compare(struct daemon_config *running, struct daemon_config *fresh)
{
	int effective = 0;

	/* Both are of the same table. */
	for (uint32_t i = 0; i < running->settings.count && i < fresh->settings.count; i++) {
		struct daemon_setting *was = &running->settings.at[i], *is = &fresh->settings.at[i];

		if (strcmp(was->text, is->text) == 0)
			continue;
		if (was->at_start) {
			log_warning("%s: %s takes effect when profd is started again: it stays "
				    "'%.64s', and will be '%.64s'",
				    running->path, was->name, shown(was->text), shown(is->text));
			continue;
		}
		log_info("%s: %s is %.64s now, was %.64s", running->path, was->name,
			 shown(is->text), shown(was->text));
		free(was->text);
		was->text = TAKE_PTR(is->text);
		effective++;
	}
	return effective;
}

int daemon_config_reload(struct daemon_config *running)
{
	cleanup(daemon_config_fini) struct daemon_config fresh;
	int r = running->load(&fresh, running), effective;

	if (r < 0)
		log_error("cannot read the configuration again: %s; it stays as it is",
			  strerror(-r));
	if (r > 0)
		log_error("the configuration has mistakes and stays as it is; see 'profd daemon "
			  "--check-config'");
	if (r != 0)
		return r < 0 ? r : -EINVAL;
	if (!running->path && fresh.path) {
		running->path = strdup(fresh.path);
		if (!running->path)
			return -ENOMEM;
	}
	if (!running->path) {
		log_info("there is no configuration file to read again");
		return 0;
	}
	effective = compare(running, &fresh);
	take_over(running, &fresh);
	log_info("read %s again: %d %s", running->path, effective,
		 effective == 1 ? "change" : "changes");
	return effective;
}

bool daemon_config_is_stopped(const struct daemon_config *config)
{
	return config->stop_file && access(config->stop_file, F_OK) == 0;
}
