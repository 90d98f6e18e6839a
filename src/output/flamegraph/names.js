// SPDX-License-Identifier: Apache-2.0
// Names cut to the room there is: the same as short_name.c and escape.c do for the still image.
const WIDE = [
	[0x1100, 0x115f], [0x2e80, 0x303e], [0x3041, 0xa4cf], [0xac00, 0xd7a3], [0xf900, 0xfaff],
	[0xfe30, 0xfe6f], [0xff00, 0xff60], [0xffe0, 0xffe6], [0x1f300, 0x1f64f],
	[0x1f680, 0x1faff], [0x20000, 0x3fffd],
];
const COMBINING = [
	[0x300, 0x36f], [0x483, 0x489], [0x591, 0x5bd], [0x1ab0, 0x1aff], [0x1dc0, 0x1dff],
	[0x20d0, 0x20ff], [0xfe20, 0xfe2f],
];
const isIn = (ranges, c) => ranges.some((range) => c >= range[0] && c <= range[1]);

// Cells of a fixed-width font.
function columnsOf(c) {
	if (c < 0x300)
		return 1;
	return isIn(COMBINING, c) ? 0 : isIn(WIDE, c) ? 2 : 1;
}

const isPlain = (text) => !/[^\x20-\x7e]/.test(text);

function textColumns(text) {
	let columns = 0;

	if (isPlain(text))
		return text.length;
	for (const c of text)
		columns += columnsOf(c.codePointAt(0));
	return columns;
}

function clip(text, columns) {
	let used = 0, fits = 0, at = 0;

	if (text.length <= columns && isPlain(text))
		return text;
	for (const c of text) {
		used += columnsOf(c.codePointAt(0));
		if (used > columns)
			return columns ? text.slice(0, fits) + '\u2026' : '';
		at += c.length;
		if (used <= columns - 1)
			fits = at;
	}
	return text;
}

// The end tells most of where something is.
function clipBegin(text, columns) {
	const all = [...text];

	return all.length <= columns ? text : '\u2026' + all.slice(1 - columns).join('');
}

const isWord = (c) => c !== undefined && (/[0-9A-Za-z_$]/.test(c) || c > '\x7f');

const SIGN = new RegExp('^(?:\\(\\)|\\[\\]|<=>|<<=|>>=|->\\*|<<|>>|->|&&|\\|\\||\\+\\+|--|' +
	'[<>=!+\\-*/%^&|]=|[<>=\\-+*/%^&|~!,])?');

// "operator()", "operator<<": brackets that are none. Length, or 0.
function operatorSize(name, at) {
	if (!name.startsWith('operator', at) || isWord(name[at - 1]))
		return 0;
	return 8 + SIGN.exec(name.slice(at + 8, at + 11))[0].length;
}

// Drops parenthesised parts outside of templates' arguments; null where they do not pair.
function withoutParameters(name) {
	let out = '', round = 0, angle = 0, owner = 0;

	for (let at = 0; at < name.length; at++) {
		const c = name[at], size = operatorSize(name, at);

		if (size) {
			if (!round)
				out += name.slice(at, at + size);
			at += size - 1;
			continue;
		}
		if (c === '<' && !round)
			angle++;
		if (c === '>' && !round && angle && name[at - 1] !== '-')
			angle--;
		if (c === '(' && !angle && !round && (name.startsWith('(*', at) ||
			name.startsWith('(anonymous namespace)', at)))
			owner++;
		else if (c === '(' && !angle)
			round++;
		if (!round)
			out += c;
		if (c === ')' && !angle) {
			if (round)
				round--;
			else if (owner)
				owner--;
		}
	}
	return round ? null : out || null;
}

// "<...>" becomes "<>", but for one that begins a part: "<T as Trait>::f", "<module>".
function withoutArguments(name) {
	let out = '', angle = 0, lastOperator = -1;

	for (let at = 0; at < name.length; at++) {
		const c = name[at], size = operatorSize(name, at);

		if (size) {
			if (!angle)
				out += name.slice(at, at + size);
			at += size - 1;
			lastOperator = at + 1;
		} else if (c === '<' && (angle || isWord(name[at - 1]) || at === lastOperator ||
			(name[at - 1] === ' ' && at - 1 === lastOperator))) {
			if (!angle++)
				out += '<>';
		} else if (c === '>' && angle && name[at - 1] !== '-') {
			angle--;
		} else if (!angle) {
			out += c;
		}
	}
	return angle ? null : out || null;
}

const CLONE = /^(constprop|isra|part|cold|llvm|lto_priv|clone|[0-9])/;

// Where the next part begins if one ends at `at`, or -1.
function cutAt(name, at, lastScope) {
	const c = name[at];

	if (!at || at + 1 >= name.length)
		return -1;
	if (c === ':')
		return name[at - 1] === ':' ? at + 1 : -1;
	if (c === '+')
		return name.startsWith('+0x', at) ? at : -1;
	if (c === ' ')
		return at < lastScope && name[0] !== '[' && !name.startsWith(' as ', at) ? at + 1 : -1;
	if (c === '/')
		return name[0] !== '[' ? at + 1 : -1;
	if (c === '.')
		return name[0] !== '[' && name[at + 1] !== '.' &&
			!CLONE.test(name.slice(at + 1, at + 10)) ? at + 1 : -1;
	return -1;
}

function nameEnd(name, columns) {
	const lastScope = name.lastIndexOf('::');
	let left = textColumns(name), last = 0;

	for (let at = 0; at < name.length; at++) {
		const next = cutAt(name, at, lastScope);

		if (next < 0)
			continue;
		left -= textColumns(name.slice(last, next));
		last = next;
		if (left + 1 <= columns)
			return '\u2026' + name.slice(last);
	}
	const rest = name.slice(last);

	if (rest.length > columns && /^\+0x[0-9a-f]*$/.test(rest))
		return '\u2026' + rest.slice(1 - columns); // the last digits tell most
	return clip(rest, columns);
}

const shorter = new Map(); // name \u2192 [without parameters, and without arguments]

function shortName(name, columns) {
	if (columns < 3)
		return '';
	if (textColumns(name) <= columns)
		return name;
	let forms = shorter.get(name);

	if (!forms) {
		const plain = withoutParameters(name) || name;

		forms = [plain, withoutArguments(plain) || plain];
		shorter.set(name, forms);
	}
	for (const form of forms)
		if (textColumns(form) <= columns)
			return form;
	return nameEnd(forms[1], columns);
}
