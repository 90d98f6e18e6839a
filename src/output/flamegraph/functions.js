// SPDX-License-Identifier: Apache-2.0
// The profile as a table of functions, sorted by any of its columns.
const PAGE_ROWS = 200;
const ALL = 6; // CALL_ALL: kinds from here on are no functions
const CHANGE_COLUMNS = [
	{ key: 'self', text: 'Self', number: true },
	{ key: 'selfChange', text: 'Change', number: true },
	{ key: 'total', text: 'Total', number: true },
	{ key: 'totalChange', text: 'Change', number: true },
	{ key: 'name', text: 'Function' },
	{ key: 'module', text: 'Module' },
	{ key: 'place', text: 'Source' },
];
const COLUMNS = [
	{ key: 'self', text: 'Self', number: true },
	{ key: 'sum', text: 'Sum', number: true },
	{ key: 'total', text: 'Total', number: true },
	{ key: 'name', text: 'Function' },
	{ key: 'module', text: 'Module' },
	{ key: 'place', text: 'Source' },
];
const columnsNow = () => isChange() ? CHANGE_COLUMNS : COLUMNS;
let sortKey = '', sortUp = false, rowsShown = PAGE_ROWS;

// As functionSelfs, but what hidden functions used counts for who called them.
function visibleSelfs() {
	if (!isHidden)
		return functionSelfs();
	const selfs = new Float64Array(profile.functions);

	for (let i = 0; i < profile.count; i++) {
		if (!profile.self[i])
			continue;
		const node = isHidden[profile.frame[i]] ? callerOf(i, -1) : i;

		selfs[profile.frame[node]] += profile.self[i];
	}
	return selfs;
}

function functionRows() {
	const selfs = visibleSelfs(), totals = functionTotals(), list = [];

	for (let f = 0; f < profile.functions; f++)
		if ((totals[f] || (isChange() && functionsOf(profile.sides.base).totalOf[f] +
			functionsOf(profile.sides.new).totalOf[f])) && kindOf(f) < ALL && !(isHidden && isHidden[f]) && !(match && !match[f]))
			list.push(f);
	const byName = (a, b) => rankOf(a) - rankOf(b);
	const byText = (text) => (a, b) =>
		text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : byName(a, b);
	const orders = {
		self: (a, b) => selfs[a] - selfs[b] || totals[a] - totals[b] || byName(b, a),
		total: (a, b) => totals[a] - totals[b] || selfs[a] - selfs[b] || byName(b, a),
		selfChange: (a, b) => changeSize(a, false) - changeSize(b, false) || byName(b, a),
		totalChange: (a, b) => changeSize(a, true) - changeSize(b, true) || byName(b, a),
		name: byName,
		module: byText(moduleName),
		place: byText(placeOf),
	};
	const order = orders[sortKey];

	list.sort(sortUp ? order : (a, b) => order(b, a));
	return list.map((f) => ({ f: f, self: selfs[f], total: totals[f] }));
}

function cell(row, text, className) {
	const td = html('td', row, className);

	td.textContent = text;
	return td;
}

function sortBy(key) {
	const isText = !columnsNow().find((column) => column.key === key).number;

	sortUp = sortKey === key ? !sortUp : isText;
	sortKey = key;
	showFunctions();
}

function addHead(table) {
	const row = html('tr', html('thead', table));

	for (const column of columnsNow()) {
		const th = html('th', row, column.number ? 'number' : '');

		th.setAttribute('scope', 'col');
		if (column.key === 'sum') {
			th.textContent = column.text;
			th.title = 'Running total of Self';
			continue;
		}
		const button = html('button', th);

		button.textContent = column.text +
			(sortKey !== column.key ? '' : sortUp ? ' \u25b2' : ' \u25bc');
		button.addEventListener('click', () => sortBy(column.key));
		th.setAttribute('aria-sort', sortKey !== column.key ? 'none'
			: sortUp ? 'ascending' : 'descending');
	}
}

function showFunctions() {
	sortKey = sortKey || (isChange() ? 'selfChange' : 'self');
	const table = page.functions, list = functionRows();
	// Two lines; on a narrow page other columns are below.
	const columns = 2 * nameColumns(width > 700 ? 720 : 40);
	let sum = 0;

	table.textContent = '';
	addHead(table);
	const body = html('tbody', table);

	for (const entry of list.slice(0, rowsShown)) {
		const row = html('tr', body, match ? 'match' : '');

		sum += entry.self;
		cell(row, shareText(entry.self), 'number');
		if (isChange())
			cell(row, changeCell(entry.f, false), 'number');
		else
			cell(row, sortKey === 'self' && !sortUp
				? (100 * shareOf(sum)).toFixed(1) + '%' : '', 'number');
		cell(row, shareText(entry.total), 'number');
		if (isChange())
			cell(row, changeCell(entry.f, true), 'number');
		addCallersButton(cell(row, '', 'name'), entry.f, columns);
		cell(row, clip(moduleName(entry.f), 24), 'module').title = profile.modules[moduleOf(entry.f)];
		cell(row, clipBegin(fileName(placeOf(entry.f)), 30), 'place').title = placeOf(entry.f);
	}
	if (list.length <= rowsShown)
		return;
	const last = html('td', html('tr', body)), more = html('button', last);

	last.setAttribute('colspan', String(columnsNow().length));
	more.textContent = countText(list.length - rowsShown) + ' more functions';
	more.addEventListener('click', () => {
		rowsShown *= 4;
		showFunctions();
	});
}

// Characters of a name that fit into a line beside `taken` px.
const nameColumns = (taken) => Math.max(20, Math.floor((width - taken) / charWidth));

// Names in C++ fill a screen: what is left out of them is in the tip.
function addCallersButton(parent, f, columns) {
	const name = profile.names[f], shown_ = shortName(name, columns);

	return addButton(parent, '', shown_ + (isInlined(f) ? ' (inlined)' : ''),
		(shown_ === name ? '' : name + '\n') + 'Show who calls it', () => showCallers(f));
}

function showCallers(f) {
	change({ view: 'up', of: f, zoom: [f] });
}
