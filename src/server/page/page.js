// SPDX-License-Identifier: Apache-2.0
// The machine over time, and the flame graph of what is chosen of it. All of it comes from the API of the
// server that this page is from; names are untrusted, and only ever become text.
'use strict';

const byId = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';
const SERIES = 12, LEFT = 44, FOOT = 18;
let width = 1200, height = 260; // of the chart, in pixels

// Which parameter of the API a list's names belong to.
const parameterOf = { units: 'unit', commands: 'comm', executables: 'exe', containers: 'container', pods: 'pod',
	users: 'uid', processes: 'pid' };
// In these, some characters have a meaning.
const patterns = ['unit', 'comm', 'exe'];

// chosen: {list, name} or null; from, until: seconds since the epoch.
const state = { span: 3600, by: 'units', from: 0, until: 0, chosen: null };
let shown = null; // the timeline that is drawn
let asking = 0;	  // the last question about it: answers to others are late

function make(name, attributes, ...children) {
	const element = name.startsWith('svg:') ? document.createElementNS(SVG, name.slice(4))
		: document.createElement(name);

	for (const [key, value] of Object.entries(attributes || {}))
		element.setAttribute(key, value);
	element.append(...children);
	return element;
}

// ---- asking ----

async function ask(path, parameters) {
	const answer = await fetch(path + (parameters ? '?' + new URLSearchParams(parameters) : ''),
		{ headers: { Accept: 'application/json' } });
	let body = null;

	try {
		body = await answer.json();
	} catch (error) {
		throw new Error(answer.status + ' ' + answer.statusText);
	}
	if (!answer.ok)
		throw new Error(body && body.error || answer.status + ' ' + answer.statusText);
	return body;
}

const at = (seconds) => '@' + seconds.toFixed(3);

// ---- how it is said ----

const digits = (value) => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
const percent = (value) => (100 * value).toFixed(1) + ' %';
const mib = (bytes) => (bytes / (1 << 20)).toFixed(0) + ' MiB';
const count = (value) => Number(value || 0).toLocaleString('en');

function clock(seconds, span) {
	const time = new Date(seconds * 1000), two = (n) => String(n).padStart(2, '0');
	const hours = two(time.getHours()) + ':' + two(time.getMinutes());

	return span > 2 * 86400 ? (time.getMonth() + 1) + '/' + time.getDate() + ' ' + hours : hours;
}

// What <input type="datetime-local"> takes: local time, to the second.
function localText(seconds) {
	const time = new Date(seconds * 1000);

	return new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

// ---- status ----

async function showStatus() {
	const line = byId('status');

	try {
		const daemon = (await ask('/api/v1/status')).daemon, lost = Object.values(daemon.lost || {});
		const words = [count(daemon.samples) + ' samples at ' + digits(daemon.rate_hz || 0) + ' Hz',
			count(lost.reduce((sum, n) => sum + n, 0)) + ' lost',
			count(daemon.processes) + ' processes', mib(daemon.rss_bytes || 0) + ' of memory',
			mib(daemon.store_bytes || 0) + ' of history'];
		const age = (daemon.now_s || 0) - (daemon.started_s || 0);

		if (age > 0)
			words.splice(2, 0, 'costs ' + (100 * ((daemon.own_cpu_ns || 0) + (daemon.bpf_ns || 0)) / 1e9 / age)
				.toFixed(2) + ' % of one core');
		if (daemon.paused)
			words.unshift('switched off');
		if (daemon.store_error)
			words.unshift('the history cannot be written: ' + daemon.store_error);
		line.textContent = 'profd ' + (daemon.version || '') + ': ' + words.join(', ');
		line.classList.toggle('trouble', Boolean(daemon.store_error));
	} catch (error) {
		line.textContent = error.message;
		line.classList.add('trouble');
	}
}

// ---- the chart ----

// All series, the one of all others last: [{name, cores}]; a step without a recording has null.
const seriesOf = (timeline) => timeline.series.slice(0, SERIES).map((series) => (
	{ name: series.name, label: series.name === null ? '(none)'
		: series.name + (series.executable ? ' ' + series.executable : ''), cores: series.cores }))
	.concat({ name: undefined, label: '(others)', cores: timeline.others });

const classOf = (index, all) => index === all.length - 1 ? 'rest' : 's' + index;

// A round number at or above, for the scale.
function roundUp(value) {
	const unit = 10 ** Math.floor(Math.log10(value || 1));

	return [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= value * 0.999) || 10 * unit;
}

function scaleOf(timeline) {
	const all = seriesOf(timeline), first = timeline.history.from_ns / 1e9, step = timeline.step_ns / 1e9;
	const last = timeline.history.until_ns / 1e9;
	const sums = timeline.others.map((_, i) => all.reduce((sum, series) => sum + (series.cores[i] || 0), 0));
	const top = roundUp(Math.max(0.01, ...sums));

	return { all, first, last, step, top,
		x: (seconds) => LEFT + (width - LEFT) * (seconds - first) / (last - first),
		y: (cores) => (height - FOOT) * (1 - cores / top),
		seconds: (x) => first + (last - first) * (x - LEFT) / (width - LEFT) };
}

function drawAreas(svg, timeline, scale) {
	const below = timeline.others.map(() => 0);

	scale.all.forEach((series, index) => {
		let path = '';

		series.cores.forEach((cores, i) => {
			const from = scale.first + i * scale.step, until = Math.min(from + scale.step, scale.last);

			if (!cores)
				return;
			const x0 = scale.x(from).toFixed(1), x1 = scale.x(until).toFixed(1);

			path += 'M' + x0 + ' ' + scale.y(below[i]).toFixed(1) + 'V' + scale.y(below[i] + cores).toFixed(1) +
				'H' + x1 + 'V' + scale.y(below[i]).toFixed(1) + 'Z';
			below[i] += cores;
		});
		svg.append(make('svg:path', { d: path || 'M0 0', class: classOf(index, scale.all) },
			make('svg:title', null, series.label)));
	});
}

function drawScale(svg, timeline, scale) {
	for (const part of [0.5, 1]) {
		const y = scale.y(part * scale.top);

		svg.append(make('svg:line', { class: 'grid', x1: LEFT, x2: width, y1: y, y2: y }));
		svg.append(make('svg:text', { x: LEFT - 6, y: y + (part === 1 ? 11 : 4), 'text-anchor': 'end' },
			digits(part * scale.top)));
	}
	svg.append(make('svg:text', { x: LEFT - 6, y: height - FOOT, 'text-anchor': 'end' }, 'cores'));
	timeline.others.forEach((cores, i) => {
		const x = scale.x(scale.first + i * scale.step);

		if (cores === null)
			svg.append(make('svg:rect', { class: 'gap', x, y: 0, height: height - FOOT,
				width: scale.x(scale.first + (i + 1) * scale.step) - x },
			make('svg:title', null, 'nothing was recorded')));
	});
	const marks = width > 600 ? 4 : 2;

	for (let i = 0; i <= marks; i++) {
		const seconds = scale.first + (scale.last - scale.first) * i / marks;

		svg.append(make('svg:text', { x: scale.x(seconds), y: height - 4,
			'text-anchor': i === marks ? 'end' : i ? 'middle' : 'start' }, clock(seconds, state.span)));
	}
}

function drawChoice() {
	const svg = byId('chart').querySelector('svg');

	if (!svg || !shown)
		return;
	const scale = scaleOf(shown), inside = (seconds) => Math.min(scale.last, Math.max(scale.first, seconds));
	const x0 = scale.x(inside(state.from)), x1 = scale.x(inside(state.until));

	svg.querySelectorAll('.choice').forEach((old) => old.remove());
	svg.append(make('svg:rect', { class: 'choice', x: x0, y: 0, width: Math.max(1, x1 - x0), height: height - FOOT }));
}

function draw() {
	width = Math.max(120, byId('chart').clientWidth);
	height = Math.max(80, byId('chart').clientHeight);
	const svg = make('svg:svg', { viewBox: '0 0 ' + width + ' ' + height, preserveAspectRatio: 'none' });
	const scale = scaleOf(shown);

	drawScale(svg, shown, scale);
	drawAreas(svg, shown, scale);
	byId('chart').replaceChildren(svg);
	drawChoice();
	drawTable(scale.all);
}

function drawTable(all) {
	const rows = all.map((series, index) => {
		const known = series.cores.filter((cores) => cores !== null);
		const mean = known.length ? known.reduce((sum, cores) => sum + cores, 0) / known.length : 0;

		return { series, index, mean, most: Math.max(0, ...known) };
	});
	const total = rows.reduce((sum, row) => sum + row.mean, 0);

	byId('table').tBodies[0].replaceChildren(...rows.filter((row) => row.most > 0).map((row) => {
		const name = make('td', { class: 'name' });

		if (row.series.name) {
			const button = make('button', { type: 'button', 'aria-pressed':
				String(Boolean(state.chosen && state.chosen.list === state.by && state.chosen.name === row.series.name)) },
			row.series.label);

			button.addEventListener('click', () => choose(row.series.name));
			name.append(button);
		} else {
			name.append(row.series.label);
		}
		return make('tr', null, make('td', null, make('svg:svg', { viewBox: '0 0 12 12' },
			make('svg:rect', { width: 12, height: 12, class: classOf(row.index, all) }))), name,
		make('td', null, digits(row.mean)), make('td', null, percent(total ? row.mean / total : 0)),
		make('td', null, digits(row.most)));
	}));
}

async function load() {
	const mine = ++asking, until = Date.now() / 1000, trouble = byId('trouble');

	trouble.hidden = true;
	try {
		const timeline = await ask('/api/v1/timeline', { since: at(until - state.span), until: at(until),
			by: state.by, step: Math.max(10, Math.ceil(state.span / 120)), limit: SERIES });

		if (mine !== asking)
			return;
		shown = timeline;
		draw();
	} catch (error) {
		if (mine !== asking)
			return;
		shown = null;
		byId('chart').replaceChildren();
		byId('table').tBodies[0].replaceChildren();
		trouble.textContent = error.message;
		trouble.hidden = false;
	}
}

// ---- the flame graph ----

function parameters() {
	const all = new URLSearchParams({ since: at(state.from), until: at(state.until) });

	if (state.chosen) {
		const name = parameterOf[state.chosen.list];

		all.set(name, patterns.includes(name) ? state.chosen.name.replace(/[*?[\]\\]/g, '\\$&') : state.chosen.name);
	}
	return all;
}

function showPicture() {
	const links = [['pprof', 'pprof'], ['html', 'report'], ['folded', 'folded stacks'], ['speedscope', 'speedscope'],
		['json', 'JSON']];
	const address = (format) => {
		const all = parameters();

		all.set('format', format);
		return '/api/v1/query?' + all;
	};

	byId('picture').src = address('flamegraph');
	byId('links').replaceChildren('The same as ', ...links.flatMap(([format, words], i) => [i ? ', ' : '',
		make('a', { href: address(format), rel: 'noopener', target: '_blank' }, words)]));
	keep();
}

function showChoice() {
	byId('from').value = localText(state.from);
	byId('until').value = localText(state.until);
	byId('chosen').textContent = state.chosen ? parameterOf[state.chosen.list] + ' ' + state.chosen.name
		: 'the whole machine';
	byId('everything').hidden = !state.chosen;
	drawChoice();
}

function choose(name) {
	state.chosen = name === null ? null : { list: state.by, name };
	showChoice();
	if (shown)
		drawTable(seriesOf(shown));
	showPicture();
}

// An interval, by dragging.
function listenToDrags() {
	const chart = byId('chart');
	let begun = null;
	const secondsOf = (event) => {
		const box = chart.getBoundingClientRect(), scale = scaleOf(shown);

		return Math.min(scale.last, Math.max(scale.first,
			scale.seconds((event.clientX - box.left) / box.width * width)));
	};
	const take = (event) => {
		const now = secondsOf(event);

		state.from = Math.min(begun, now);
		state.until = Math.max(begun, now);
	};

	chart.addEventListener('pointerdown', (event) => {
		if (!shown || event.button)
			return;
		begun = secondsOf(event);
		chart.setPointerCapture(event.pointerId);
	});
	chart.addEventListener('pointermove', (event) => {
		if (begun === null)
			return;
		take(event);
		showChoice();
	});
	chart.addEventListener('pointerup', (event) => {
		if (begun === null)
			return;
		take(event);
		begun = null;
		const step = shown.step_ns / 1e9;

		// A click is the step that it is in.
		if (state.until - state.from < step / 2) {
			const first = shown.history.from_ns / 1e9;

			state.from = first + Math.floor((state.from - first) / step) * step;
			state.until = state.from + step;
		}
		showChoice();
		showPicture();
	});
	chart.addEventListener('pointercancel', () => {
		begun = null;
	});
}

// ---- new versions ----

async function showDeploys() {
	const list = byId('deploys');

	try {
		const answer = await ask('/api/v1/deploys');
		const lines = (answer.deploys || []).slice(-20).reverse().map(deployLine);

		list.replaceChildren(...(lines.length ? lines : [make('li', null, 'none yet')]));
	} catch (error) {
		list.replaceChildren(make('li', null, error.message));
	}
}

function deployLine(deploy) {
	const where = [deploy.unit, deploy.executable].filter(Boolean).join(', ');
	const changes = deploy.changes.slice(0, 3).map((change) => change.function + ' ' + percent(change.old) + ' \u2192 ' +
		percent(change.new) + ' \u00b1 ' + (100 * change.half).toFixed(1));
	const words = !deploy.compared ? deploy.state : changes.length ? changes.join('; ') : 'no change';

	return make('li', null, deploy.time.slice(0, 16).replace('T', ' ') + '  ' + where + (deploy.returned ? ' (returned)' : '') +
		': ' + words);
}

// ---- what is kept in the address ----

function keep() {
	const all = new URLSearchParams({ span: state.span, by: state.by, from: state.from.toFixed(3),
		until: state.until.toFixed(3) });

	if (state.chosen) {
		all.set('list', state.chosen.list);
		all.set('name', state.chosen.name);
	}
	history.replaceState(null, '', '#' + all);
}

function restore() {
	const all = new URLSearchParams(location.hash.slice(1)), now = Date.now() / 1000;
	const number = (name, otherwise) => /^\d+(\.\d+)?$/.test(all.get(name) || '') ? Number(all.get(name)) : otherwise;

	state.span = Math.min(604800, Math.max(900, number('span', 3600)));
	state.by = all.get('by') in parameterOf ? all.get('by') : 'units';
	state.until = number('until', now);
	state.from = number('from', now - 600);
	if (state.from >= state.until)
		state.from = state.until - 600;
	if (all.get('list') in parameterOf && all.get('name'))
		state.chosen = { list: all.get('list'), name: all.get('name') };
	byId('span').value = String(state.span);
	byId('by').value = state.by;
}

function begin() {
	const again = () => {
		state.span = Number(byId('span').value);
		state.by = byId('by').value;
		keep();
		load();
	};

	restore();
	byId('span').addEventListener('change', again);
	byId('by').addEventListener('change', again);
	byId('controls').addEventListener('submit', (event) => {
		event.preventDefault();
		again();
		showStatus();
	});
	byId('choice').addEventListener('submit', (event) => {
		const from = new Date(byId('from').value).getTime() / 1000, until = new Date(byId('until').value).getTime() / 1000;

		event.preventDefault();
		if (!(from < until))
			return;
		state.from = from;
		state.until = until;
		showChoice();
		showPicture();
	});
	byId('everything').addEventListener('click', () => choose(null));
	listenToDrags();
	window.addEventListener('resize', () => shown && draw());
	showChoice();
	showStatus();
	load();
	showPicture();
	showDeploys();
	setInterval(() => {
		if (!document.hidden)
			showStatus();
	}, 10000);
}

begin();
