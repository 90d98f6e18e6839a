// SPDX-License-Identifier: Apache-2.0
// The profile, as table.c has written it. Nodes are in preorder: the subtree of node i is the run
// i .. end[i] - 1, and node 0 is everything.
const BASE = 44, PAIR = 9;
let profile = null;

function readTable(svg) {
	const head = JSON.parse(svg.querySelector('#profile').textContent);
	const text = Array.from(svg.querySelectorAll('metadata.numbers'),
		(element) => element.textContent).join('');
	const count = head.nodes, functions = head.names.length;
	const t = {
		head: head, count: count, names: head.names, functions: functions,
		modules: head.modules, files: head.files, unit: head.unit,
		effective: head.effective || 0, facts: new Uint32Array(4 * functions),
		frame: new Uint32Array(count), parent: new Int32Array(count),
		end: new Uint32Array(count), self: new Float64Array(count),
		total: new Float64Array(count),
	};
	const digits = digitsOf(text, head.digits);
	let at = 0;
	const number = () => {
		let value = 0, scale = 1;

		while (digits[at] >= BASE) {
			value += (digits[at++] - BASE) * scale;
			scale *= BASE;
		}
		return value + digits[at++] * scale;
	};
	for (let f = 1; f < functions; f++) {
		// Names stand in order, without what they share with the one before.
		t.names[f] = t.names[f - 1].slice(0, number()) + t.names[f];
		for (let i = 4 * f; i < 4 * f + 4; i++)
			t.facts[i] = number();
	}
	// All callees in one array, and where those of each function begin.
	const callees = [], first = new Uint32Array(functions);

	for (let f = head.by_caller ? 1 : functions; f <= functions; f++) {
		first[f % functions] = callees.length;
		for (let left = number(); left > 0; left--)
			callees.push(number());
	}
	at = readStacks(t, digits, at, Uint32Array.from(callees), first);
	addUp(t, t);
	t.mark = t.all = t.total[0];
	t.side = t;
	if (head.change)
		readChanges(t, number);
	if (at !== digits.length)
		throw new Error('the table of stacks is not whole');
	return t;
}

// The text without its lines, as the places of its characters among the digits.
function digitsOf(text, known) {
	const place = new Uint8Array(128), digits = new Uint8Array(text.length);
	let size = 0;

	for (let i = 0; i < known.length; i++)
		place[known.charCodeAt(i)] = i;
	for (let i = 0; i < text.length; i++) {
		const c = text.charCodeAt(i);

		if (c > 32)
			digits[size++] = place[c];
	}
	return digits.subarray(0, size);
}

// There may be millions: this is one function, with nothing but local variables.
function readStacks(t, digits, at, callees, first) {
	const frame = t.frame, parent = t.parent, self = t.self, count = t.count;
	const byCaller = t.head.by_caller, size = digits.length;
	let path = new Int32Array(4096), depth = 0, n = 0, value, scale, d;

	while (n < count && at < size) {
		for (value = 0, scale = 1; (d = digits[at++]) >= BASE; scale *= BASE)
			value += (d - BASE) * scale;
		depth -= value + d * scale;
		for (value = 0, scale = 1; (d = digits[at++]) >= BASE; scale *= BASE)
			value += (d - BASE) * scale;
		let entered = value + d * scale, caller = depth ? path[depth - 1] : -1;

		if (depth + entered > path.length) {
			const longer = new Int32Array(2 * (depth + entered));

			longer.set(path);
			path = longer;
		}
		while (entered > 0) {
			const pair = digits[at++];
			let place, next = -1;

			if (pair === PAIR * PAIR) {
				for (value = 0, scale = 1; (d = digits[at++]) >= BASE; scale *= BASE)
					value += (d - BASE) * scale;
				place = value + d * scale;
			} else {
				place = pair / PAIR | 0;
				next = entered > 1 ? pair - PAIR * place : -1;
			}
			for (; place >= 0; place = next, next = -1) {
				const list = first[byCaller && caller >= 0 ? frame[caller] : 0];

				frame[n] = callees[list + place];
				parent[n] = caller;
				path[depth++] = caller = n++;
				entered--;
			}
		}
		// Of the first digit, for the base is even: weights may be too large to tell by the sum.
		const isCut = digits[at] % 2 === 1;

		for (value = 0, scale = 1; (d = digits[at++]) >= BASE; scale *= BASE)
			value += (d - BASE) * scale;
		value += d * scale;
		self[n - 1] = Math.floor(value / 2);
		if (!isCut)
			continue;
		// The subtrees that were cut off are one more node, of function 0.
		for (value = 0, scale = 1; (d = digits[at++]) >= BASE; scale *= BASE)
			value += (d - BASE) * scale;
		parent[n] = caller;
		self[n++] = value + d * scale;
	}
	if (n !== count)
		throw new Error('the table of stacks is not whole');
	return at;
}

// side: whose `self` and `total` these are.
function addUp(t, side) {
	const end = t.end, total = side.total, self = side.self;

	for (let i = t.count - 1; i >= 0; i--) {
		const parent = t.parent[i];

		total[i] += self[i];
		if (end[i] <= i)
			end[i] = i + 1;
		if (parent < 0)
			continue;
		total[parent] += total[i];
		if (end[parent] < end[i])
			end[parent] = end[i];
	}
}

// Function 0 stands for what the file has no room for.
const ofFunction = (f, field) => profile.facts[4 * f + field];
const moduleOf = (f) => ofFunction(f, 0);
const kindOf = (f) => f ? ofFunction(f, 3) >> 1 : 5;
const isInlined = (f) => (ofFunction(f, 3) & 1) === 1;
const fileName = (path) => path.slice(path.lastIndexOf('/') + 1) || path;
const moduleText = (module) => profile.modules[module] === '[kernel.kallsyms]' ? 'kernel'
	: fileName(profile.modules[module]);
const moduleName = (f) => moduleText(moduleOf(f));

function placeOf(f) {
	const file = profile.files[ofFunction(f, 1)], line = ofFunction(f, 2);

	return file ? file + (line ? ':' + line : '') : '';
}

// What each function used itself, and with what it called (recursion counts once): found out once for
// each side.
function functionsOf(side) {
	if (side.selfOf)
		return side;
	const active = new Uint32Array(profile.functions), path = [];

	side.selfOf = new Float64Array(profile.functions);
	side.totalOf = new Float64Array(profile.functions);
	for (let i = 0; i < profile.count; i++) {
		const f = profile.frame[i];

		while (path.length && profile.end[path[path.length - 1]] <= i)
			active[profile.frame[path.pop()]]--;
		side.selfOf[f] += side.self[i];
		if (!active[f]++)
			side.totalOf[f] += side.total[i];
		path.push(i);
	}
	return side;
}

const functionTotals = () => functionsOf(profile.side).totalOf;
const functionSelfs = () => functionsOf(profile.side).selfOf;

// Functions have numbers in the order of their names; what was cut off comes last.
const rankOf = (f) => f || profile.functions;

// Whether it is known how many samples there were, so that shares have intervals.
const isCounted = () => profile.effective > 0;

// Half of the 95 % interval in points, as share_of in statistics.c.
function half(share) {
	const z = 1.959963984540054, n = profile.effective;
	const shrink = 1 + z * z / n, center = (share + z * z / (2 * n)) / shrink;
	const spread = z / shrink *
		Math.sqrt(share * (1 - share) / n + z * z / (4 * n * n));
	const low = share > 0 ? Math.max(0, center - spread) : 0;
	const high = share < 1 ? Math.min(1, center + spread) : 1;

	return 100 * Math.max(share - low, high - share);
}

const shareOf = (weight) => profile.all ? weight / profile.all : 0;

function shareText(weight) {
	const share = shareOf(weight);

	if (isChange())
		return withUnit(weight);
	return (100 * share).toFixed(2) + '%' +
		(isCounted() ? ' \u00b1 ' + half(share).toFixed(2) : '');
}

// Beside the share of a recording of the whole machine: how many CPUs it kept busy.
function coresText(weight) {
	return profile.head.core_weight
		? ', ' + (weight / profile.head.core_weight).toFixed(2) + ' cores' : '';
}

const countText = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

function weightText(weight) {
	if (profile.unit === 'nanoseconds')
		return weight >= 1e9 ? (weight / 1e9).toFixed(2) + ' s'
			: weight >= 1e6 ? (weight / 1e6).toFixed(2) + ' ms'
				: (weight / 1e3).toFixed(2) + ' \u00b5s';
	if (profile.unit === 'bytes')
		return weight >= 1 << 30 ? (weight / (1 << 30)).toFixed(2) + ' GiB'
			: weight >= 1 << 20 ? (weight / (1 << 20)).toFixed(2) + ' MiB'
				: weight >= 1024 ? (weight / 1024).toFixed(1) + ' KiB' : weight + ' bytes';
	return countText(weight) + ' ' + (weight === 1 ? profile.unit.replace(/^samples$/, 'sample')
		: profile.unit);
}

// All that is known of a weight; of a picture of changes the share is all.
const worthText = (weight) => isChange() ? shareText(weight)
	: weightText(weight) + ', ' + shareText(weight) + coresText(weight);
