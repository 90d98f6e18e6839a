// SPDX-License-Identifier: Apache-2.0
// The state in the address, so that it can be sent to somebody, and in the browser's history. It
// is the query where the browser lets us, else the fragment; where neither, as in a sandbox, the
// picture still works. Functions stand there as their numbers in this file.
let isOwner = false; // of the address: the picture is a document of its own

// Which file the numbers are of: one recorded anew may have the same name.
const fileMark = () =>
	hashOf([profile.head.subtitle, profile.count, profile.functions, profile.mark].join()).toString(36);

function addressText() {
	const query = new URLSearchParams(location.search);
	const set = (key, value) => value ? query.set(key, value) : query.delete(key);

	set('v', state.view === 'down' ? '' : state.view);
	set('of', state.of ? String(state.of) : '');
	set('z', state.zoom.join('.'));
	set('mark', state.zoom.length || state.hidden.length || state.hiddenModules.length ? fileMark() : '');
	set('s', state.pattern);
	set('r', state.regex ? '1' : '');
	set('c', state.exact ? '1' : '');
	set('h', state.hidden.join('.'));
	set('m', state.hiddenModules.join('.'));
	set('merge', state.merge ? '1' : '');
	set('invert', state.invert ? '1' : '');
	set('colour', state.colour === colours()[0] ? '' : state.colour);
	set('widths', state.side === 'new' ? '' : state.side);
	return query.toString();
}

// isNew: a step that "back" undoes.
function save(isNew) {
	if (!isOwner)
		return;
	const text = addressText(), change_ = isNew ? 'pushState' : 'replaceState';

	if (text === (location.search.length > 1 ? location.search : location.hash).slice(1))
		return; // nothing for "back" to undo

	try {
		history[change_](null, '', location.pathname + (text ? '?' + text : ''));
	} catch (error) {
		try {
			history[change_](null, '', '#' + text);
		} catch (denied) {
			return; // a sandboxed document
		}
	}
}

const numbers = (text, limit) => (text || '').split('.').filter((n) => /^\d+$/.test(n))
	.map(Number).filter((n) => n < limit);

function restore() {
	if (!isOwner)
		return;
	const query = new URLSearchParams(location.search.length > 1 ? location.search
		: location.hash.slice(1));

	if (query.get('mark') && query.get('mark') !== fileMark())
		for (const key of ['z', 'of', 'h', 'm'])
			query.delete(key);
	const oneOf = (key, known) => known.includes(query.get(key)) ? query.get(key) : known[0];

	state.view = oneOf('v', ['down', 'up', 'table']);
	state.zoom = (query.get('z') || '').split('.').filter((step) => /^~?\d+$/.test(step))
		.map((step) => step[0] === '~' ? step : Number(step));
	state.of = state.view !== 'table' ? numbers(query.get('of'), profile.functions)[0] || 0 : 0;
	state.pattern = query.get('s') || '';
	state.regex = query.get('r') === '1';
	state.exact = query.get('c') === '1';
	state.hidden = numbers(query.get('h'), profile.functions);
	state.hiddenModules = numbers(query.get('m'), profile.modules.length);
	state.merge = query.get('merge') === '1';
	state.invert = query.get('invert') === '1';
	state.colour = oneOf('colour', colours());
	state.side = isChange() ? oneOf('widths', ['new', 'base']) : 'new';
}
