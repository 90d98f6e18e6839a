// SPDX-License-Identifier: Apache-2.0
// Boxes: which are wide enough, where they lie, and their elements, which are used again and again.
const TEXT_PAD = 3; // between a frame's edge and its label
const LETTERS = 'ulkjinapt'; // as palette.c, by kind
const NARROW = 3; // px; what is narrower is folded
const MANY = 1500; // boxes; with more, wider ones are folded, too
const MODULES = 16, HEATS = 8, SHADES = 8; // as palette.c

let frames = null; // the picture's element
let boxes = []; // drawn, row by row from the root, in each from left to right
let shown = null; // the group zoomed to
let current = null; // the box that has, or last had, the focus
let tabStop = null; // its element: the one that Tab leads to
let pool = []; // elements, as many as were ever needed
let isCut = false; // there is more than is drawn, where zooming leads
let width = 1180, pitch = 18, charWidth = 7.23, rows = 0;

// Kids side by side, then what is folded. Widths are true to each other.
function divide(box, narrow) {
	const kids = kidsOf(box.group), drawn = [];
	const scale = box.group.total ? box.w / box.group.total : 0;
	let wide = 0, rest = 0;

	while (wide < kids.length && kids[wide].total * scale >= narrow)
		wide++;
	if (wide + 1 === kids.length && kids[wide].total * scale >= 1)
		wide++; // "1 more" says less than its name
	for (let k = wide; k < kids.length; k++)
		rest += kids[k].total;
	const shownKids = kids.slice(0, wide);

	// Callers are a ranking; callees stay where they are from one recording to the next.
	if (state.view !== 'up')
		shownKids.sort((a, b) => rankOf(a.f) - rankOf(b.f));
	for (const kid of shownKids)
		drawn.push([kid, kid.total * scale]);
	if (rest * scale >= 1)
		drawn.push([moreOf(box.group, wide), rest * scale]);
	return drawn;
}

// Of what was folded and is opened the heaviest ones are shown, however many there are: here
// the last box, of the others, is no measure of them.
function openFolded(box) {
	const kids = kidsOf(box.group), fit = Math.max(8, Math.floor(box.w / 12));
	const some = kids.slice(0, fit);
	const rest = kids.length > fit ? Math.min(80, box.w / 4) : 0;
	const scale = (box.w - rest) / some.reduce((sum, kid) => sum + kid.total, 0);
	const drawn = some.map((kid) => [kid, kid.total * scale]);

	if (rest)
		drawn.push([moreOf(box.group, fit), rest]);
	return drawn;
}

function boxesAbove(group, narrow) {
	const found = [{ group: group, x: 0, w: width, row: rowOf(group), dim: false }];

	for (let i = 0; i < found.length && found.length <= 4 * MANY; i++) {
		const box = found[i];
		let x = box.x;

		if (box.group.isMore && i)
			continue; // opened when it is zoomed to
		for (const [kid, w] of i || !group.isMore ? divide(box, narrow) : openFolded(box)) {
			found.push({ group: kid, x: x, w: w, row: box.row + 1, dim: false });
			x += w;
		}
	}
	return found;
}

function rowOf(group) {
	let row = 0;

	for (let at = group; at.parent; at = at.parent)
		row++;
	return row;
}

function layout(group) {
	let narrow = NARROW, found;

	for (let tries = 0; tries < 8; tries++, narrow *= 1.5) {
		found = boxesAbove(group, narrow);
		if (found.length <= MANY)
			break;
	}
	isCut = found.length > 2 * MANY;
	found.length = Math.min(found.length, 2 * MANY);
	const trunk = [];

	for (let at = group.parent; at; at = at.parent)
		trunk.push({ group: at, x: 0, w: width, row: rowOf(at), dim: true });
	boxes = trunk.reverse().concat(found);
	// They were found row by row, but not in each from left to right.
	boxes.sort((a, b) => a.row - b.row || a.x - b.x);
	rows = boxes.length ? boxes[boxes.length - 1].row + 1 : 0;
}

// FNV-1a over UTF-8, as palette.c.
function hashOf(text) {
	const bytes = isPlain(text) ? null : new TextEncoder().encode(text);
	const size = bytes ? bytes.length : text.length;
	let hash = 2166136261;

	for (let i = 0; i < size; i++)
		hash = Math.imul(hash ^ (bytes ? bytes[i] : text.charCodeAt(i)), 16777619);
	return (hash ^ hash >>> 16) >>> 0;
}

const hashes = new Map();

function hashOnce(text) {
	let hash = hashes.get(text);

	if (hash === undefined) {
		hash = hashOf(text);
		hashes.set(text, hash);
	}
	return hash;
}

// Own time's share of everything, in steps of two: 1/2 of it is the hottest.
function heatOf(weight) {
	const share = shareOf(weight);

	return share > 0 ? Math.max(1, HEATS + Math.floor(Math.min(-1, Math.log2(share)))) : 0;
}

let modules = null; // heaviest first
let moduleColours = null; // by module

// Each has the colour of its name, unless a heavier one has that already: only with more modules than
// colours are two alike.
function colourModules() {
	const selfs = functionSelfs(), free = new Set(Array(MODULES).keys());

	modules = profile.modules.map((path, module) => ({ module: module, self: 0 }));
	moduleColours = new Uint8Array(profile.modules.length);
	for (let f = 1; f < profile.functions; f++)
		modules[moduleOf(f)].self += selfs[f];
	modules = modules.slice(1).sort((a, b) => b.self - a.self);
	for (const { module } of modules) {
		let colour = hashOf(profile.modules[module]) % MODULES;

		while (free.size && !free.has(colour))
			colour = (colour + 1) % MODULES;
		free.delete(colour);
		moduleColours[module] = colour;
	}
}

function fillOf(group) {
	if (group.isMore)
		return 'more';
	if (state.colour === 'change')
		return changeFill(group);
	if (state.colour === 'heat')
		return 'h' + heatOf(functionSelfs()[group.f]);
	if (state.colour === 'module' && !moduleColours)
		colourModules();
	if (state.colour === 'module' && moduleOf(group.f))
		return 'm' + moduleColours[moduleOf(group.f)];
	return LETTERS[kindOf(group.f)] + hashOnce(profile.names[group.f]) % SHADES;
}

function classOf(box) {
	const group = box.group;
	let name = box.dim ? 'parent' : '';

	if (group.isMore)
		name += ' more';
	if (match && (group.isMore ? group.kids.some((kid) => match[kid.f]) || coveredIn(group) > 0
		: match[group.f]))
		name += group.isMore ? ' holds' : ' match';
	return name.trim();
}

const top = (box) => (state.invert ? rows - 1 - box.row : box.row) * pitch;

function newElement() {
	const g = document.createElementNS(SVG, 'g');
	const rect = document.createElementNS(SVG, 'rect');
	const text = document.createElementNS(SVG, 'text');

	g.setAttribute('role', 'treeitem');
	g.setAttribute('tabindex', '-1');
	rect.setAttribute('height', pitch - 1);
	g.appendChild(rect);
	g.appendChild(text);
	g.rect = rect;
	g.text = text;
	g.label = '';
	return g;
}

// Sets what has changed: an element is often used for the same frame again.
function set(element, name, value) {
	const known = element.known || (element.known = {});

	if (known[name] === value)
		return;
	known[name] = value;
	if (value === null)
		element.removeAttribute(name);
	else
		element.setAttribute(name, value);
}

function drawBox(g, box) {
	const group = box.group, y = top(box);
	const columns = Math.floor((box.w - 2 * TEXT_PAD) / charWidth);
	const sign = isChange() && columns > 4 ? signOf(changeOf(group).mark) : '';
	const label = sign ? sign + ' ' + shortName(nameOf(group), columns - 2)
		: shortName(nameOf(group), columns);

	g.box = box;
	box.g = g;
	set(g, 'class', classOf(box) || null);
	set(g, 'aria-label', group.spoken || (group.spoken = spokenOf(group)));
	set(g, 'aria-level', box.row + 1);
	set(g.rect, 'class', fillOf(group));
	// Transforming the group would be one attribute instead of four, but is slower.
	set(g.rect, 'x', box.x.toFixed(2));
	set(g.rect, 'y', y);
	// A gap between neighbours, where there is room for one.
	set(g.rect, 'width', Math.max(box.w > 4 ? box.w - 0.5 : box.w, 0.5).toFixed(2));
	if (label) {
		set(g.text, 'x', (box.x + TEXT_PAD).toFixed(2));
		set(g.text, 'y', y + Math.round(pitch / 2) + 4);
	}
	if (label !== g.label)
		g.text.textContent = g.label = label;
}

// Draws what is zoomed to. Elements' order is that of reading: row by row.
function draw() {
	layout(shown);
	while (pool.length < boxes.length) {
		const g = newElement();

		pool.push(g);
		frames.appendChild(g);
	}
	boxes.forEach((box, i) => drawBox(pool[i], box));
	for (let i = boxes.length; i < pool.length && pool[i].box; i++) {
		pool[i].box = null;
		pool[i].rect.known = pool[i].text.known = pool[i].known = null;
		pool[i].text.textContent = pool[i].label = '';
		set(pool[i], 'class', 'hide');
	}
	frames.setAttribute('height', Math.max(1, rows * pitch));
	frames.setAttribute('width', width);
	frames.setAttribute('viewBox', '0 0 ' + width + ' ' + Math.max(1, rows * pitch));
	setCurrent(boxOf(current ? current.group : shown) || boxOf(shown));
}

// What search or colours have changed, in place.
function redraw() {
	for (const box of boxes)
		drawBox(box.g, box);
}

function boxOf(group) {
	const direct = boxes.find((box) => box.group === group);

	if (direct || !group)
		return direct || null;
	const path = pathOf(group).join('.');

	return boxes.find((box) => box.group.f === group.f &&
		pathOf(box.group).join('.') === path) || null;
}

function setCurrent(box) {
	if (tabStop)
		set(tabStop, 'tabindex', '-1');
	current = box;
	tabStop = box ? box.g : null;
	if (box)
		set(tabStop, 'tabindex', '0');
}

// The neighbours of a box: the heaviest above it, its caller, left and right in its row.
function neighbour(box, direction) {
	const at = boxes.indexOf(box);

	if (direction === 'in')
		return boxes.filter((other) => other.row === box.row + 1 &&
			other.x >= box.x - 0.01 && other.x < box.x + box.w - 0.005)
			.reduce((best, other) => !best || other.w > best.w ? other : best, null);
	if (direction === 'out')
		return boxes.find((other) => other.row === box.row - 1 &&
			other.x <= box.x + 0.01 && other.x + other.w > box.x) || null;
	const next = boxes[direction === 'right' ? at + 1 : at - 1];

	return next && next.row === box.row ? next : null;
}
