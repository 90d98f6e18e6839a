// SPDX-License-Identifier: Apache-2.0
/*
 * jpeg [SECONDS]
 *
 * A picture is compressed and decompressed in turn, by libjpeg-turbo's assembly, which has no unwind
 * tables and aligns its frames in a way of its own. True stacks: main, then compress or decompress,
 * with nothing but libjpeg above it.
 */
#include <string.h>

#include "target.h"

#include <jpeglib.h>

enum { WIDTH = 640, HEIGHT = 360 };

static JSAMPLE pixels[HEIGHT][WIDTH * 3];

FUNCTION void compress(unsigned char **data, unsigned long *size, int quality);
FUNCTION void decompress(const unsigned char *data, unsigned long size, int fast);

void compress(unsigned char **data, unsigned long *size, int quality)
{
	struct jpeg_compress_struct state;
	struct jpeg_error_mgr errors;
	int done = 1;

	state.err = jpeg_std_error(&errors);
	jpeg_create_compress(&state);
	jpeg_mem_dest(&state, data, size);
	state.image_width = WIDTH;
	state.image_height = HEIGHT;
	state.input_components = 3;
	state.in_color_space = JCS_RGB;
	jpeg_set_defaults(&state);
	state.dct_method = quality & 1 ? JDCT_IFAST : JDCT_ISLOW;
	jpeg_set_quality(&state, quality, TRUE);
	jpeg_start_compress(&state, TRUE);
	while (state.next_scanline < state.image_height) {
		JSAMPROW row = pixels[state.next_scanline];

		jpeg_write_scanlines(&state, &row, 1);
	}
	jpeg_finish_compress(&state);
	jpeg_destroy_compress(&state);
	NO_TAIL_CALL(done);
}

void decompress(const unsigned char *data, unsigned long size, int fast)
{
	static JSAMPLE line[WIDTH * 3];
	struct jpeg_decompress_struct state;
	struct jpeg_error_mgr errors;
	int done = 1;

	state.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&state);
	jpeg_mem_src(&state, data, size);
	jpeg_read_header(&state, TRUE);
	state.dct_method = fast ? JDCT_IFAST : JDCT_ISLOW;
	state.do_fancy_upsampling = !fast;
	jpeg_start_decompress(&state);
	while (state.output_scanline < state.output_height) {
		JSAMPROW row = line;

		jpeg_read_scanlines(&state, &row, 1);
	}
	jpeg_finish_decompress(&state);
	jpeg_destroy_decompress(&state);
	NO_TAIL_CALL(done);
}

int main(int argc, char **argv)
{
	uint64_t state = 0x9e3779b97f4a7c15ULL;

	target_begin(argc > 1 ? argv[1] : NULL);
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH * 3; x++)
			pixels[y][x] = (JSAMPLE)((x * y >> 7) + (target_random(&state) >> 60));
	target_ready();
	for (int round = 0; !target_stopped; round++) {
		unsigned char *data = NULL;
		unsigned long size = 0;

		compress(&data, &size, 70 + round % 20);
		decompress(data, size, round & 1);
		free(data);
	}
	puts("{}");
	return 0;
}
