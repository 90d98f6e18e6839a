// SPDX-License-Identifier: Apache-2.0
// What the pointer and the keyboard do.
const boxOfEvent = (event) => {
	const g = event.target.closest ? event.target.closest('g') : null;

	return g && g.box && frames.contains(g) ? g.box : null;
};

function focus(box) {
	if (!box)
		return;
	setCurrent(box);
	box.g.focus({ preventScroll: true });
	keepVisible(box.g.rect);
	showDetails();
}

// Bars lie over the upper and lower edge of the window, so "nearest" would hide boxes.
function keepVisible(element) {
	const box = element.getBoundingClientRect();
	const above = page.controls.getBoundingClientRect();
	const below = page.status.getBoundingClientRect();
	const edge = Math.max(0, above.bottom);

	if (!isOwner)
		return;
	if (box.top < edge)
		window.scrollBy(0, box.top - edge - 4);
	else if (box.bottom > below.top)
		window.scrollBy(0, box.bottom - below.top + 4);
}

function unzoom() {
	const from = shown;

	if (!from.parent)
		return;
	zoomTo(state.of && rowOf(from) > 1 ? groupAt([state.of]) : root, false);
	setCurrent(boxOf(from) || boxOf(root));
	showDetails();
	if (current && document.activeElement && document.activeElement.localName === 'g')
		focus(current);
}

function walk(event) {
	const inward = state.invert ? 'ArrowUp' : 'ArrowDown';
	const outward = state.invert ? 'ArrowDown' : 'ArrowUp';
	const directions = { ArrowLeft: 'left', ArrowRight: 'right' };

	directions[inward] = 'in';
	directions[outward] = 'out';
	if (event.key === 'Home') {
		focus(boxOf(shown));
		return true;
	}
	const direction = directions[event.key];

	if (!direction)
		return false;
	if (!boxOfEvent(event))
		focus(current || boxOf(shown));
	else
		focus(neighbour(boxOfEvent(event), direction));
	return true;
}

function actOnKey(event) {
	const isTree = state.view !== 'table', box = boxOfEvent(event);
	const ofBoxes = {
		c: copyStack, h: hideFunction, m: hideModule, u: turnOver, d: showCallees,
		i: () => change({ invert: !state.invert }),
		r: () => change({ merge: !state.merge }),
	};
	const ofViews = {
		1: () => setView('down'), 2: () => setView('up'), 3: () => setView('table'),
	};
	const action = ofViews[event.key] || (isTree ? ofBoxes[event.key] : null);

	if (event.key === '/') {
		page.pattern.focus();
		page.pattern.select();
	} else if (event.key === 'Escape') {
		if (page.help.open)
			page.help.open = false;
		else if (shown.parent)
			unzoom();
		else if (state.pattern)
			setSearch({ pattern: '' }, true);
	} else if (isTree && (event.key === 'Enter' || event.key === ' ')) {
		if (!box)
			return false;
		zoomTo(box.group, true);
	} else if (action && !event.shiftKey) {
		action();
	} else {
		return isTree && walk(event);
	}
	return true;
}

function onFieldKey(event) {
	if (event.key === 'Escape') {
		setSearch({ pattern: '' }, true);
		focus(current);
	} else if (event.key === 'Enter') {
		clearTimeout(page.searchTimer);
		setSearch({ pattern: page.pattern.value }, true);
		const first = boxes.filter((box) => match && !box.group.isMore && match[box.group.f])
			.reduce((best, box) => !best || box.w > best.w ? box : best, null);

		if (state.view !== 'table')
			focus(first);
	} else {
		return false;
	}
	return true;
}

function onKey(event) {
	const command = event.ctrlKey || event.metaKey, name = event.target.localName;
	// Only a document of its own may take over the browser's keys for searching.
	const isOwn = isOwner && window.top === window;
	let done = false;

	if (isOwn && ((command && event.key === 'f') || event.key === 'F3')) {
		if (event.target === page.pattern)
			return; // pressed twice: the browser's own search
		page.pattern.focus();
		page.pattern.select();
		done = true;
	} else if (command || event.altKey) {
		return;
	} else if (event.target === page.pattern) {
		done = onFieldKey(event);
	} else if (name !== 'textarea' && name !== 'select' &&
		!((name === 'button' || name === 'input' || name === 'summary') &&
			(event.key === 'Enter' || event.key === ' '))) {
		done = actOnKey(event);
	}
	if (!done)
		return;
	event.preventDefault();
	event.stopPropagation();
}

function listen() {
	frames.addEventListener('click', (event) => {
		const box = boxOfEvent(event);

		if (!box)
			return;
		showTip(null);
		if (!event.shiftKey)
			zoomTo(box.group, true);
		focus(boxOf(box.group));
	});
	frames.addEventListener('mousemove', (event) => showTip(boxOfEvent(event), event.clientX,
		event.clientY));
	frames.addEventListener('mouseleave', () => showTip(null));
	// Not of the picture: browsers let Tab stop at pictures that listen to it.
	frames.parentNode.addEventListener('focusin', (event) => {
		const box = boxOfEvent(event);

		if (!box || box === current)
			return;
		setCurrent(box);
		showDetails();
	});
	(isOwner ? document : frames.closest('.profd')).addEventListener('keydown', onKey);
	window.addEventListener('resize', fit);
	if (window.ResizeObserver) // a scroll bar comes or goes
		new ResizeObserver(fit).observe(frames.parentNode);
	if (!isOwner)
		return;
	window.addEventListener('popstate', () => {
		restore();
		show();
	});
}
