// SPDX-License-Identifier: Apache-2.0
// Drives the flame graph of the golden tests in a real browser, as a person would.
//
// Needs chromium and the npm package playwright-core (found through NODE_PATH); skips with 77
// without them. CHROMIUM names another browser binary.
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

const browserPath = process.env.CHROMIUM || '/usr/bin/chromium';
let chromium;

try {
	({ chromium } = require('playwright-core'));
	fs.accessSync(browserPath, fs.constants.X_OK);
} catch (error) {
	console.log('skipped: ' + error.message.split('\n')[0]);
	process.exit(77);
}

const svg = path.join(__dirname, '..', 'golden', 'flamegraph', 'hostile.svg');
const address = pathToFileURL(svg).href;
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
let browser;

async function open(options, url) {
	const page = await (await browser.newContext(options)).newPage();

	page.troubles = [];
	page.on('pageerror', (error) => page.troubles.push(error.message));
	page.on('dialog', (dialog) => {
		page.troubles.push('a name ran as a script: ' + dialog.message());
		dialog.dismiss();
	});
	await page.goto(url || address);
	return page;
}

const frame = (page, name) => page.locator('#frames > g')
	.filter({ has: page.locator('title', { hasText: new RegExp('^' + name + ' \\(') }) }).first();
const widthOf = (page, name) => frame(page, name).locator('rect')
	.evaluate((rect) => rect.getBoundingClientRect().width);
const matched = (page) => page.locator('#matched').textContent();
const focused = (page) => page.evaluate(() => {
	const title = document.activeElement.querySelector('title');
	return title ? title.textContent.split(' (')[0] : document.activeElement.id;
});
const settle = (page) => page.waitForTimeout(250);

const checks = {
	async 'shows everything without its script'() {
		const page = await open({ javaScriptEnabled: false });

		assert.strictEqual(await page.locator('#search').isVisible(), false);
		assert.strictEqual(await frame(page, 'main').locator('text').textContent(), 'main');
	},
	async 'a click zooms, the button returns'(page) {
		const before = await widthOf(page, 'main');

		assert.strictEqual(await page.locator('#unzoom').isVisible(), false);
		await frame(page, 'main').locator('rect').click();
		assert.ok(await widthOf(page, 'main') > 1.9 * before);
		assert.strictEqual(await frame(page, 'prog\\+0x401234').isVisible(), false);
		assert.strictEqual(await frame(page, 'my worker 3').getAttribute('class'), 'parent');
		await page.locator('#unzoom').click();
		assert.ok(Math.abs(await widthOf(page, 'main') - before) < 0.01);
		assert.strictEqual(await frame(page, 'prog\\+0x401234').isVisible(), true);
	},
	async 'search counts samples once and shows their share'(page) {
		await page.locator('#search').click();
		await page.keyboard.type('^main$|ends|worker');
		await settle(page);
		// "my worker 3" holds the others: 126 of 186.
		assert.strictEqual(await matched(page), 'Matched: 67.74% \u00b1 7.02');
		await page.locator('#pattern').fill('ENDS');
		await settle(page);
		assert.ok((await matched(page)).startsWith('Matched: 0.00%'));
		await page.locator('#ignorecase').click();
		assert.ok((await matched(page)).startsWith('Matched: 8.60%'));
		await page.locator('#pattern').fill('(');
		await settle(page);
		assert.strictEqual(await matched(page), 'Not a regular expression');
		await page.keyboard.press('Escape');
		assert.strictEqual(await matched(page), '');
		assert.strictEqual(await page.locator('.match').count(), 0);
	},
	async 'everything works from the keyboard'(page) {
		await page.keyboard.press('ArrowUp');
		assert.strictEqual(await focused(page), 'all');
		await page.keyboard.press('ArrowUp');
		assert.strictEqual(await focused(page), 'my worker 3');
		assert.match(await page.locator('#details').textContent(), /^my worker 3 \(126 samples/);
		await page.keyboard.press('ArrowLeft');
		await page.keyboard.press('ArrowRight');
		await page.keyboard.press('ArrowUp');
		assert.strictEqual(await focused(page), 'main');
		const before = await widthOf(page, 'main');

		await page.keyboard.press('Enter');
		assert.ok(await widthOf(page, 'main') > 1.9 * before);
		await page.keyboard.press('ArrowDown');
		assert.strictEqual(await focused(page), 'my worker 3');
		await page.keyboard.press('Escape');
		assert.ok(Math.abs(await widthOf(page, 'main') - before) < 0.01);
		await page.keyboard.press('/');
		await page.keyboard.type('main');
		await page.keyboard.press('Enter');
		assert.strictEqual(await focused(page), 'main');
	},
	async 'the address keeps zoom and search'(page) {
		await frame(page, 'main').locator('rect').click();
		await page.keyboard.press('Control+f');
		await page.keyboard.type('ends|inlined');
		await settle(page);
		const said = await matched(page), wide = await widthOf(page, 'main');

		assert.match(said, /^Matched: 8\.60% .*\(17\.58% of what is shown\)$/);
		assert.match(page.url(), /[?#].*s=ends/);
		const other = await open({}, page.url());

		assert.strictEqual(await matched(other), said);
		assert.ok(Math.abs(await widthOf(other, 'main') - wide) < 1);
		assert.deepStrictEqual(other.troubles, []);
	},
	async 'it takes the width there is'() {
		const page = await open({ viewport: { width: 700, height: 400 } });

		assert.ok(Math.abs(await widthOf(page, 'all') - 680) < 20);
		await page.setViewportSize({ width: 1500, height: 400 });
		await settle(page);
		assert.ok(Math.abs(await widthOf(page, 'all') - 1480) < 20);
		for (const box of await page.locator('#frames > g').all()) {
			const [rect, text] = await box.evaluate((g) => ['rect', 'text'].map((name) => {
				const part = g.querySelector(name);
				return part ? part.getBoundingClientRect().width : 0;
			}));
			assert.ok(text <= rect, 'a label is wider than its box');
		}
	},
	async 'dark and light differ'() {
		const fills = [];

		for (const colorScheme of ['light', 'dark']) {
			const page = await open({ colorScheme });
			fills.push(await frame(page, 'main').locator('rect')
				.evaluate((rect) => getComputedStyle(rect).fill));
		}
		assert.notStrictEqual(fills[0], fills[1]);
	},
};

(async () => {
	let failed = 0;

	browser = await chromium.launch({ executablePath: browserPath, args: flags });
	for (const [name, check] of Object.entries(checks)) {
		const page = await open({});

		try {
			await check(page);
			assert.deepStrictEqual(page.troubles, []);
			console.log('ok      ' + name);
		} catch (error) {
			failed++;
			console.log('FAILED  ' + name + '\n' + error.stack);
		}
	}
	await browser.close();
	process.exit(failed ? 1 : 0);
})();
