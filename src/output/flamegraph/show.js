// SPDX-License-Identifier: Apache-2.0
// What can be done, and what is shown then: everything follows from the state.

// Changes the state, draws what follows from it, and makes it a step of the history.
function change(what) {
	const wasInside = frames.contains(document.activeElement);

	Object.assign(state, what);
	show();
	save(true);
	// The box that had the focus is another one now, or none.
	if (wasInside && state.view !== 'table')
		focus(current);
}

function zoomTo(group, keepFocus) {
	if (group === shown)
		return;
	if (group === root && state.of) {
		setView(state.view);
		return;
	}
	state.zoom = pathOf(group);
	current = { group: group };
	showTree();
	save(true);
	if (keepFocus)
		focus(boxOf(group));
}

function setView(view) {
	change({ view: view, of: 0, zoom: [] });
}

function hideFunction() {
	const group = current && current.group;

	if (group && group.parent && !group.isMore)
		change({ hidden: state.hidden.concat(group.f) });
}

function hideModule() {
	const group = current && current.group;

	if (group && group.parent && !group.isMore && moduleOf(group.f))
		change({ hiddenModules: state.hiddenModules.concat(moduleOf(group.f)) });
}

// From a box to all that its function calls, whoever called it.
function showCallees() {
	const group = current && current.group;

	if (group && group.parent && !group.isMore)
		change({ view: 'down', of: group.f, zoom: [group.f] });
}

// From a box to who calls its function, and back to the heaviest stack that has come here.
function turnOver() {
	const group = current && current.group;

	if (!group || !group.parent || group.isMore)
		return;
	if (state.view !== 'up') {
		showCallers(group.f);
		return;
	}
	let at = group.leaves.reduce((best, leaf) => best < 0 ||
		leafWeights[leaf] > leafWeights[best] ? leaf : best, -1);
	const path = [];

	for (; at > 0; at = profile.parent[at])
		if (!(isHidden && isHidden[profile.frame[at]]))
			path.push(profile.frame[at]);
	path.reverse();
	change({ view: 'down', of: 0,
		zoom: state.merge ? path.filter((f, i) => f !== path[i - 1]) : path });
}

function setSearch(what, isNew) {
	Object.assign(state, what);
	showSearch();
	if (state.view === 'table')
		showFunctions();
	else
		redraw();
	save(isNew);
}

// ---- What follows from the state. ----

function showTree() {
	shown = groupAt(state.zoom);
	state.zoom = pathOf(shown);
	draw();
	page.unzoom.hidden = !shown.parent;
	page.cut.hidden = !isCut;
	showMatched();
	showDetails();
}

function showMatched() {
	page.matched.textContent = matchText(state.view === 'table' ? root : shown);
}

function showSearch() {
	search();
	if (page.pattern.value !== state.pattern)
		page.pattern.value = state.pattern;
	page.pattern.classList.toggle('bad', searchTrouble !== '');
	press(page.regex, state.regex);
	press(page.matchCase, state.exact);
	showMatched();
	showMatches();
}

function showMatches() {
	const list = page.matches, totals = matches.length ? functionTotals() : null;

	list.textContent = '';
	page.matchesBox.hidden = !matches.length;
	if (!page.matchesBox.open)
		return;
	for (const f of matches.slice(0, 200)) {
		const item = html('li', list);
		const button = addCallersButton(item, f, 2 * nameColumns(300));

		html('span', item, 'share').textContent = shareText(totals[f]);
		item.insertBefore(item.lastChild, button);
		html('span', item, 'module').textContent = moduleName(f);
	}
	if (matches.length > 200)
		html('li', list).textContent = countText(matches.length - 200) +
			' more: the table of functions lists them all';
}

function addChip(text, title, remove) {
	const chip = addButton(page.hiddenBox, '', text + ' \u00d7', title, remove);

	chip.setAttribute('class', 'chip');
}

function showHidden() {
	page.hiddenBox.textContent = '';
	page.hiddenBox.hidden = !isHidden && !state.of;
	if (state.of)
		addChip((state.view === 'up' ? 'Callers of ' : 'All calls of ') +
			shortName(profile.names[state.of], 60) + ', with what it called',
		'Show all functions', () => setView(state.view));
	if (!isHidden)
		return;
	html('span', page.hiddenBox).textContent = 'Hidden, counted for their callers: ';
	const without = (list, one) => list.filter((other) => other !== one);

	for (const f of state.hidden)
		addChip(shortName(profile.names[f], 60), 'Show it again',
			() => change({ hidden: without(state.hidden, f) }));
	for (const m of state.hiddenModules)
		addChip(clip(moduleText(m), 60), 'Show it again',
			() => change({ hiddenModules: without(state.hiddenModules, m) }));
}

// Everything anew.
function show() {
	const isTable = state.view === 'table';

	if (isChange()) {
		setSide(state.side);
		page.side.value = state.side;
	}
	setHidden();
	makeRoot();
	current = null;
	shown = root;
	for (const view of Object.keys(page.views))
		press(page.views[view], view === state.view);
	page.merge.checked = state.merge;
	page.invert.checked = state.invert;
	page.colour.value = state.colour;
	page.frames.toggleAttribute('hidden', isTable);
	page.functions.hidden = !isTable;
	page.status.hidden = page.legend.hidden = isTable;
	page.unzoom.hidden = page.cut.hidden = true;
	showTip(null);
	showHidden();
	showSearch();
	if (isTable) {
		rowsShown = PAGE_ROWS;
		showFunctions();
	} else {
		showTree();
		showLegend();
	}
}

function showLegend() {
	const used = new Set();

	page.legend.textContent = '';
	if (state.colour === 'change') {
		addLegend('d3', '\u25b2 dearer, twice or more');
		addLegend('d0', '\u25b2 dearer by little');
		addLegend('c3', '\u25bc cheaper, half or less');
		addLegend('c0', '\u25bc cheaper by little');
		addLegend('e0', 'nothing beyond noise');
		return;
	}
	if (state.colour === 'heat') {
		addLegend('h1', 'little time of its own');
		addLegend('h' + (HEATS - 1), 'much time of its own');
		return;
	}
	if (state.colour === 'module') {
		for (const { module, self } of modules.slice(0, MODULES))
			addLegend('m' + moduleColours[module],
				clip(moduleText(module), 30) + ' ' + (100 * shareOf(self)).toFixed(1) + '%');
		return;
	}
	for (let f = 1; f < profile.functions; f++)
		used.add(kindOf(f));
	profile.head.kinds.forEach((text, kind) => {
		if (text && used.has(kind))
			addLegend(LETTERS[kind] + '2', text);
	});
}

function addLegend(fill, text) {
	const item = html('span', page.legend, 'legend');
	const picture = document.createElementNS(SVG, 'svg');
	const rect = document.createElementNS(SVG, 'rect');

	picture.setAttribute('width', '18');
	picture.setAttribute('height', '11');
	rect.setAttribute('class', fill);
	rect.setAttribute('width', '18');
	rect.setAttribute('height', '11');
	picture.appendChild(rect);
	item.appendChild(picture);
	item.appendChild(document.createTextNode(' ' + text));
}

