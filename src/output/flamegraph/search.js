// SPDX-License-Identifier: Apache-2.0
// Search: which functions match, and what they are worth, drawn or not.
let match = null; // by function; null: nothing is searched
let matches = []; // functions, heaviest first
let covered = null; // by node: how much of it is at or below a match
let searchTrouble = '';

function predicate() {
	const text = state.pattern;

	if (state.regex) {
		const expression = new RegExp(text, state.exact ? '' : 'i');

		return (name) => expression.test(name);
	}
	if (state.exact)
		return (name) => name.includes(text);
	const small = text.toLowerCase();

	return (name) => name.toLowerCase().includes(small);
}

function search() {
	let fits;

	match = covered = null;
	matches = [];
	searchTrouble = '';
	if (!state.pattern)
		return;
	try {
		fits = predicate();
	} catch (error) {
		searchTrouble = 'Not a regular expression';
		return;
	}
	match = new Uint8Array(profile.functions);
	for (let f = 0; f < profile.functions; f++)
		match[f] = !(isHidden && isHidden[f]) && fits(profile.names[f]) ? 1 : 0;
	// A match inside a match is the same samples again: only the outermost one counts.
	covered = new Float64Array(profile.count);
	for (let i = profile.count - 1; i >= 0; i--) {
		if (match[profile.frame[i]])
			covered[i] = profile.total[i];
		if (i)
			covered[profile.parent[i]] += covered[i];
	}
	const totals = functionTotals();

	for (let f = 0; f < profile.functions; f++)
		if (match[f] && totals[f])
			matches.push(f);
	matches.sort((a, b) => totals[b] - totals[a] || rankOf(a) - rankOf(b));
}

function isInStack(leaf, last) {
	for (let at = leaf; at >= last; at = profile.parent[at])
		if (match[profile.frame[at]])
			return true;
	return false;
}

// How much of a group is at or below a match in it.
function coveredIn(group) {
	let sum = 0;

	if (!match)
		return 0;
	if (group.isMore)
		return group.kids.reduce((all, kid) => all + coveredIn(kid), 0);
	if (!group.leaves || !group.parent)
		return nodesOf(group).reduce((all, node) => all + covered[node], 0);
	// Callers' views hold all of their stacks, from where these began to the root.
	for (const leaf of group.leaves)
		if (isInStack(leaf, 0))
			sum += leafWeights[leaf];
		else if (leafWeights === profile.total)
			sum += covered[leaf];
	return sum;
}

function matchText(group) {
	if (searchTrouble || !match)
		return searchTrouble;
	if (!matches.length)
		return 'No match' + (!state.regex && /[\\^$|*+?()[\]{}]/.test(state.pattern)
			? ' (as plain text)' : '');
	let text = 'Matched: ' + shareText(covered[0]) + coresText(covered[0]) + ' \u00b7 ' +
		countText(matches.length) + (matches.length === 1 ? ' function' : ' functions');

	if (group.parent && group.total)
		text += ' (' + (100 * coveredIn(group) / group.total).toFixed(2) +
			'% of what is shown)';
	return text;
}
