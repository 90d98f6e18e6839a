// SPDX-License-Identifier: Apache-2.0
// A picture of what changed: how boxes and functions were on the other side, and which changes are
// more than noise. The profile's weights are those of the side that gives the widths.
const DEARER = 1, CHEAPER = 2;
const UNKNOWN = { half: -1, mark: 0 };

const isChange = () => Boolean(profile.head.change);

// What table.c writes behind the stacks. number: reads the next one.
function readChanges(t, number) {
	const verdict = () => {
		const value = number();

		return { half: Math.floor(value / 3) - 1, mark: value % 3 };
	};
	const now = { self: new Float64Array(t.count), total: new Float64Array(t.count) };
	const base = { self: t.self, total: new Float64Array(t.count) };

	for (let i = 0; i < t.count; i++) {
		now.self[i] = number();
		base.self[i] -= now.self[i];
	}
	addUp(t, now);
	addUp(t, base);
	t.sides = { new: now, base: base };
	t.verdicts = Array.from({ length: t.count }, verdict);
	t.selfVerdicts = [UNKNOWN];
	t.totalVerdicts = [UNKNOWN];
	for (let f = 1; f < t.functions; f++) {
		t.selfVerdicts.push(verdict());
		t.totalVerdicts.push(verdict());
	}
}

// Takes the weights of a side, "new" or "base".
function setSide(name) {
	const side = profile.sides[name];

	profile.side = side;
	profile.self = side.self;
	profile.total = side.total;
	profile.all = side.total[0];
}

function amountOf(weight) {
	const change = profile.head.change;

	return (weight * change.scale).toFixed(change.digits);
}

const withUnit = (weight) => amountOf(weight) + profile.head.change.unit;

function stepText(change) {
	return (change.now >= change.base ? '+' : '\u2212') +
		amountOf(Math.abs(change.now - change.base)) + profile.head.change.step +
		(change.half >= 0 ? ' \u00b1 ' + amountOf(change.half) : '');
}

const signOf = (mark) => mark === DEARER ? '\u25b2' : mark === CHEAPER ? '\u25bc' : '';

// The same part of a side that a group is of the one that is shown.
function groupOn(side, group) {
	if (!group.parent)
		return side.total[0];
	if (group.isMore)
		return group.kids.reduce((sum, kid) => sum + groupOn(side, kid), 0);
	if (!group.leaves)
		return nodesOf(group).reduce((sum, node) => sum + side.total[node], 0);
	const weights = leafWeights === profile.total ? side.total : side.self;

	return group.leaves.reduce((sum, leaf) => sum + weights[leaf], 0);
}

// What is judged are nodes of the tree and whole functions; of what the page makes of several nodes it
// is only known how much it changed.
function verdictOn(group) {
	if (!group.parent || group.isMore)
		return null;
	if (!group.parent.parent && state.view === 'up' && !isHidden && !state.merge)
		return (state.of ? profile.totalVerdicts : profile.selfVerdicts)[group.f];
	if (!group.parent.parent && state.of && state.view === 'down')
		return profile.totalVerdicts[group.f];
	if (group.leaves || nodesOf(group).length !== 1)
		return null;
	return profile.verdicts[nodesOf(group)[0]];
}

function changeOf(group) {
	const verdict = verdictOn(group);

	return {
		base: groupOn(profile.sides.base, group), now: groupOn(profile.sides.new, group),
		half: verdict ? verdict.half : -1, mark: verdict ? verdict.mark : 0,
		isJudged: Boolean(verdict) && verdict.half >= 0,
	};
}

function changeText(group) {
	const change = changeOf(group);

	if (!group.parent)
		return withUnit(change.now) + ' (was ' + withUnit(change.base) + ')';
	return withUnit(change.now) + ' (was ' + withUnit(change.base) + ': ' + stepText(change) +
		(change.mark === DEARER ? change.base ? ', dearer' : ', new'
			: change.mark === CHEAPER ? change.now ? ', cheaper' : ', gone'
				: change.isJudged ? ', not beyond noise' : ', not judged') + ')';
}

// As change_class in change.c.
function changeFill(group) {
	const change = changeOf(group);
	const more = change.mark === DEARER ? change.now : change.base;
	const less = change.mark === DEARER ? change.base : change.now;

	if (!change.mark)
		return 'e0';
	return (change.mark === DEARER ? 'd' : 'c') +
		(more >= 2 * less ? 3 : more >= 1.5 * less ? 2 : more >= 1.2 * less ? 1 : 0);
}

// Of a function, by itself or with what it called: for the table.
function functionChange(f, isTotal) {
	const field = isTotal ? 'totalOf' : 'selfOf';
	const verdict = (isTotal ? profile.totalVerdicts : profile.selfVerdicts)[f];

	return {
		base: functionsOf(profile.sides.base)[field][f],
		now: functionsOf(profile.sides.new)[field][f], half: verdict.half, mark: verdict.mark,
	};
}

// Marked ones are larger than all others.
function changeSize(f, isTotal) {
	const change = functionChange(f, isTotal);

	return (change.mark ? 1e15 : 0) + Math.abs(change.now - change.base);
}

function changeCell(f, isTotal) {
	const change = functionChange(f, isTotal);

	return (signOf(change.mark) + ' ' + stepText(change).replace(profile.head.change.step, '')).trim();
}

// The colours that there are; the first one is that of a picture just opened.
const colours = () => isChange() ? ['change', 'kind', 'module', 'heat'] : ['kind', 'module', 'heat'];
