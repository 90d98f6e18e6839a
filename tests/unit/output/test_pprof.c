// SPDX-License-Identifier: Apache-2.0
/*
 * A small reader of pprof that holds a file to what the strictest consumers demand: ids 1..n in
 * table order (Parca), valid UTF-8, no '-' in sample types, mappings everywhere (Pyroscope), no
 * label without content (Go's tool loses it).
 */
#include "output/written.h"

#include <zlib.h>

#include "output/escape.h"

struct field {
	unsigned number;
	uint64_t value;      /* of a varint */
	struct reader bytes; /* of a length-prefixed field */
	bool is_bytes;
};

static bool next_field(struct reader *reader, struct field *field)
{
	uint64_t key, size;
	const unsigned char *at;

	if (!reader_left(reader))
		return false;
	key = reader_uleb(reader);
	field->number = (unsigned)(key >> 3);
	field->is_bytes = (key & 7) == 2;
	assert_true((key & 7) == 0 || field->is_bytes);
	if (!field->is_bytes) {
		field->value = reader_uleb(reader);
	} else {
		size = reader_uleb(reader);
		at = reader_take(reader, size);
		assert_non_null(at);
		field->bytes = reader_of(at, size);
	}
	assert_false(reader->overrun);
	return true;
}

/* The last number with this field number in a message; 0, as in proto3, when there is none. */
static uint64_t number_in(struct reader message, unsigned number)
{
	struct field field;
	uint64_t value = 0;

	while (next_field(&message, &field))
		if (field.number == number && !field.is_bytes)
			value = field.value;
	return value;
}

static unsigned count_in(struct reader message, unsigned number)
{
	struct field field;
	unsigned count = 0;

	while (next_field(&message, &field))
		count += field.number == number;
	return count;
}

/* The n-th (from 0) length-prefixed field with this number. */
static struct reader nth_in(struct reader message, unsigned number, unsigned n)
{
	struct field field;

	while (next_field(&message, &field))
		if (field.number == number && n-- == 0)
			return field.bytes;
	fail_msg("no %u-th field %u", n, number);
	return message;
}

struct pprof {
	struct bytes raw;
	struct reader all;
};

static struct pprof read_pprof(struct profile *profile)
{
	struct bytes packed = written(&writer_pprof, profile);
	struct pprof ret = {};
	char out[4096];
	z_stream z = { .next_in = (unsigned char *)packed.at, .avail_in = (uInt)packed.size };
	int r;

	assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
	do {
		z.next_out = (unsigned char *)out;
		z.avail_out = sizeof(out);
		r = inflate(&z, Z_NO_FLUSH);
		assert_true(r == Z_OK || r == Z_STREAM_END);
		bytes_add(&ret.raw, out, sizeof(out) - z.avail_out);
	} while (r != Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	bytes_fini(&packed);
	ret.all = reader_of(ret.raw.at, ret.raw.size);
	return ret;
}

/* Owned by the caller. */
static char *string_at(const struct pprof *pprof, uint64_t id)
{
	struct reader text;

	assert_true(id < count_in(pprof->all, 6));
	text = nth_in(pprof->all, 6, (unsigned)id);
	return strndup((const char *)text.at, reader_left(&text));
}

static void assert_string_at(const struct pprof *pprof, uint64_t id, const char *want)
{
	cleanup(free) char *text = string_at(pprof, id);

	assert_string_equal(text, want);
}

static void check_ids(const struct pprof *pprof, unsigned table)
{
	unsigned count = count_in(pprof->all, table);

	for (unsigned i = 0; i < count; i++)
		assert_int_equal(number_in(nth_in(pprof->all, table, i), 1), i + 1);
}

static void check_sample(const struct pprof *pprof, struct reader sample)
{
	struct reader values = nth_in(sample, 2, 0), locations = {};
	unsigned count = 0;

	for (; reader_left(&values); count++)
		reader_uleb(&values);
	assert_int_equal(count, count_in(pprof->all, 1));
	if (count_in(sample, 1))
		locations = nth_in(sample, 1, 0);
	while (reader_left(&locations)) {
		uint64_t id = reader_uleb(&locations);

		assert_true(id >= 1 && id <= count_in(pprof->all, 4));
	}
	for (unsigned i = 0; i < count_in(sample, 3); i++) {
		struct reader label = nth_in(sample, 3, i);

		assert_true(number_in(label, 1));
		assert_true(number_in(label, 2) || number_in(label, 3) || number_in(label, 4));
	}
}

static void check_all(const struct pprof *pprof)
{
	assert_string_at(pprof, 0, "");
	for (unsigned i = 0; i < count_in(pprof->all, 6); i++) {
		cleanup(free) char *text = string_at(pprof, i);

		for (const char *at = text; *at;) {
			uint32_t c = text_next(&at);

			assert_true(c != TEXT_INVALID && !text_is_hidden(c));
		}
	}
	check_ids(pprof, 3);
	check_ids(pprof, 4);
	check_ids(pprof, 5);
	for (unsigned i = 0; i < count_in(pprof->all, 2); i++)
		check_sample(pprof, nth_in(pprof->all, 2, i));
	for (unsigned i = 0; i < count_in(pprof->all, 4); i++) {
		struct reader location = nth_in(pprof->all, 4, i);
		uint64_t mapping = number_in(location, 2);

		assert_true(mapping >= 1 && mapping <= count_in(pprof->all, 3));
		assert_true(count_in(location, 4) >= 1);
		for (unsigned k = 0; k < count_in(location, 4); k++) {
			uint64_t function = number_in(nth_in(location, 4, k), 1);

			assert_true(function >= 1 && function <= count_in(pprof->all, 5));
		}
	}
	for (unsigned i = 0; i < count_in(pprof->all, 1); i++) {
		cleanup(free) char *type =
			string_at(pprof, number_in(nth_in(pprof->all, 1, i), 1));

		assert_null(strchr(type, '-'));
	}
}

static void hostile_names_leave_a_valid_file(void **state)
{
	struct profile *profile = hostile_profile();
	struct pprof pprof = read_pprof(profile);

	(void)state;
	check_all(&pprof);
	assert_int_equal(count_in(pprof.all, 2), 12);
	bytes_fini(&pprof.raw);
	profile_free(profile);
}

static void head_says_what_was_recorded(void **state)
{
	struct profile *profile = build_profile();
	struct pprof pprof;
	struct reader comments;

	(void)state;
	profile->meta.title = strdup("prog, pid 7");
	profile->meta.quality = strdup("said twice");
	assert_ok(profile_comment_add(profile, "said twice"));
	build_sample(profile, "prog", NULL, 0, "l:start|u:main~tiny", 3);
	pprof = read_pprof(profile);
	check_all(&pprof);
	assert_string_at(&pprof, number_in(nth_in(pprof.all, 1, 0), 1), "samples");
	assert_string_at(&pprof, number_in(nth_in(pprof.all, 1, 0), 2), "count");
	assert_string_at(&pprof, number_in(nth_in(pprof.all, 1, 1), 1), "cpu");
	assert_string_at(&pprof, number_in(nth_in(pprof.all, 1, 1), 2), "nanoseconds");
	assert_string_at(&pprof, number_in(pprof.all, 14), "cpu");
	assert_int_equal(number_in(pprof.all, 9), 1800000000000000000);
	assert_int_equal(number_in(pprof.all, 10), 30000000000);
	assert_string_at(&pprof, number_in(nth_in(pprof.all, 11, 0), 1), "cpu");
	assert_int_equal(number_in(pprof.all, 12), BUILDER_PERIOD);
	comments = nth_in(pprof.all, 13, 0);
	assert_string_at(&pprof, reader_uleb(&comments), "prog, pid 7");
	assert_string_at(&pprof, reader_uleb(&comments), "said twice");
	assert_int_equal(reader_left(&comments), 0);
	/* The first mapping is the program, with what is known of it. */
	assert_string_at(&pprof, number_in(nth_in(pprof.all, 3, 0), 5), "/usr/bin/prog");
	assert_string_at(&pprof, number_in(nth_in(pprof.all, 3, 0), 6), "b1d");
	assert_int_equal(number_in(nth_in(pprof.all, 3, 0), 2), 0x400000);
	assert_int_equal(number_in(nth_in(pprof.all, 3, 0), 3), 0x500000);
	assert_int_equal(number_in(nth_in(pprof.all, 3, 0), 7), 1);
	assert_int_equal(number_in(nth_in(pprof.all, 3, 0), 9), 0);
	assert_int_equal(number_in(nth_in(pprof.all, 3, 0), 10), 1);
	bytes_fini(&pprof.raw);
	profile_free(profile);
}

static void no_label_vanishes(void **state)
{
	struct profile *profile = build_profile();
	struct profile_label labels[] = {
		{ .key = build_string(profile, "pid"), .is_number = true },
		{ .key = build_string(profile, "cpu"), .is_number = true,
		  .unit = build_string(profile, "id") },
		{ .key = build_string(profile, "span id"), .number = -3, .is_number = true },
		{ .key = build_string(profile, "unit"), .text = build_string(profile, "a.service") },
	};
	int64_t values[] = { 1, 1 };
	uint32_t stack, set;
	struct reader sample, label;
	struct pprof pprof;

	(void)state;
	assert_ok(profile_stack_add(profile, &stack, NULL, 0));
	assert_ok(profile_labels_add(profile, &set, labels, 4));
	assert_ok(profile_sample_add(profile, stack, set, values));
	pprof = read_pprof(profile);
	check_all(&pprof);
	sample = nth_in(pprof.all, 2, 0);
	assert_int_equal(count_in(sample, 3), 4); /* by key */
	label = nth_in(sample, 3, 0);
	assert_string_at(&pprof, number_in(label, 1), "cpu");
	assert_string_at(&pprof, number_in(label, 4), "id");
	label = nth_in(sample, 3, 1);
	assert_string_at(&pprof, number_in(label, 1), "pid");
	assert_string_at(&pprof, number_in(label, 2), "0");
	label = nth_in(sample, 3, 2);
	assert_string_at(&pprof, number_in(label, 1), "span_id");
	assert_true((int64_t)number_in(label, 3) == -3);
	label = nth_in(sample, 3, 3);
	assert_string_at(&pprof, number_in(label, 2), "a.service");
	bytes_fini(&pprof.raw);
	profile_free(profile);
}

static void sample_types_have_no_dashes(void **state)
{
	struct profile *profile;
	struct pprof pprof;
	uint32_t id;

	(void)state;
	assert_ok(profile_new(&profile));
	assert_ok(profile_type_add(profile, &id, "samples", "count"));
	assert_ok(profile_type_add(profile, &id, "page-faults", "count"));
	profile->meta.main_type = 1;
	pprof = read_pprof(profile);
	check_all(&pprof);
	assert_string_at(&pprof, number_in(pprof.all, 14), "page_faults");
	bytes_fini(&pprof.raw);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_names_leave_a_valid_file),
		cmocka_unit_test(head_says_what_was_recorded),
		cmocka_unit_test(no_label_vanishes),
		cmocka_unit_test(sample_types_have_no_dashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
