// SPDX-License-Identifier: Apache-2.0
#include "session/sample_labels.h"

#include <string.h>

#include "session/identity.h"

static int add_label(struct pipeline *p, struct profile_label *label, const char *key,
		     const char *text)
{
	int r = profile_string(p->profile, &label->key, key);

	return r != 0 ? r : profile_string(p->profile, &label->text, text);
}

enum { LABELS_MAX = 16 };

/* A label that says something; `text` may be NULL or "". */
static int add_known(struct pipeline *p, struct profile_label *labels, uint32_t *count,
		     const char *key, const char *text)
{
	return text && *text ? add_label(p, &labels[(*count)++], key, text) : 0;
}

/* Whose the sample is: the labels of those who keep profiles of many for long. */
static int add_identity(struct pipeline *p, struct process *process,
			const struct wire_sample *sample, struct profile_label *labels,
			uint32_t *count)
{
	const struct object *object = NULL;
	const char *executable = identities_executable(process, &object);
	const struct group_identity *group =
		identities_group(p->identities, sample->cgroup, (pid_t)sample->pid);
	char build_id[2 * OBJECT_BUILD_ID_MAX + 1] = "";
	int r;

	process->cgroup = sample->cgroup;
	if (p->meet)
		p->meet(p->meet_context, process->pid, process->comm, group);
	if (object)
		object_build_id_hex(object, build_id);
	labels[*count].is_number = true;
	labels[*count].number = sample->uid;
	/* A number without a unit, 0, would get lost in pprof. */
	r = add_label(p, &labels[*count], "uid", "");
	if (r == 0)
		r = profile_string(p->profile, &labels[*count].unit, "id");
	(*count)++;
	if (r == 0)
		r = add_known(p, labels, count, "user",
			      identities_user(p->identities, sample->uid));
	if (r == 0)
		r = add_known(p, labels, count, "exe", executable);
	if (r == 0)
		r = add_known(p, labels, count, "build_id", build_id);
	if (r != 0 || !group)
		return r;
	if ((r = add_known(p, labels, count, "cgroup", group->path)) != 0 ||
	    (r = add_known(p, labels, count, "unit", group->unit)) != 0 ||
	    (r = add_known(p, labels, count, "container", group->container)) != 0)
		return r;
	return add_known(p, labels, count, "pod", group->pod);
}

int sample_labels(struct pipeline *p, struct process *process, const struct wire_sample *sample,
		  uint32_t *ret)
{
	const struct sample_counter *counter = &p->counters[sample->event];
	struct profile_label labels[LABELS_MAX] = {};
	char comm[WIRE_COMM_BYTES + 1] = "";
	uint32_t count = 0, more = 0;
	int r;

	memcpy(comm, sample->comm, WIRE_COMM_BYTES);
	r = add_label(p, &labels[count++], "comm",
		      process && process->comm[0] ? process->comm : comm);
	labels[count].is_number = true;
	labels[count].number = sample->pid;
	if (r == 0)
		r = add_label(p, &labels[count++], "pid", "");
	if (r == 0 && p->threads) {
		r = add_label(p, &labels[count++], "thread_name", comm);
		labels[count].is_number = true;
		labels[count].number = sample->tid;
		if (r == 0)
			r = add_label(p, &labels[count++], "tid", "");
	}
	if (r == 0 && p->identities && process)
		r = add_identity(p, process, sample, labels, &count);
	if (r == 0 && counter->label) {
		r = counter->label(counter->context, p, sample, &labels[count], &more);
		count += more;
	}
	return r != 0 ? r : profile_labels_add(p->profile, ret, labels, count);
}

int sample_labels_pid(struct pipeline *p, const struct wire_sample *sample, uint32_t *ret)
{
	struct profile_label pid = { .is_number = true, .number = sample->pid };
	int r = add_label(p, &pid, "pid", "");

	return r != 0 ? r : profile_labels_add(p->profile, ret, &pid, 1);
}
