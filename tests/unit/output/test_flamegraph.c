// SPDX-License-Identifier: Apache-2.0
#include "output/written.h"

#include <math.h>

#include "output/flamegraph/flamegraph.h"
#include "profile/call_tree.h"

/* Where the picture begins, behind the style sheet and the script. */
static const char *body_of(const struct bytes *svg)
{
	const char *end = strstr(svg->at, "]]></script>");

	assert_non_null(end);
	return end + strlen("]]></script>");
}

static void titles_are_flamegraphs(void **state)
{
	struct profile *profile = build_profile();
	struct bytes svg;
	const char *body;

	(void)state;
	profile->meta.title = strdup("prog & co");
	build_sample(profile, "prog", NULL, 0, "u:main|u:hot", 1200);
	build_sample(profile, "prog", NULL, 0, "u:main|k:read", 800);
	svg = written(&writer_flamegraph, profile);
	body = body_of(&svg);
	assert_non_null(strstr(svg.at, "<title id=\"name\">prog &amp; co</title>"));
	assert_non_null(strstr(svg.at, "Most time itself: hot 60.0%, read 40.0%."));
	assert_non_null(strstr(body, "total_samples=\"2000\" fg:n=\"2000.00\""));
	assert_non_null(strstr(body, "<title>all (2,000 samples, 100.00%)\n"));
	assert_non_null(strstr(body, "<title>hot (1,200 samples, 60.00%)\n"
				     "± 2.16 points; self 60.00% ± 2.16; prog</title>"));
	/* Three rows below "all", to the right of "hot": siblings by name. */
	assert_non_null(strstr(body, "fg:x=\"0\" fg:w=\"1200\"/>"));
	assert_non_null(strstr(body, "x=\"60.0000%\" y=\"111\" width=\"40.0000%\" height=\"16\" "
				     "fg:x=\"1200\" fg:w=\"800\"/>"));
	assert_null(strstr(body, ">generated code")); /* no such kind here */
	assert_non_null(strstr(body, ">kernel</text>"));
	for (const char *const *id = (const char *const[]){
		     "title", "subtitle", "details", "unzoom", "search", "ignorecase", "matched",
		     "frames", "legend", "background", NULL }; *id; id++) {
		char attribute[64];

		snprintf(attribute, sizeof(attribute), " id=\"%s\"", *id);
		assert_non_null(strstr(svg.at, attribute));
	}
	bytes_fini(&svg);
	profile_free(profile);
}

/* Outside of tags and entities there must be no markup left, whatever the names were. */
static void hostile_names_are_only_text(void **state)
{
	struct profile *profile = hostile_profile();
	struct bytes svg = written(&writer_flamegraph, profile);
	const char *body = body_of(&svg);
	unsigned depth = 0;

	(void)state;
	assert_null(strstr(body, "]]>"));
	assert_null(strstr(body, "<script"));
	assert_null(strstr(body, HOSTILE_BIDI));
	for (const char *at = body; *at; at++) {
		assert_true(*at == '\n' || (unsigned char)*at >= 0x20);
		if (*at == '<')
			depth++;
		if (*at == '>')
			depth--;
		assert_true(depth <= 1);
		if (*at == '&')
			assert_true(!strncmp(at, "&amp;", 5) || !strncmp(at, "&lt;", 4) ||
				    !strncmp(at, "&gt;", 4) || !strncmp(at, "&quot;", 6) ||
				    !strncmp(at, "&#39;", 5));
	}
	assert_int_equal(depth, 0);
	bytes_fini(&svg);
	profile_free(profile);
}

static void the_head_is_escaped_too(void **state)
{
	struct profile *profile = hostile_profile();
	struct bytes svg = written(&writer_flamegraph, profile);

	(void)state;
	assert_null(strstr(svg.at, "<b>"));
	assert_null(strstr(svg.at, "\x1b"));
	assert_null(strstr(svg.at, "alert(1)</script>"));
	/* One script, one end of it, one end of its CDATA. */
	assert_ptr_equal(strstr(svg.at, "</script>"), body_of(&svg) - strlen("</script>"));
	assert_null(strstr(body_of(&svg), "</script>"));
	bytes_fini(&svg);
	profile_free(profile);
}

/* The root is on top, so that a still image shows the trunk wherever it is cut. */
static void narrow_frames_are_folded(void **state)
{
	struct profile *profile = build_profile();
	struct bytes svg;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:main|u:wide", 20000);
	build_sample(profile, NULL, NULL, 0, "u:main|u:a|u:a2", 11);
	build_sample(profile, NULL, NULL, 0, "u:main|u:b", 12);
	build_sample(profile, NULL, NULL, 0, "u:main|u:wide|u:alone", 13);
	svg = written(&writer_flamegraph, profile);
	assert_non_null(strstr(body_of(&svg), "<title>wide (20,013 samples, 99.89%)"));
	assert_null(strstr(body_of(&svg), "<title>b ("));
	assert_non_null(strstr(body_of(&svg), "<g class=\"more\"><title>2 more (23 samples, 0.11%)"));
	/* Behind the others, although "a" and "b" come before "wide". */
	assert_non_null(strstr(body_of(&svg), "fg:x=\"20013\" fg:w=\"23\""));
	assert_null(strstr(body_of(&svg), "1 more")); /* too narrow even so */
	assert_non_null(strstr(body_of(&svg), "4 frames too narrow to draw here"));
	bytes_fini(&svg);
	profile_free(profile);
}

static void labels_fit_their_boxes(void **state)
{
	struct profile *profile = build_profile();
	struct bytes svg;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:a_function_with_quite_a_long_name", 1);
	build_sample(profile, NULL, NULL, 0, "u:b", 9);
	svg = written(&writer_flamegraph, profile);
	/* 118 px less 6, at 7.23 px each: 15 characters. */
	assert_non_null(strstr(body_of(&svg), ">a_function_wit…</text>"));
	bytes_fini(&svg);
	profile_free(profile);
}

static void a_long_command_leaves_room_for_the_rest(void **state)
{
	struct profile *profile = build_profile();
	struct bytes svg;
	char subtitle[400];

	(void)state;
	snprintf(subtitle, sizeof(subtitle), "prog %0300d · host · 99 Hz", 0);
	profile->meta.subtitle = strdup(subtitle);
	build_sample(profile, NULL, NULL, 0, "u:main", 1);
	svg = written(&writer_flamegraph, profile);
	assert_non_null(strstr(body_of(&svg), "00… · host · 99 Hz</text>"));
	assert_non_null(strstr(body_of(&svg), "00 · host · 99 Hz</title>")); /* the tooltip */
	bytes_fini(&svg);
	profile_free(profile);
}

static double channel(double c)
{
	return c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

/* Relative luminance of WCAG 2.2 from CSS's hsl (CSS Color 4, section 7.1). */
static double luminance(double hue, double saturation, double lightness)
{
	double rgb[3], a = saturation * fmin(lightness, 1 - lightness);
	static const double offsets[] = { 0, 8, 4 };

	for (unsigned i = 0; i < 3; i++) {
		double k = fmod(offsets[i] + hue / 30, 12);

		rgb[i] = channel(lightness - a * fmax(-1, fmin(fmin(k - 3, 9 - k), 1)));
	}
	return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2];
}

static void text_is_readable_on_every_colour(void **state)
{
	static const unsigned char inks[2][3] = { { 0x1c, 0x1d, 0x21 }, { 0xec, 0xee, 0xf2 } };
	struct profile *profile = build_profile();
	unsigned hue, saturation, lightness, colours = 0;
	const char *at, *dark = NULL;
	struct bytes svg;
	char kind;

	(void)state;
	build_sample(profile, "prog", "t", 1, "u:a|l:b|k:c|j:d|i:e|n:f", 1);
	svg = written(&writer_flamegraph, profile);
	/* The ink. */
	assert_non_null(strstr(svg.at, "fill: #1c1d21; pointer-events"));
	assert_non_null(strstr(svg.at, "#frames text { fill: #eceef2"));
	for (at = svg.at; (at = strstr(at, "@media screen and (prefers-color-scheme: dark)")); at++)
		dark = at; /* the last one: the palette's */
	assert_non_null(dark);
	for (at = svg.at; (at = strstr(at, "{fill:hsl(")); at++, colours++) {
		const unsigned char *ink = inks[at > dark];
		double paper, text;

		kind = at[-2];
		assert_int_equal(sscanf(at, "{fill:hsl(%u,%u%%,%u%%)", &hue, &saturation,
					&lightness), 3);
		paper = luminance(hue, saturation / 100.0, lightness / 100.0);
		text = 0.2126 * channel(ink[0] / 255.0) + 0.7152 * channel(ink[1] / 255.0) +
		       0.0722 * channel(ink[2] / 255.0);
		if ((fmax(paper, text) + 0.05) / (fmin(paper, text) + 0.05) < 4.5)
			fail_msg("%c%c %s: contrast %.2f", kind, at[-1], at > dark ? "dark" : "light",
				 (fmax(paper, text) + 0.05) / (fmin(paper, text) + 0.05));
	}
	assert_int_equal(colours, 2 * (9 * 8 + 16 + 8));
	bytes_fini(&svg);
	profile_free(profile);
}

/* ---- The table, read by the rules that are written in table.c. ---- */

struct decoded {
	char names[4000][300];
	unsigned name_count, nodes, node_count, parent[40000], frame[40000], depth[40000];
	long self[40000], total[40000];
	char digits[100];
	bool by_caller;
};

static const char *find(const char *at, const char *what)
{
	const char *found = strstr(at, what);

	assert_non_null(found);
	return found + strlen(what);
}

/* Only what json_string and the table make of clean texts. Returns what is behind the text. */
static const char *read_json_text(const char *at, char *text)
{
	assert_int_equal(*at, '"');
	for (at++; *at != '"'; at++) {
		unsigned c;

		assert_true(*at != '<' && *at != '>' && *at != '&');
		if (*at != '\\') {
			*text++ = *at;
		} else if (at[1] == 'u') {
			assert_int_equal(sscanf(at + 2, "%4x", &c), 1);
			assert_in_range(c, 1, 127);
			*text++ = (char)c;
			at += 5;
		} else {
			*text++ = *++at;
		}
	}
	*text = '\0';
	return at + 1;
}

static const char *numbers_at; /* of the file */

static unsigned next_digit(const struct decoded *d)
{
	const char *digit;

	for (;;) {
		if (strncmp(numbers_at, "\n</metadata>\n<metadata class=\"numbers\">\n", 41) == 0)
			numbers_at += 41;
		else if (*numbers_at == '\n' && numbers_at[1] != '<')
			numbers_at++;
		else
			break;
	}
	digit = strchr(d->digits, *numbers_at++);
	assert_non_null(digit);
	return (unsigned)(digit - d->digits);
}

static unsigned long next_number(const struct decoded *d)
{
	unsigned long value = 0, scale = 1;
	unsigned digit;

	while ((digit = next_digit(d)) >= 44) {
		value += (digit - 44) * scale;
		scale *= 44;
	}
	return value + digit * scale;
}

static struct decoded *decode(const struct bytes *svg)
{
	static unsigned callees[4000][4000];
	struct decoded *d = calloc(1, sizeof(*d));
	const char *at = find(svg->at, "<metadata id=\"profile\">");
	unsigned path[1000], depth = 0, n = 0;

	assert_non_null(d);
	read_json_text(find(at, "\"digits\":"), d->digits);
	assert_int_equal(strlen(d->digits), 88);
	d->node_count = (unsigned)strtoul(find(at, "\"nodes\":"), NULL, 10);
	d->by_caller = strncmp(find(at, "\"by_caller\":"), "true", 4) == 0;
	for (at = find(at, "\"names\":["); *at != ']'; at += *at == ',')
		at = read_json_text(at, d->names[d->name_count++]);
	numbers_at = find(at, "<metadata class=\"numbers\">\n");
	for (unsigned f = 1; f < d->name_count; f++) {
		unsigned long shared = next_number(d);

		/* ASCII only here, else characters would have to be counted. */
		memmove(d->names[f] + shared, d->names[f], strlen(d->names[f]) + 1);
		memcpy(d->names[f], d->names[f - 1], shared);
		for (unsigned i = 0; i < 4; i++)
			next_number(d);
	}
	for (unsigned f = d->by_caller ? 1 : d->name_count; f <= d->name_count; f++) {
		unsigned long count = next_number(d);

		for (unsigned i = 0; i < count; i++)
			callees[f % d->name_count][i] = (unsigned)next_number(d);
	}
	while (n < d->node_count) {
		unsigned long entered, weight;

		depth -= (unsigned)next_number(d);
		entered = next_number(d);
		while (entered) {
			unsigned digit = next_digit(d), pair = digit != 81;
			unsigned places[2] = { pair ? digit / 9 : (unsigned)next_number(d), digit % 9 };

			for (unsigned i = 0; i <= pair && entered; i++, entered--) {
				unsigned caller = depth && d->by_caller ? d->frame[path[depth - 1]] : 0;

				assert_in_range(n, 0, 39999);
				d->parent[n] = depth ? path[depth - 1] : 0;
				d->depth[n] = depth;
				d->frame[n] = callees[caller][places[i]];
				path[depth++] = n++;
			}
		}
		weight = next_number(d);
		d->self[n - 1] = (long)(weight / 2);
		if (weight % 2) {
			d->parent[n] = path[depth - 1];
			d->depth[n] = depth;
			d->self[n++] = (long)next_number(d);
		}
	}
	assert_int_equal(strncmp(numbers_at, "\n</metadata>\n</svg>\n", 21), 0);
	for (unsigned i = n; i-- > 0;) {
		d->total[i] += d->self[i];
		if (i)
			d->total[d->parent[i]] += d->total[i];
	}
	return d;
}

/* Stacks of a few functions with hostile names. */
static struct profile *random_profile(void)
{
	static const char *const names[] = { "alpha", "alphabet", "al", "beta<int>::run(int)",
					     "b&<>]]>", "gamma", "gamma()", "x", "y", "z",
					     "q\"uote\\" };
	struct profile *profile = build_profile();
	uint32_t random = 1;

	for (unsigned i = 0; i < 400; i++) {
		char stack[500] = "u:main";
		unsigned depth = 1 + i % 12;

		while (depth--) {
			random = random * 1103515245 + 12345;
			strcat(strcat(stack, "|u:"), names[(random >> 16) % ARRAY_SIZE(names)]);
		}
		build_sample(profile, i % 3 ? "one" : "two", NULL, 0, stack, 1 + (random >> 24));
	}
	return profile;
}

/* The decoded tree is the call tree, node for node. */
static void the_table_is_the_profile(void **state)
{
	struct profile *profile = random_profile();
	struct call_tree *tree;
	struct decoded *d;
	struct bytes svg;

	(void)state;
	svg = written(&writer_flamegraph, profile);
	d = decode(&svg);
	assert_true(d->by_caller);
	assert_ok(call_tree_new(&tree, profile, profile->meta.main_type));
	assert_int_equal(d->node_count, tree->nodes.count);
	for (uint32_t i = 0; i < tree->nodes.count; i++) {
		const struct call_node *node = &tree->nodes.at[i];

		assert_string_equal(d->names[d->frame[i]],
				    call_frame_name(tree, call_tree_frame(tree, i)));
		assert_int_equal(d->parent[i], node->parent);
		assert_int_equal(d->depth[i], node->depth);
		assert_int_equal(d->self[i], node->self);
		assert_int_equal(d->total[i], node->total);
	}
	call_tree_free(tree);
	free(d);
	bytes_fini(&svg);
	profile_free(profile);
}

/* With less and less room: what is there is true, and what is not is counted. */
static void less_room_leaves_the_heaviest(void **state)
{
	struct profile *profile = random_profile();
	unsigned nodes_before = 0;
	struct call_tree *tree;

	(void)state;
	assert_ok(profile_freeze(profile));
	assert_ok(call_tree_new(&tree, profile, profile->meta.main_type));
	for (uint64_t budget = 0; budget < 6000; budget += 200) {
		struct stream stream;
		struct decoded *d;
		long cut = 0;

		stream_init(&stream, -1);
		assert_ok(table_write(tree, profile, NULL, &stream, budget));
		stream_str(&stream, "</svg>\n");
		assert_non_null(bytes_str(&stream.buffer));
		d = decode(&stream.buffer);
		assert_int_equal(d->total[0], call_tree_total(tree));
		for (unsigned i = 0; i < d->node_count; i++)
			if (!d->frame[i])
				cut += d->self[i];
		assert_int_equal(strtol(find(stream.buffer.at, "\"left_out_weight\":"), NULL, 10), cut);
		assert_true(d->node_count >= 1);
		assert_true(d->node_count + 100 >= nodes_before);
		nodes_before = d->node_count;
		/* Besides the budget there is a head that does not depend on it. */
		assert_true(stream.written < 1100 + budget + budget / 10);
		free(d);
		stream_fini(&stream);
	}
	assert_true(nodes_before > 500);
	call_tree_free(tree);
	profile_free(profile);
}

/* Where everything calls everything, one list of callees is shorter. */
static void callees_may_be_common(void **state)
{
	struct profile *profile = build_profile();
	struct decoded *d;
	struct bytes svg;
	uint32_t random = 1;
	long sum = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		char stack[100];

		random = random * 1103515245 + 12345;
		snprintf(stack, sizeof(stack), "u:f%u|u:f%u|u:f%u", random >> 16 & 255,
			 random >> 8 & 255, i & 255);
		build_sample(profile, NULL, NULL, 0, stack, i);
		sum += i;
	}
	svg = written(&writer_flamegraph, profile);
	d = decode(&svg);
	assert_false(d->by_caller);
	assert_int_equal(d->total[0], sum);
	for (unsigned i = 1; i < d->node_count; i++)
		assert_int_equal(d->names[d->frame[i]][0], 'f');
	free(d);
	bytes_fini(&svg);
	profile_free(profile);
}

/* A profile of names of a megabyte: a file below its limit that says what is not in it. */
static void names_of_a_megabyte(void **state)
{
	enum { SIZE = 1000000 };
	struct profile *profile = build_profile();
	char *name = malloc(SIZE + 3);
	struct bytes svg;

	(void)state;
	assert_non_null(name);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t function, location, stack, mapping = build_mapping(profile, "/bin/p", 0x400000);
		struct profile_line line = {};
		const int64_t values[2] = { 1, BUILDER_PERIOD };

		memset(name, i % 2 ? '<' : 'a' + (int)i, SIZE);
		name[SIZE] = (char)('a' + i);
		name[SIZE + 1] = '\0';
		function = build_function(profile, name);
		line.function = function;
		assert_ok(profile_location_add(profile, &location, mapping, 0x400000 + i,
					       LOCATION_USER));
		assert_ok(profile_location_name(profile, location, &line, 1, true));
		assert_ok(profile_stack_add(profile, &stack, &location, 1));
		assert_ok(profile_sample_add(profile, stack, 0, values));
	}
	svg = written(&writer_flamegraph, profile);
	assert_in_range(svg.size, 1000, 500000);
	assert_non_null(strstr(svg.at, "\"left_out\":0,"));
	bytes_fini(&svg);
	profile_free(profile);
	free(name);
}

/* Very many functions that were seen once each, and one that was seen often. */
static void what_is_too_much_is_left_out(void **state)
{
	struct profile *profile = build_profile();
	struct bytes svg;
	const char *at;
	unsigned long left_out, weight;
	struct call_tree *tree;
	char stack[100];

	(void)state;
	for (unsigned i = 0; i < 150000; i++) {
		snprintf(stack, sizeof(stack), "u:main|u:%08x_a_name_as_long_as_many_%08x",
			 i * 2654435761U, i);
		build_sample(profile, NULL, NULL, 0, stack, 1);
	}
	build_sample(profile, NULL, NULL, 0, "u:main|u:often", 500);
	svg = written(&writer_flamegraph, profile);
	assert_in_range(svg.size, 3000000, 5000000);
	assert_non_null(strstr(body_of(&svg), "<title>often (500 samples, 0.33%)"));
	at = find(svg.at, "\"left_out\":");
	left_out = strtoul(at, NULL, 10);
	weight = strtoul(find(at, "\"left_out_weight\":"), NULL, 10);
	assert_in_range(left_out, 1000, 149000);
	assert_int_equal(weight, left_out);
	assert_ok(call_tree_new(&tree, profile, profile->meta.main_type));
	assert_int_equal(strtoul(find(svg.at, "\"nodes\":"), NULL, 10),
			 tree->nodes.count - left_out + 1);
	call_tree_free(tree);
	bytes_fini(&svg);
	profile_free(profile);
}

static void places_in_the_source(void **state)
{
	struct profile *profile = build_profile();
	struct profile_function function = { .name = build_string(profile, "work"),
					     .file = build_string(profile, "/src/work.c") };
	uint32_t location, stack, mapping = build_mapping(profile, "/bin/p", 0x400000);
	const int64_t values[2] = { 1, BUILDER_PERIOD };
	struct bytes svg;

	(void)state;
	function.system_name = function.name;
	for (uint32_t i = 0; i < 2; i++) {
		struct profile_line line = { .line = 30 - i };

		assert_ok(profile_function_add(profile, &line.function, &function));
		assert_ok(profile_location_add(profile, &location, mapping, 0x400000 + i,
					       LOCATION_USER));
		assert_ok(profile_location_name(profile, location, &line, 1, true));
		assert_ok(profile_stack_add(profile, &stack, &location, 1));
		assert_ok(profile_sample_add(profile, stack, 0, values));
	}
	svg = written(&writer_flamegraph, profile);
	/* No line of the function itself: the first one that was seen. */
	assert_non_null(strstr(body_of(&svg), "; p; /src/work.c:29</title>"));
	bytes_fini(&svg);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(titles_are_flamegraphs),
		cmocka_unit_test(hostile_names_are_only_text),
		cmocka_unit_test(the_head_is_escaped_too),
		cmocka_unit_test(narrow_frames_are_folded),
		cmocka_unit_test(labels_fit_their_boxes),
		cmocka_unit_test(a_long_command_leaves_room_for_the_rest),
		cmocka_unit_test(text_is_readable_on_every_colour),
		cmocka_unit_test(the_table_is_the_profile),
		cmocka_unit_test(less_room_leaves_the_heaviest),
		cmocka_unit_test(callees_may_be_common),
		cmocka_unit_test(names_of_a_megabyte),
		cmocka_unit_test(what_is_too_much_is_left_out),
		cmocka_unit_test(places_in_the_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
