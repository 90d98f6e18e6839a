// SPDX-License-Identifier: Apache-2.0
// What is said of a box: in the tip beside the pointer, in the line below, to a screen reader, and
// when a stack is copied.
function selfText(group) {
	if (group.isMore || (state.view === 'up' && rowOf(group) !== 1))
		return '';
	if (state.view === 'up')
		return 'self ' + shareText(leafWeights === profile.total ? selfOfOne : group.total);
	kidsOf(group);
	return group.self ? 'self ' + shareText(group.self) : '';
}

function sourceText(group) {
	const parts = [];

	if (group.isMore)
		return '';
	if (moduleName(group.f))
		parts.push(moduleName(group.f));
	if (placeOf(group.f))
		parts.push(placeOf(group.f));
	if (isInlined(group.f))
		parts.push('inlined');
	const kind = profile.head.kinds[kindOf(group.f)];

	if (kind && !parts.includes(kind))
		parts.push(kind);
	return parts.join(' \u00b7 ');
}

function amountText(group) {
	let text = isChange() ? changeText(group) : worthText(group.total);

	if (shown && shown.parent && shown.total)
		text += ' (' + (100 * group.total / shown.total).toFixed(1) + '% of what is shown)';
	return text;
}

function linesOf(group) {
	const lines = [amountText(group)];

	if (selfText(group))
		lines.push(selfText(group));
	if (group.isMore) {
		const some = group.kids.slice(0, 3).map((kid) => shortName(profile.names[kid.f], 30));

		lines.push('Opens what is too narrow to be drawn: ' + some.join(', ') +
			(group.kids.length > 3 ? ' \u2026' : ''));
		if (match)
			lines.push(countText(group.kids.filter((kid) => match[kid.f]).length) +
				' of them match');
	}
	if (sourceText(group))
		lines.push(sourceText(group));
	return lines;
}

const spokenOf = (group) => nameOf(group) + ', ' +
	(isChange() ? changeText(group) : worthText(group.total));

function showTip(box, x, y) {
	const tip = page.tip;

	tip.textContent = '';
	tip.hidden = !box;
	if (!box)
		return;
	html('b', tip).textContent = clip(nameOf(box.group), 400);
	for (const line of linesOf(box.group))
		html('span', tip).textContent = clip(line, 300);
	const size = tip.getBoundingClientRect();

	tip.style.left = Math.max(4, Math.min(x + 12, window.innerWidth - size.width - 8)) + 'px';
	tip.style.top = (y + 20 + size.height < window.innerHeight ? y + 16
		: Math.max(4, y - size.height - 10)) + 'px';
}

function showDetails() {
	const group = current ? current.group : shown;
	const isFunction = group && group.parent && !group.isMore;

	page.details.textContent = '';
	if (!group)
		return;
	// Whatever the name, what it is worth must be seen beside it.
	html('b', page.details).textContent = shortName(nameOf(group),
		Math.min(300, 2 * nameColumns(width > 700 ? 660 : 60)));
	html('span', page.details).textContent = ' ' + linesOf(group).join(' \u00b7 ');
	for (const button of [page.copy, page.hide, page.turn, page.callees])
		button.hidden = !isFunction;
	page.hideModule.hidden = !isFunction || !moduleName(group.f);
	if (!isFunction)
		return;
	page.turn.textContent = state.view === 'up' ? 'Where it is in the tree' : 'Callers';
	page.hideModule.textContent = 'Hide ' + shortName(moduleName(group.f), 24);
}

function stackText(group) {
	const lines = stackOf(group).map((f) => profile.names[f] +
		(moduleName(f) ? '  [' + moduleName(f) + ']' : '') +
		(placeOf(f) ? '  ' + placeOf(f) : '') + (isInlined(f) ? '  (inlined)' : ''));

	return (isChange() ? changeText(group) : worthText(group.total)) + ' of ' +
		(profile.head.title || 'the profile') + '\n' +
		lines.map((line) => '    ' + line).join('\n') + '\n';
}

function say(text) {
	page.said.textContent = text;
	clearTimeout(page.timer);
	page.timer = setTimeout(() => {
		page.said.textContent = '';
	}, 3000);
}

// Where the browser gives no access to its clipboard the text is shown, selected.
function copyStack() {
	const text = stackText(current ? current.group : shown);
	const offer = () => {
		page.copied.hidden = false;
		page.copied.value = text;
		page.copied.focus();
		page.copied.select();
		say('Copy it with Ctrl-C');
	};

	if (!navigator.clipboard || !navigator.clipboard.writeText)
		offer();
	else
		navigator.clipboard.writeText(text).then(() => say('Stack copied'), offer);
}
