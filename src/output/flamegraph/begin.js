// SPDX-License-Identifier: Apache-2.0
// What makes the picture answer. The files of this folder are joined into one function, in the
// order that src/output/meson.build gives; `init` is called by the picture when it is loaded.
//
// The still image is replaced by a page that is drawn from the table in the file: only what is wide
// enough to be seen, so that profiles of any size answer at once. Names are only ever set as text,
// never parsed as markup. If anything fails, the image stays as it is.
var init = (function () {
	'use strict';
	const SVG = 'http://www.w3.org/2000/svg';
	const HTML = 'http://www.w3.org/1999/xhtml';

	// What is shown, as the address keeps it.
	const state = {
		view: 'down', // or 'up': callers first; 'table': functions
		of: 0, // the function whose callers, or callees, are shown alone; recursion counts once
		zoom: [], // functions from the root, or '~N': those folded behind the N widest ones
		pattern: '', regex: false, exact: false,
		hidden: [], // functions
		hiddenModules: [],
		merge: false, // a function called by itself is one frame
		invert: false, // the root at the bottom
		colour: 'kind', // or 'module', 'heat', 'change'
		side: 'new', // of a picture of changes: which one the widths are of; or 'base'
	};
