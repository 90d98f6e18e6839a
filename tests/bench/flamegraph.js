// SPDX-License-Identifier: Apache-2.0
// How fast a flame graph of 200,000 distinct stacks is written, opened, zoomed and searched, and how
// large it is. Prints the median and the worst of several rounds, by the clock and, for machines that
// do something else as well, in CPU time of the page's main thread; nothing is asserted.
//
// MANY_STACKS is the program that writes it; STACKS names another number of stacks. What else is
// needed says ../browser/chromium.js.
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { pathToFileURL } = require('url');

const { launch } = require('../browser/chromium.js');

const ROUNDS = 5, ZOOMS = 20;

function say(what, pairs) {
	const sorted = [0, 1].map((i) => pairs.map((pair) => pair[i]).sort((x, y) => x - y));
	const middle = (list) => list[list.length >> 1].toFixed(0).padStart(5);
	const last = (list) => list[list.length - 1].toFixed(0).padStart(5);
	const cpu = sorted[1][0] === undefined ? '' : `   CPU${middle(sorted[1])} ms, worst${last(sorted[1])} ms`;

	console.log(`${what.padEnd(40)}${middle(sorted[0])} ms, worst${last(sorted[0])} ms${cpu}`);
}

async function cpuOf(page) {
	if (!page.session) {
		page.session = await page.context().newCDPSession(page);
		await page.session.send('Performance.enable', { timeDomain: 'threadTicks' });
	}
	const { metrics } = await page.session.send('Performance.getMetrics');

	return 1000 * metrics.find((metric) => metric.name === 'TaskDuration').value;
}

// When what the action has changed is painted: a task after the next frame.
async function painted(page, action, argument) {
	const before = await cpuOf(page);
	const time = await page.evaluate(async ([text, value]) => {
		const begin = performance.now();

		await new Function('value', text)(value);
		await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
		return performance.now() - begin;
	}, [action, argument]);

	return [time, await cpuOf(page) - before];
}

const click = 'const boxes = [...document.querySelectorAll("#frames > g:not(.hide)")];' +
	'const wide = boxes.filter((g) => g.querySelector("text").textContent.length > 3);' +
	'wide[Math.floor(value * wide.length)].dispatchEvent(new MouseEvent("click", { bubbles: true }));';
const type = 'const field = document.querySelector("#pattern"); field.value = value;' +
	'field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));';
const press = 'document.querySelectorAll("#controls button")[value].click();';

(async () => {
	const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'profd-bench-'));
	const file = path.join(folder, 'many.svg');
	const times = { open: [], ready: [], zoom: [], search: [], callers: [], table: [] };
	let random = 1;

	try {
		execFileSync(process.env.MANY_STACKS, [process.env.STACKS || '200000', file], { stdio: 'inherit' });
		console.log(`file: ${(fs.statSync(file).size / 1e6).toFixed(2)} MB`);
		const browser = await launch();

		for (let round = 0; round < ROUNDS; round++) {
			const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();

			const before = await cpuOf(page);

			await page.goto(pathToFileURL(file).href);
			await page.waitForSelector('#controls');
			const [first, ready] = await page.evaluate(() => new Promise((done) =>
				requestAnimationFrame(() => setTimeout(() => done([
					performance.getEntriesByName('first-contentful-paint')[0].startTime,
					performance.getEntriesByType('navigation')[0].loadEventEnd,
				]), 0))));

			times.open.push([first]);
			times.ready.push([ready, await cpuOf(page) - before]);
			for (let i = 0; i < ZOOMS / ROUNDS; i++) {
				random = (random * 16807) % 2147483647;
				times.zoom.push(await painted(page, click, random / 2147483647));
			}
			times.search.push(await painted(page, type, 'commit'));
			times.callers.push(await painted(page, press, 1));
			times.zoom.push(await painted(page, click, 0.5));
			times.table.push(await painted(page, press, 2));
			await page.context().close();
		}
		await browser.close();
	} finally {
		fs.rmSync(folder, { recursive: true });
	}
	say('first drawing (the still image)', times.open);
	say('page loaded and drawn from the table', times.ready);
	say('zoom', times.zoom);
	say('search', times.search);
	say('to callers', times.callers);
	say('to functions', times.table);
})();
