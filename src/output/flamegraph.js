// SPDX-License-Identifier: Apache-2.0
// What makes the picture answer: zoom, search, details, keyboard, state in the address.
//
// Everything shown is in the file already; this only moves, hides and relabels it. Frames stand in
// the document in preorder with their place in samples (fg:x, fg:w), so that a subtree is a run of
// the array, and a name is only ever set as text, never parsed as markup.
var init = (function () {
	'use strict';
	const SVG = 'http://www.w3.org/2000/svg';
	const HTML = 'http://www.w3.org/1999/xhtml';
	const FG = 'http://github.com/jonhoo/inferno';
	const PAD = 10; // left and right of the frames
	const TEXT_PAD = 3; // between a frame's edge and its label
	const NORMAL = 0, PARENT = 1, HIDDEN = 2;

	let svg, frames, controls, status, details, matched, field;
	let nodes = [];
	let view = 0; // the zoomed node
	let current = -1; // the node that has, or last had, the focus
	let width = 1200, charWidth = 7.23, effective = 0, total = 0;
	let pattern = '', ignoreCase = false, matchedWeight = 0, matchedInView = 0;
	let standalone = false, timer = 0;
	const byId = (id) => svg.querySelector('#' + id);

	function readNodes() {
		const path = [];

		for (const g of frames.children) {
			const rect = g.querySelector('rect');

			if (!rect)
				continue;
			const title = g.firstElementChild.textContent;
			const end = title.indexOf('\n');
			const first = end < 0 ? title : title.slice(0, end);
			const node = {
				g: g, rect: rect, text: g.querySelector('text'),
				x: Number(rect.getAttributeNS(FG, 'x')),
				w: Number(rect.getAttributeNS(FG, 'w')),
				y: Number(rect.getAttribute('y')),
				// "name (1,234 samples, 12.34%)"
				name: first.replace(/ \([^(]*\)$/, ''),
				title: title, parent: -1, depth: 0, end: 0,
				state: NORMAL, match: false, left: 0, share: 0, label: null,
			};
			const i = nodes.length;

			// The root lies lowest: a frame above another one in the picture is inside it.
			while (path.length && nodes[path[path.length - 1]].y <= node.y)
				nodes[path.pop()].end = i;
			node.depth = path.length;
			node.parent = path.length ? path[path.length - 1] : -1;
			path.push(i);
			g.node = i;
			nodes.push(node);
		}
		for (const i of path)
			nodes[i].end = nodes.length;
	}

	// As text_char_columns in escape.c: how many cells of a fixed-width font a character takes.
	function columnsOf(c) {
		if (c < 0x300)
			return 1;
		if (c <= 0x36f)
			return 0;
		return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
			(c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
			(c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
			(c >= 0x1f300 && c <= 0x1faff) || c >= 0x20000 ? 2 : 1;
	}

	function clip(text, columns) {
		let used = 0, fits = 0, at = 0;

		if (columns < 3)
			return '';
		if (text.length <= columns && !/[^\x20-\x7e]/.test(text))
			return text;
		for (const c of text) {
			used += columnsOf(c.codePointAt(0));
			if (used > columns)
				return text.slice(0, fits) + '\u2026';
			at += c.length;
			if (used <= columns - 1)
				fits = at;
		}
		return text;
	}

	function setClass(node) {
		const names = [];

		if (node.state === PARENT)
			names.push('parent');
		if (node.state === HIDDEN)
			names.push('hide');
		if (node.match)
			names.push('match');
		if (names.length)
			node.g.setAttribute('class', names.join(' '));
		else
			node.g.removeAttribute('class');
	}

	function label(node) {
		const inner = width - 2 * PAD;
		const columns = Math.floor((node.share * inner - 2 * TEXT_PAD) / charWidth);
		const text = node.state === HIDDEN ? '' : clip(node.name, columns);

		if (!node.text) {
			if (!text)
				return;
			node.text = document.createElementNS(SVG, 'text');
			node.text.setAttribute('y', node.y + 12);
			node.g.appendChild(node.text);
			node.label = '';
		}
		if (text !== node.label)
			node.text.textContent = node.label = text;
		if (text)
			node.text.setAttribute('x', (node.left * 100 + TEXT_PAD / inner * 100) + '%');
	}

	function place(node, state, left, share) {
		if (state !== node.state) {
			node.state = state;
			setClass(node);
		}
		if (state !== HIDDEN && (left !== node.left || share !== node.share)) {
			node.left = left;
			node.share = share;
			node.rect.setAttribute('x', left * 100 + '%');
			node.rect.setAttribute('width', share * 100 + '%');
		}
		label(node);
	}

	function zoom(to) {
		const z = nodes[to];

		view = to;
		nodes.forEach((node, i) => {
			if (i >= to && i < z.end)
				place(node, NORMAL, (node.x - z.x) / z.w, node.w / z.w);
			else if (i < to && node.end > to)
				place(node, PARENT, 0, 1);
			else
				place(node, HIDDEN, 0, 0);
		});
		byId('unzoom').classList.toggle('hide', to === 0);
		sumMatches();
		save();
	}

	// Half of the 95 % interval in points, as share_of in statistics.c.
	function half(share) {
		const z = 1.959963984540054, n = effective;

		if (!(n > 0))
			return 100;
		const shrink = 1 + z * z / n, center = (share + z * z / (2 * n)) / shrink;
		const spread = z / shrink *
			Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n));
		const low = share > 0 ? Math.max(0, center - spread) : 0;
		const high = share < 1 ? Math.min(1, center + spread) : 1;

		return 100 * Math.max(share - low, high - share);
	}

	// A match inside a match is the same samples again: only the outermost ones count.
	function sumMatches() {
		const z = nodes[view];
		let end = -1, endInView = -1;

		matchedWeight = matchedInView = 0;
		nodes.forEach((node, i) => {
			if (!node.match)
				return;
			if (i >= end) {
				matchedWeight += node.w;
				end = node.end;
			}
			if (i >= view && i < z.end && i >= endInView) {
				matchedInView += node.w;
				endInView = node.end;
			}
		});
		if (!pattern || field.classList.contains('bad'))
			return;
		const share = total ? matchedWeight / total : 0;
		let text = 'Matched: ' + (100 * share).toFixed(2) + '% \u00b1 ' + half(share).toFixed(2);

		if (view)
			text += ' (' + (100 * matchedInView / z.w).toFixed(2) + '% of what is shown)';
		matched.textContent = text;
	}

	function search(text) {
		let expression = null;
		const known = new Map(); // frames are many, names are few

		pattern = text;
		field.classList.remove('bad');
		matched.textContent = '';
		if (text) {
			try {
				expression = new RegExp(text, ignoreCase ? 'i' : '');
			} catch (error) {
				field.classList.add('bad');
				matched.textContent = 'Not a regular expression';
			}
		}
		for (const node of nodes) {
			let match = false;

			if (expression) {
				match = known.get(node.name);
				if (match === undefined) {
					match = expression.test(node.name);
					known.set(node.name, match);
				}
			}
			if (match !== node.match) {
				node.match = match;
				setClass(node);
			}
		}
		sumMatches();
		save();
	}

	function setIgnoreCase(on) {
		ignoreCase = on;
		byId('ignorecase').setAttribute('aria-pressed', String(on));
		search(field.value);
	}

	function clearSearch() {
		field.value = '';
		search('');
	}

	// s: pattern, i: ignore case, x and y: the zoomed frame's fg:x and y. The query where the
	// browser lets us; else, as for some local files, the fragment.
	function save() {
		if (!standalone)
			return;
		const query = new URLSearchParams(location.search);
		const set = (key, value) => value === null ? query.delete(key) : query.set(key, value);

		set('s', pattern || null);
		set('i', ignoreCase ? '1' : null);
		set('x', view ? nodes[view].x : null);
		set('y', view ? nodes[view].y : null);
		const text = query.toString();

		try {
			history.replaceState(null, '', location.pathname + (text ? '?' + text : ''));
		} catch (error) {
			try {
				history.replaceState(null, '', '#' + text);
			} catch (denied) {
				return; // a sandboxed document: there is no address to keep it in
			}
		}
	}

	function restore() {
		const query = new URLSearchParams(location.search.length > 1 ? location.search
			: location.hash.slice(1));
		const x = query.get('x'), y = query.get('y');

		if (!standalone)
			return;
		const text = query.get('s') || '';
		const on = query.get('i') === '1';

		if (x !== null && y !== null) {
			const to = nodes.findIndex((n) => n.x === Number(x) && n.y === Number(y));

			if (to > 0)
				zoom(to);
		}
		field.value = text;
		setIgnoreCase(on);
	}

	function show(i) {
		const used = width - 2 * PAD - 8;
		const text = i >= 0 ? nodes[i].title.replace('\n', '  \u00b7  ')
			: 'Click or Enter: zoom   Esc: back   arrow keys: walk   /: search';
		// The name gives way, not the figures behind it.
		const rest = i >= 0 ? text.slice(nodes[i].name.length) : '';
		const columns = Math.floor(used / charWidth);

		details.textContent = text.length > columns && i >= 0
			? clip(nodes[i].name, Math.max(10, columns - rest.length)) + rest : text;
	}

	function focus(i) {
		if (i < 0)
			return;
		if (current >= 0)
			nodes[current].g.setAttribute('tabindex', '-1');
		current = i;
		nodes[i].g.setAttribute('tabindex', '0');
		nodes[i].g.focus({ preventScroll: true });
		keepVisible(nodes[i].rect);
		show(i);
	}

	// Bars lie over the upper and lower edge of the window, so "nearest" would hide frames.
	function keepVisible(element) {
		const box = element.getBoundingClientRect(), bar = 40;

		if (!standalone)
			return;
		if (box.top < bar)
			window.scrollBy(0, box.top - bar);
		else if (box.bottom > window.innerHeight - bar)
			window.scrollBy(0, box.bottom - window.innerHeight + bar);
	}

	const visible = (i) => nodes[i].state !== HIDDEN;

	// Up is the heaviest callee, down the caller, left and right the neighbours of a row.
	function neighbour(i, key) {
		const node = nodes[i];

		if (key === 'ArrowDown')
			return node.parent;
		if (key === 'ArrowUp') {
			let best = -1;

			for (let k = i + 1; k < node.end; k = nodes[k].end)
				if (visible(k) && (best < 0 || nodes[k].w > nodes[best].w))
					best = k;
			return best;
		}
		const step = key === 'ArrowRight' ? 1 : -1;

		for (let k = i + step; k >= 0 && k < nodes.length; k += step)
			if (nodes[k].depth === node.depth && visible(k))
				return k;
		return -1;
	}

	function onFrameKey(event) {
		const at = event.target.closest ? event.target.closest('#frames > g') : null;
		let i = at ? at.node : -1;

		if (event.key === 'Enter' || event.key === ' ') {
			if (i < 0)
				return false;
			zoom(i);
			focus(i);
			return true;
		}
		if (event.key === 'Home') {
			focus(view);
			return true;
		}
		if (!/^Arrow(Up|Down|Left|Right)$/.test(event.key))
			return false;
		if (i < 0)
			focus(current >= 0 && visible(current) ? current : view);
		else
			focus(neighbour(i, event.key));
		return true;
	}

	function unzoom() {
		const from = view;

		zoom(0);
		if (current >= 0 && document.activeElement === nodes[current].g)
			focus(from);
	}

	function onKey(event) {
		const inField = event.target === field;
		const command = event.ctrlKey || event.metaKey;
		// Only a document of its own may take over the browser's keys for searching.
		const own = standalone && window.top === window;

		if (own && ((command && event.key === 'f') || event.key === 'F3')) {
			if (inField)
				return; // pressed twice: the browser's own search
			field.select();
			field.focus();
		} else if (own && command && event.key === 'i') {
			setIgnoreCase(!ignoreCase);
		} else if (command || event.altKey) {
			return;
		} else if (event.key === 'Escape') {
			if (inField) {
				clearSearch();
				focus(current >= 0 && visible(current) ? current : view);
			} else if (view) {
				unzoom();
			} else {
				clearSearch();
			}
		} else if (inField) {
			if (event.key !== 'Enter')
				return;
			clearTimeout(timer);
			search(field.value);
			const first = nodes.findIndex((n) => n.match && n.state !== HIDDEN);

			if (first >= 0)
				focus(first);
		} else if (event.key === '/') {
			field.focus();
			field.select();
		} else if (!onFrameKey(event)) {
			return;
		}
		event.preventDefault();
		event.stopPropagation();
	}

	function onButtonKey(event, action) {
		if (event.key !== 'Enter' && event.key !== ' ')
			return;
		event.preventDefault();
		event.stopPropagation();
		action();
	}

	// The window may be smaller than the picture: controls and details stay within sight.
	function stick() {
		if (!standalone)
			return;
		const height = Number(svg.getAttribute('height'));
		const top = Math.max(0, Math.min(window.scrollY, height - 60));
		const base = Number(status.getAttribute('data-y'));
		const lift = Math.min(0, window.scrollY + window.innerHeight - 26 - base);

		controls.setAttribute('transform', 'translate(0,' + top + ')');
		controls.classList.toggle('stuck', top > 0);
		controls.querySelector('.bar').classList.toggle('hide', top === 0);
		status.setAttribute('transform', 'translate(0,' + Math.max(lift, 60 - base) + ')');
		status.querySelector('.bar').classList.toggle('hide', lift === 0);
	}

	function resize() {
		width = Math.max(320, standalone ? document.documentElement.clientWidth ||
			window.innerWidth : svg.getBoundingClientRect().width || 1200);
		frames.setAttribute('width', width - 2 * PAD);
		for (const bar of svg.querySelectorAll('.bar'))
			bar.setAttribute('width', width);
		const place_ = (id, x) => byId(id).setAttribute('x', x);

		byId('box').setAttribute('x', width - PAD - 230);
		place_('search', width - PAD - 240);
		place_('ignorecase', width - PAD - 295);
		place_('unzoom', width - PAD - 380);
		place_('matched', width - PAD);
		for (const node of nodes)
			label(node);
		show(current);
		stick();
	}

	function addField() {
		const box = document.createElementNS(SVG, 'foreignObject');

		box.setAttribute('id', 'box');
		box.setAttribute('y', 7);
		box.setAttribute('width', 230);
		box.setAttribute('height', 28);
		field = document.createElementNS(HTML, 'input');
		field.setAttribute('id', 'pattern');
		field.setAttribute('type', 'text');
		field.setAttribute('spellcheck', 'false');
		field.setAttribute('autocomplete', 'off');
		field.setAttribute('placeholder', 'regular expression');
		field.setAttribute('aria-label', 'Search for functions by regular expression');
		box.appendChild(field);
		controls.appendChild(box);
		field.addEventListener('input', () => {
			clearTimeout(timer);
			timer = setTimeout(() => search(field.value), 120);
		});
	}

	function addButtons() {
		const actions = {
			unzoom: unzoom,
			search: () => field.focus(),
			ignorecase: () => setIgnoreCase(!ignoreCase),
		};

		for (const [id, action] of Object.entries(actions)) {
			const button = byId(id);

			button.setAttribute('role', 'button');
			button.setAttribute('tabindex', '0');
			button.addEventListener('click', action);
			button.addEventListener('keydown', (event) => onButtonKey(event, action));
		}
	}

	function addFrames() {
		const nodeOf = (event) => {
			const g = event.target.closest('#frames > g');
			return g ? g.node : -1;
		};

		frames.addEventListener('click', (event) => {
			const i = nodeOf(event);

			if (i < 0)
				return;
			zoom(i);
			focus(i);
		});
		frames.addEventListener('mouseover', (event) => show(nodeOf(event)));
		frames.addEventListener('mouseleave', () => show(current));
		frames.addEventListener('focusin', (event) => {
			const i = nodeOf(event);

			if (i >= 0 && i !== current)
				focus(i);
		});
		if (nodes.length)
			nodes[0].g.setAttribute('tabindex', '0');
		for (let i = 0; i < nodes.length; i++) {
			nodes[i].left = nodes[0].w ? nodes[i].x / nodes[0].w : 0;
			nodes[i].share = nodes[0].w ? nodes[i].w / nodes[0].w : 0;
			nodes[i].label = nodes[i].text ? nodes[i].text.textContent : null;
		}
	}

	function measure() {
		const probe = document.createElementNS(SVG, 'text');

		probe.textContent = 'M'.repeat(50);
		frames.appendChild(probe);
		const size = probe.getComputedTextLength() / 50;
		probe.remove();
		if (size > 1)
			charWidth = size;
	}

	return function (event) {
		svg = event.target.ownerSVGElement || event.target;
		if (svg.localName !== 'svg')
			svg = document.querySelector('svg');
		frames = byId('frames');
		controls = byId('controls');
		status = byId('status');
		details = byId('details');
		matched = byId('matched');
		readNodes();
		if (!nodes.length || svg.classList.contains('live'))
			return;
		standalone = document.documentElement === svg;
		total = nodes[0].w;
		effective = Number(frames.getAttributeNS(FG, 'n'));
		svg.classList.add('live');
		// With a script there is more in here than an image.
		svg.setAttribute('role', 'group');
		svg.removeAttribute('viewBox');
		svg.setAttribute('width', '100%');
		addField();
		addButtons();
		addFrames();
		measure();
		resize();
		restore();
		(standalone ? document : svg).addEventListener('keydown', onKey);
		window.addEventListener('resize', resize);
		window.addEventListener('scroll', stick, { passive: true });
		// The trunk is at the bottom, and wide: begin there.
		if (standalone && document.documentElement.scrollHeight > window.innerHeight)
			window.scrollTo(0, Number(svg.getAttribute('height')));
		stick();
	};
})();
