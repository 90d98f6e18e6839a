// SPDX-License-Identifier: Apache-2.0
// The tree that is shown: the profile's from its root, or turned over, callers first; without the
// functions that are hidden, and with recursion merged if so wished. Its groups are made when they
// are drawn, so that a view of any size costs only what is visible of it.
let isHidden = null; // by function; null: none is
let root = null; // of the view
let leafWeights = null; // by node: what a stack that begins there counts in a view of callers
let selfOfOne = 0; // of the function whose callers are shown

function setHidden() {
	isHidden = null;
	if (!state.hidden.length && !state.hiddenModules.length)
		return;
	isHidden = new Uint8Array(profile.functions);
	for (const f of state.hidden)
		isHidden[f] = 1;
	for (let f = 1; f < profile.functions; f++)
		if (state.hiddenModules.includes(moduleOf(f)))
			isHidden[f] = 1;
	if (isHidden[state.of]) // its callers have nothing to show
		state.of = 0;
}

// nodes: those of the table that a group holds, or the one; in a view of callers those where its
// stacks have come to, and `leaves` where they began. kids: heaviest first, once they are known.
function newGroup(f, parent, nodes) {
	return {
		f: f, parent: parent, total: 0, self: 0,
		nodes: nodes, leaves: null, kids: null, from: 0, isMore: false,
		spoken: '',
	};
}

function makeRoot() {
	root = newGroup(profile.frame[0], null, 0);
	root.total = profile.all;
	leafWeights = profile.self;
	if (state.of)
		root.kids = state.view === 'up' ? callersOf(state.of) : calleesOf(state.of);
	else if (state.view === 'up')
		root.kids = calleesOfAll();
}

const heavierFirst = (a, b) => b.total - a.total || rankOf(a.f) - rankOf(b.f);

const nodesOf = (group) => typeof group.nodes === 'number' ? [group.nodes] : group.nodes;

// Nothing of the table's tree is changed: its nodes are the groups. This is what zooming waits for.
function kidsOfNode(group) {
	const kids = [], end = profile.end[group.nodes];

	group.self = profile.self[group.nodes];
	for (let k = group.nodes + 1; k < end; k = profile.end[k]) {
		const kid = newGroup(profile.frame[k], group, k);

		kid.total = profile.total[k];
		kids.push(kid);
	}
	return kids;
}

function kidsDown(group) {
	if (!isHidden && !state.merge && typeof group.nodes === 'number')
		return kidsOfNode(group);
	const kids = [], known = new Map();
	const inside = nodesOf(group).slice();

	group.self = 0;
	while (inside.length) {
		const node = inside.pop(), end = profile.end[node];

		group.self += profile.self[node];
		for (let k = node + 1; k < end; k = profile.end[k]) {
			const f = profile.frame[k];

			if ((isHidden && isHidden[f]) || (state.merge && f === group.f)) {
				inside.push(k);
				continue;
			}
			let kid = known.get(f);

			if (!kid) {
				kid = newGroup(f, group, []);
				known.set(f, kid);
				kids.push(kid);
			}
			kid.nodes.push(k);
			kid.total += profile.total[k];
		}
	}
	return kids;
}

// The next frame towards the root that is shown; 0: none.
function callerOf(node, f) {
	let at = profile.parent[node];

	while (at > 0 && ((isHidden && isHidden[profile.frame[at]]) ||
		(state.merge && profile.frame[at] === f)))
		at = profile.parent[at];
	return at > 0 ? at : 0;
}

function addToKid(kids, known, parent, node, leaf) {
	const f = profile.frame[node];
	let kid = known.get(f);

	if (!kid) {
		kid = newGroup(f, parent, []);
		kid.leaves = [];
		known.set(f, kid);
		kids.push(kid);
	}
	kid.nodes.push(node);
	kid.leaves.push(leaf);
	kid.total += leafWeights[leaf];
}

function calleesOfAll() {
	const kids = [], known = new Map();

	root.leaves = [];
	for (let i = 0; i < profile.count; i++) {
		if (!profile.self[i])
			continue;
		const node = isHidden && isHidden[profile.frame[i]] ? callerOf(i, -1) : i;

		if (node)
			addToKid(kids, known, root, node, i);
		else
			root.self += profile.self[i];
	}
	return kids.sort(heavierFirst);
}

// Where a function was called, not by itself: of recursion the outermost call.
function outermost(f) {
	const nodes = [];

	for (let i = 0; i < profile.count; i = profile.frame[i] === f ? profile.end[i] : i + 1)
		if (profile.frame[i] === f)
			nodes.push(i);
	return nodes;
}

// One function with all that it called, under who called it.
function callersOf(f) {
	const kids = [], known = new Map();

	leafWeights = profile.total;
	selfOfOne = visibleSelfs()[f];
	for (const node of outermost(f))
		addToKid(kids, known, root, node, node);
	return kids;
}

// One function and what it called, whoever called it.
function calleesOf(f) {
	const group = newGroup(f, root, outermost(f));

	for (const node of group.nodes)
		group.total += profile.total[node];
	return group.total ? [group] : [];
}

function kidsUp(group) {
	const kids = [], known = new Map();

	group.self = 0;
	for (let i = 0; i < group.nodes.length; i++) {
		const caller = callerOf(group.nodes[i], group.f);

		if (caller)
			addToKid(kids, known, group, caller, group.leaves[i]);
		else
			group.self += leafWeights[group.leaves[i]];
	}
	return kids;
}

function kidsOf(group) {
	if (!group.kids) {
		group.kids = state.view === 'up' ? kidsUp(group) : kidsDown(group);
		group.kids.sort(heavierFirst);
	}
	return group.kids;
}

// What stands for all kids of a group but its `from` widest ones.
function moreOf(group, from) {
	const more = newGroup(-1, group, null);

	more.isMore = true;
	more.from = from;
	more.kids = kidsOf(group).slice(from);
	for (const kid of more.kids)
		more.total += kid.total;
	return more;
}

const nameOf = (group) => group.isMore ? countText(group.kids.length) + ' more'
	: profile.names[group.f];

function pathOf(group) {
	const path = [];

	for (let at = group; at.parent; at = at.parent)
		path.push(at.isMore ? '~' + at.from : at.f);
	return path.reverse();
}

// The group at the end of a path, as far as that exists, without what is hidden or merged by now.
function groupAt(path) {
	let at = root;

	for (const step of path) {
		let next = null;

		if (typeof step === 'string') {
			const from = Number(step.slice(1));

			next = from >= 0 && from < kidsOf(at).length ? moreOf(at, from) : null;
		} else if ((isHidden && isHidden[step]) || (state.merge && step === at.f)) {
			continue;
		} else {
			next = kidsOf(at).find((kid) => kid.f === step);
		}
		if (!next)
			break;
		at = next;
	}
	return at;
}

// The functions of a stack, innermost first.
function stackOf(group) {
	const path = [];

	for (let at = group; at.parent; at = at.parent)
		if (!at.isMore)
			path.push(at.f);
	return state.view === 'up' ? path.reverse() : path;
}
