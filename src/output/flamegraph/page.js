// SPDX-License-Identifier: Apache-2.0
// The page around the boxes. As the picture's own document it takes the place of the root; inside
// of somebody else's page that of the picture.
let page = null; // elements by their role

function html(name, parent, className) {
	const element = document.createElementNS(HTML, name);

	if (className)
		element.setAttribute('class', className);
	if (parent)
		parent.appendChild(element);
	return element;
}

function addButton(parent, id, text, title, action) {
	const button = html('button', parent);

	button.setAttribute('type', 'button');
	if (id)
		button.setAttribute('id', id);
	button.textContent = text;
	if (title)
		button.title = title;
	button.addEventListener('click', action);
	return button;
}

const press = (button, on) => button.setAttribute('aria-pressed', String(on));

function withId(element, id, text) {
	element.setAttribute('id', id);
	if (text !== undefined)
		element.textContent = text;
	return element;
}

function addViews(parent) {
	const group = html('span', parent, 'group');

	group.setAttribute('role', 'group');
	group.setAttribute('aria-label', 'View');
	page.views = {
		down: addButton(group, '', 'Top-down', 'From the root to what it calls (1)',
			() => setView('down')),
		up: addButton(group, '', 'Callers', 'From each function to who calls it (2)',
			() => setView('up')),
		table: addButton(group, '', 'Functions', 'All functions in a table (3)',
			() => setView('table')),
	};
}

function addSearch(parent) {
	const group = html('span', parent, 'group search');
	const label = withId(html('label', group), 'search', 'Search');

	label.setAttribute('for', 'pattern');
	page.pattern = withId(html('input', group), 'pattern');
	page.pattern.setAttribute('type', 'text');
	page.pattern.setAttribute('spellcheck', 'false');
	page.pattern.setAttribute('autocomplete', 'off');
	page.pattern.setAttribute('autocapitalize', 'off');
	page.pattern.setAttribute('placeholder', 'part of a name');
	page.regex = addButton(group, 'regex', '.*', 'Regular expression',
		() => setSearch({ regex: !state.regex }, true));
	page.matchCase = addButton(group, 'matchcase', 'Aa', 'Match case',
		() => setSearch({ exact: !state.exact }, true));
	page.matchCase.setAttribute('aria-label', 'Match case');
	page.regex.setAttribute('aria-label', 'Regular expression');
	page.pattern.addEventListener('input', () => {
		clearTimeout(page.searchTimer);
		page.searchTimer = setTimeout(
			() => setSearch({ pattern: page.pattern.value }, !state.pattern), 120);
	});
}

function addBox(parent, id, text, title, action) {
	const label = html('label', parent, 'group');
	const box = withId(html('input', label), id);

	box.setAttribute('type', 'checkbox');
	label.appendChild(document.createTextNode(text));
	label.title = title;
	box.addEventListener('change', () => action(box.checked));
	return box;
}

function addChoices(select, values, texts) {
	values.forEach((value, i) => {
		const option = html('option', select);

		option.setAttribute('value', value);
		option.textContent = texts[i];
	});
}

// Of a picture of changes: what is gone has a width only in BASE.
function addSides(parent) {
	const label = html('label', parent, 'group');

	label.appendChild(document.createTextNode('Widths of '));
	label.title = 'What is gone is seen as it was in BASE, what is new as it is in NEW';
	page.side = withId(html('select', label), 'side');
	addChoices(page.side, ['new', 'base'], ['NEW', 'BASE']);
	page.side.addEventListener('change', () => change({ side: page.side.value }));
}

function addOptions(parent) {
	const label = html('label', parent, 'group');

	label.appendChild(document.createTextNode('Colour by '));
	page.colour = withId(html('select', label), 'colour');
	addChoices(page.colour, colours(), colours());
	page.colour.addEventListener('change', () => change({ colour: page.colour.value }));
	page.merge = addBox(parent, 'merge', 'Merge recursion',
		'A function called by itself is one box', (on) => change({ merge: on }));
	page.invert = addBox(parent, 'invert', 'Invert', 'The root at the bottom',
		(on) => change({ invert: on }));
}

function addHelp(parent) {
	const box = page.help = html('details', parent, 'help');

	html('summary', box).textContent = 'Help';
	const text = html('div', box);

	for (const line of isChange() ? CHANGE_HELP.concat(HELP.slice(2)) : HELP)
		if (isCounted() || line[0] !== '\u00b1')
			html('p', text).textContent = line;
}

const HELP = [
	'Each box is a function; its width is the share of samples it was found in, with all it ' +
		'called. What it called lies below it, row by row. Click to zoom, click a faded box ' +
		'to go back out, "12 more" to open what is too narrow. The address keeps all of it.',
	'\u00b1 is the 95 % interval of a share: the truth is this close in 95 of 100 recordings.',
	'Keys: arrows walk, Enter zooms, Esc goes back out, / searches, c copies the stack, h hides ' +
		'the function, m its module, u shows its callers, d all its calls in one, ' +
		'i inverts, r merges recursion, 1 2 3 choose the view.',
];

const CHANGE_HELP = [
	'Each box is a function; its width is what it takes in NEW, with all it called, or, if so chosen, ' +
		'what it took in BASE. \u25b2 and red became dearer, \u25bc and blue cheaper, by more than ' +
		'noise; the stronger the colour, the larger the factor. Grey has not changed beyond noise, ' +
		'or is of several stacks that are only judged one by one. What is gone is seen with the ' +
		'widths of BASE. Click to zoom, click a faded box to go back out, "12 more" to open what ' +
		'is too narrow.',
];

function addTitle(parent_) {
	const head = html('header', parent_);

	withId(html('h1', head), 'title', profile.head.title || 'Flame graph');
	withId(html('p', head), 'subtitle', profile.head.subtitle);
	withId(html('p', head), 'quality', profile.head.quality);
	if (profile.head.left_out && isChange())
		html('p', head, 'note').textContent = countText(profile.head.left_out) +
			' calls, the smallest ones, are left out of this file.';
	else if (profile.head.left_out)
		html('p', head, 'note').textContent = countText(profile.head.left_out) +
			' calls of less than ' + weightText(profile.head.smallest) + ', ' +
			shareText(profile.head.left_out_weight) + ' together, are left out of this file.';
	if (!profile.all)
		html('p', head, 'note').textContent =
			'No samples: nothing of the target ran while recording.';
}

function build(parent) {
	page = {};
	addTitle(parent);
	const bar = page.controls = withId(html('div', parent), 'controls');

	addViews(bar);
	addSearch(bar);
	page.unzoom = addButton(bar, 'unzoom', 'Reset zoom', 'Esc', unzoom);
	if (isChange())
		addSides(bar);
	addOptions(bar);
	addHelp(bar);
	page.matched = withId(html('span', bar), 'matched');
	page.matched.setAttribute('aria-live', 'polite');
	page.matchesBox = withId(html('details', parent), 'matches');
	html('summary', page.matchesBox).textContent = 'What matches';
	page.matches = html('ul', page.matchesBox);
	page.matchesBox.addEventListener('toggle', showMatches);
	page.hiddenBox = withId(html('div', parent), 'hidden');
	const main = html('main', parent);

	page.frames = frames = withId(document.createElementNS(SVG, 'svg'), 'frames');
	frames.setAttribute('role', 'tree');
	frames.setAttribute('aria-label', 'Flame graph');
	main.appendChild(frames);
	page.cut = html('p', main, 'note');
	page.cut.textContent = 'Too many frames to draw at once: zoom in to see those further on.';
	page.functions = withId(html('table', main), 'functions');
	page.legend = withId(html('div', parent), 'legend');
	buildStatus(parent);
	page.tip = withId(html('div', parent), 'tip');
	page.tip.setAttribute('aria-hidden', 'true');
}

function buildStatus(parent) {
	page.status = withId(html('div', parent), 'status');
	page.details = withId(html('span', page.status), 'details');
	page.copy = addButton(page.status, 'copy', 'Copy stack', 'c', copyStack);
	page.turn = addButton(page.status, 'turn', 'Callers', 'u', turnOver);
	page.callees = addButton(page.status, 'callees', 'All its calls', 'd', showCallees);
	page.hide = addButton(page.status, 'hide', 'Hide function', 'h', hideFunction);
	page.hideModule = addButton(page.status, 'hide-module', 'Hide module', 'm', hideModule);
	page.said = html('span', page.status, 'said');
	page.said.setAttribute('role', 'status');
	page.copied = html('textarea', page.status);
	page.copied.setAttribute('readonly', '');
	page.copied.setAttribute('aria-label', 'Stack');
	page.copied.hidden = true;
	page.copied.addEventListener('blur', () => {
		page.copied.hidden = true;
	});
}

function measure() {
	const probe = document.createElementNS(SVG, 'text');

	probe.textContent = 'M'.repeat(50);
	frames.appendChild(probe);
	const size = probe.getComputedTextLength() / 50;

	probe.remove();
	if (size > 1)
		charWidth = size;
	if (window.matchMedia && matchMedia('(pointer: coarse)').matches)
		pitch = 26; // for fingers
}

function fit() {
	const room = Math.floor(frames.parentNode.getBoundingClientRect().width);

	if (room <= 0 || room === width)
		return;
	width = room;
	if (state.view === 'table')
		showFunctions();
	else
		showTree();
}

// A document of HTML with the picture's style, in place of the picture.
function newDocument(svg) {
	const document_ = html('html'), head = html('head', document_);
	const viewport = html('meta', head);

	document_.setAttribute('lang', 'en');
	viewport.setAttribute('name', 'viewport');
	viewport.setAttribute('content', 'width=device-width, initial-scale=1');
	html('title', head).textContent = profile.head.title || 'Flame graph';
	html('style', head).textContent = svg.querySelector('style').textContent;
	return html('body', document_, 'profd');
}

function start(event) {
	const svg = event.target.ownerSVGElement || event.target;

	if (page || svg.localName !== 'svg')
		return;
	profile = readTable(svg);
	isOwner = document.documentElement === svg;
	state.colour = colours()[0];
	if (isChange())
		setSide(state.side);
	if (isOwner) {
		const body = newDocument(svg);

		build(body);
		svg.replaceWith(body.parentNode);
	} else {
		const box = html('div', null, 'profd');

		box.appendChild(svg.querySelector('style').cloneNode(true));
		build(box);
		svg.replaceWith(box);
	}
	measure();
	width = Math.max(200, Math.floor(frames.parentNode.getBoundingClientRect().width));
	restore();
	show();
	listen();
	if (state.invert && isOwner)
		window.scrollTo(0, document.documentElement.scrollHeight);
}
