// SPDX-License-Identifier: Apache-2.0
#include "output/written.h"

#include <math.h>

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
				     "± 2.16 points; self 60.00%; prog</title>"));
	/* Half the height of "main", to the right of "hot": siblings by name. */
	assert_non_null(strstr(body, "fg:x=\"0\" fg:w=\"1200\"/>"));
	assert_non_null(strstr(body, "x=\"60.0000%\" y=\"60\" width=\"40.0000%\" height=\"16\" "
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

static void narrow_frames_are_counted_not_drawn(void **state)
{
	struct profile *profile = build_profile();
	struct bytes svg;

	(void)state;
	build_sample(profile, NULL, NULL, 0, "u:main|u:wide", 20000);
	build_sample(profile, NULL, NULL, 0, "u:main|u:thin|u:thinner", 1); /* 0.06 px */
	build_sample(profile, NULL, NULL, 0, "u:main|u:two", 2);	    /* 0.12 px */
	svg = written(&writer_flamegraph, profile);
	assert_null(strstr(body_of(&svg), ">thin"));
	assert_non_null(strstr(body_of(&svg), "<title>two (2 samples, 0.01%)"));
	assert_non_null(strstr(body_of(&svg), "2 frames narrower than 0.1 px not drawn"));
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
	assert_non_null(strstr(svg.at, "text { font-family")); /* the ink below is its fill */
	assert_non_null(strstr(svg.at, "fill: #1c1d21"));
	assert_non_null(strstr(svg.at, "text { fill: #eceef2"));
	for (at = svg.at; (at = strstr(at, "@media (prefers-color-scheme: dark)")); at++)
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
	assert_int_equal(colours, 2 * 9 * 8);
	bytes_fini(&svg);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(titles_are_flamegraphs),
		cmocka_unit_test(hostile_names_are_only_text),
		cmocka_unit_test(the_head_is_escaped_too),
		cmocka_unit_test(narrow_frames_are_counted_not_drawn),
		cmocka_unit_test(labels_fit_their_boxes),
		cmocka_unit_test(a_long_command_leaves_room_for_the_rest),
		cmocka_unit_test(text_is_readable_on_every_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
