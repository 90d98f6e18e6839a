// SPDX-License-Identifier: Apache-2.0
// Drives the flame graphs of the golden tests in a real browser, as a person would.
//
// chromium.js says what it needs. Arguments choose checks by a part of their name.
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

const { launch } = require('./chromium.js');

const sources = path.join(__dirname, '..', '..', 'src', 'output', 'flamegraph');
const golden = (name) => path.join(__dirname, '..', 'golden', 'flamegraph', name + '.svg');
const shapes = pathToFileURL(golden('shapes')).href;
const hostile = pathToFileURL(golden('hostile')).href;
const machine = pathToFileURL(golden('machine')).href;
const changed = pathToFileURL(golden('change')).href;
let browser;

async function open(options, url) {
	const page = await (await browser.newContext(options)).newPage();

	page.troubles = [];
	page.on('pageerror', (error) => page.troubles.push(error.message));
	page.on('request', (request) => {
		if (!/^(file|data|blob|about):/.test(request.url()))
			page.troubles.push('asked for ' + request.url());
	});
	page.on('dialog', (dialog) => {
		page.troubles.push('a name ran as a script: ' + dialog.message());
		dialog.dismiss();
	});
	await page.goto(url || shapes);
	return page;
}

// Boxes drawn, by name; the first one in the order of reading.
const frames = (page, name) => page.locator(`#frames > g[aria-label^="${name}, "]:not(.hide)`);
const frame = (page, name) => frames(page, name).first();
const boxOf = (page, name) => frame(page, name).locator('rect')
	.evaluate((rect) => {
		const box = rect.getBoundingClientRect();
		return { x: box.x, y: box.y, width: box.width, height: box.height };
	});
const widthOf = async (page, name) => (await boxOf(page, name)).width;
const isAbout = (got, want, what) => assert.ok(Math.abs(got - want) < 1.5, `${what}: ${got}, not ${want}`);
const click = (page, name) => frame(page, name).locator('rect').click();
const matched = (page) => page.locator('#matched').textContent();
const details = (page) => page.locator('#details').textContent();
const parameter = (page, key) => new URL(page.url()).searchParams.get(key);
const focused = (page) => page.evaluate(() => {
	const label = document.activeElement.getAttribute('aria-label');
	return label ? label.split(', ')[0] : document.activeElement.id;
});
const settle = (page) => page.waitForTimeout(250);
const view = (page, text) => page.locator('#controls button', { hasText: text }).click();

async function searchFor(page, text) {
	await page.locator('#pattern').fill(text);
	await settle(page);
}

// A picture of another profile: the tree { name, self, kids } in the place of the golden one's, by
// the rules that src/output/flamegraph/table.c states.
function pictureOf(root) {
	const text = fs.readFileSync(golden('shapes'), 'utf8');
	const json = /<metadata id="profile">\n(.*)\n<\/metadata>/.exec(text)[1];
	const head = JSON.parse(json), digits = head.digits;
	const names = new Set(), out = [];
	const number = (n) => {
		for (; n >= 44; n = Math.floor(n / 44))
			out.push(digits[44 + n % 44]);
		out.push(digits[n]);
	};
	const walk = (visit) => {
		const open_ = [[root, 0]];

		while (open_.length) {
			const [node, depth] = open_.pop();

			visit(node, depth);
			for (const kid of (node.kids || []).slice().reverse())
				open_.push([kid, depth + 1]);
		}
	};

	head.nodes = 0;
	walk((node) => {
		names.add(node.name);
		head.nodes++;
	});
	const order = [...names].sort();

	head.names = ['left out', ...order];
	head.modules = head.files = [''];
	head.by_caller = false;
	head.effective = 100;
	order.forEach(() => [0, 0, 0, 0, 0].forEach(number));
	number(order.length);
	order.forEach((name, i) => number(i + 1));
	const place = new Map(order.map((name, i) => [name, i]));
	let last = 0;

	walk((node, depth) => {
		number(last - depth);
		number(1);
		out.push(digits[81]);
		number(place.get(node.name));
		if (node.cut) { // no double holds it
			let whole = 2n * BigInt(node.self) + 1n;

			for (; whole >= 44n; whole /= 44n)
				out.push(digits[44 + Number(whole % 44n)]);
			out.push(digits[Number(whole)]);
			number(node.cut);
			head.nodes++;
		} else {
			number(2 * (node.self || 0));
		}
		last = depth + 1;
	});
	const escape = (part) => part.replace(/[<>&]/g, (c) => '\\u00' + c.charCodeAt(0).toString(16));
	const file = path.join(process.env.TMPDIR || '/tmp', `profd-made-${process.pid}.svg`);

	fs.writeFileSync(file, text.replace(json, () => escape(JSON.stringify(head)))
		.replace(/(<metadata class="numbers">\n)[^]*?(\n<\/metadata>)/,
			(all, begin, end) => begin + out.join('') + end));
	return file;
}

async function openMade(root) {
	const file = pictureOf(root);

	try {
		return await open({}, pathToFileURL(file).href);
	} finally {
		fs.unlinkSync(file);
	}
}

const checks = {
	async 'without its script it is a picture with everything that is wide enough'() {
		const page = await open({ javaScriptEnabled: false });
		const titles = await page.locator('#frames > g > title').allTextContents();

		assert.ok(titles.some((title) => title.startsWith('main (11,560 samples, 100.00%)\n')));
		assert.ok(titles.some((title) => title.startsWith('60 more (60 samples, 0.52%)\n')));
		assert.ok(titles.every((title) => !title.startsWith('tiny')));
		assert.strictEqual(await page.locator('#frames text', { hasText: /^_int_malloc$/ }).isVisible(), true);
		assert.strictEqual(await page.locator('#unzoom').isVisible(), false);
	},
	async 'it is a picture in somebody else\'s page, too'() {
		const page = await open({}, 'about:blank');
		const url = 'data:image/svg+xml;base64,' + fs.readFileSync(golden('shapes')).toString('base64');
		const size = await page.evaluate((src) => new Promise((done) => {
			const image = new Image();
			image.onload = () => done(image.naturalWidth);
			image.onerror = () => done(-1);
			image.src = src;
		}), url);

		assert.strictEqual(size, 1200);
	},
	async 'inside of a page of HTML it keeps its hands off the address'() {
		const page = await open({}, 'about:blank');
		const svg = fs.readFileSync(golden('shapes'), 'utf8').replace(/^<\?xml.*\n/, '');

		await page.setContent('<!DOCTYPE html><h2>before</h2>' + svg + '<p>after</p>');
		await settle(page);
		const before = await widthOf(page, 'recurse');

		await click(page, 'recurse');
		assert.ok(await widthOf(page, 'recurse') > 2 * before);
		assert.strictEqual(await page.locator('h2').textContent(), 'before');
		assert.strictEqual(page.url(), 'about:blank');
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'in a sandbox, where there is no address, it works as well'() {
		const page = await open({}, 'about:blank');
		const url = 'data:image/svg+xml;base64,' + fs.readFileSync(golden('shapes')).toString('base64');

		await page.setContent(`<iframe sandbox="allow-scripts" width="900" height="500" src="${url}">`);
		const inside = page.frameLocator('iframe');
		const box = inside.locator('#frames > g[aria-label^="recurse, "] > rect').first();

		await box.click();
		assert.ok(Number(await box.getAttribute('width')) > 800);
		await inside.locator('#pattern').fill('leaf');
		await settle(page);
		assert.match(await inside.locator('#matched').textContent(), /^Matched: 34\.60%/);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a click zooms, the button returns, and so does a click on what is faded'(page) {
		const before = await widthOf(page, 'recurse'), all = await widthOf(page, 'all');

		isAbout(before, all * 4000 / 11560, 'width of recurse');
		assert.strictEqual(await page.locator('#unzoom').isVisible(), false);
		await click(page, 'recurse');
		isAbout(await widthOf(page, 'recurse'), all, 'zoomed');
		assert.strictEqual(await frames(page, 'malloc').count(), 0);
		assert.strictEqual(await frame(page, 'main').getAttribute('class'), 'parent');
		assert.match(await details(page), /^recurse 4,000 samples, 34\.60% \u00b1 0\.87 /);
		await page.locator('#unzoom').click();
		isAbout(await widthOf(page, 'recurse'), before, 'back again');
		await click(page, 'leaf');
		await click(page, 'main');
		isAbout(await widthOf(page, 'recurse'), before, 'through its caller');
		assert.strictEqual(await page.locator('#unzoom').isVisible(), true);
	},
	async 'back and forward walk through zooms and views'(page) {
		const before = await widthOf(page, 'recurse');

		await click(page, 'recurse');
		const zoomed = page.url();

		await click(page, 'other');
		await view(page, 'Callers');
		assert.strictEqual(parameter(page, 'v'), 'up');
		await page.goBack();
		assert.strictEqual(parameter(page, 'v'), null);
		isAbout(await widthOf(page, 'other'), await widthOf(page, 'all'), 'other');
		await page.goBack();
		assert.strictEqual(page.url(), zoomed);
		assert.ok(await widthOf(page, 'other') < await widthOf(page, 'recurse'));
		await page.goBack();
		isAbout(await widthOf(page, 'recurse'), before, 'at the beginning');
		await page.goForward();
		isAbout(await widthOf(page, 'recurse'), await widthOf(page, 'all'), 'forward');
	},
	async 'search counts samples once, and those of frames that are folded'(page) {
		await page.locator('#search').click();
		await page.keyboard.type('RECURSE');
		await settle(page);
		assert.strictEqual(await matched(page), 'Matched: 34.60% \u00b1 0.87 \u00b7 1 function');
		assert.strictEqual(await page.locator('#frames .match').count(), 4);
		await searchFor(page, 'tiny');
		assert.strictEqual(await matched(page), 'Matched: 0.52% \u00b1 0.15 \u00b7 60 functions');
		assert.strictEqual(await page.locator('#frames .match').count(), 0);
		assert.strictEqual(await page.locator('#frames .holds').count(), 1);
		await searchFor(page, '^tiny.[05]$|^leaf');
		assert.strictEqual(await matched(page), 'No match (as plain text)');
		await page.locator('#regex').click();
		assert.ok((await matched(page)).startsWith('Matched: 34.71% '));
		assert.ok((await matched(page)).endsWith(' 13 functions'));
		await searchFor(page, 'LEAF');
		assert.ok((await matched(page)).startsWith('Matched: 34.60% '));
		await page.locator('#matchcase').click();
		assert.strictEqual(await matched(page), 'No match');
		await searchFor(page, '(');
		assert.strictEqual(await matched(page), 'Not a regular expression');
		await page.locator('#pattern').press('Escape');
		assert.strictEqual(await matched(page), '');
		assert.strictEqual(await page.locator('#frames .match').count(), 0);
	},
	async 'a search is counted within the zoom as well'(page) {
		await click(page, 'recurse');
		await searchFor(page, 'other');
		assert.match(await matched(page), /^Matched: 8\.65% .* \(25\.00% of what is shown\)$/);
	},
	async 'what matches is listed with its total, and leads to its callers'(page) {
		await searchFor(page, 'mal');
		await page.locator('#matches summary').click();
		const items = page.locator('#matches li');

		await items.first().waitFor();
		assert.strictEqual(await items.count(), 2);
		assert.match(await items.first().textContent(), /^17\.30% \u00b1 0\.70/);
		await items.filter({ hasText: '_int_malloc' }).locator('button').click();
		isAbout(await widthOf(page, '_int_malloc'), await widthOf(page, 'all'), '_int_malloc');
		isAbout(await widthOf(page, 'malloc'), await widthOf(page, 'all'), 'its caller');
	},
	async 'what is folded opens'(page) {
		await click(page, '60 more');
		const drawn = page.locator('#frames > g[aria-label^="tiny"]:not(.hide)');

		assert.strictEqual(await drawn.count(), 60);
		assert.ok(await widthOf(page, 'tiny00') > 8);
		const other = await open({}, page.url());

		assert.strictEqual(await other.locator('#frames > g[aria-label^="tiny"]:not(.hide)').count(), 60);
		await page.goBack();
		assert.strictEqual(await drawn.count(), 0);
		await click(page, 'many');
		assert.strictEqual(await drawn.count(), 60);
	},
	async 'everything works from the keyboard'(page) {
		await page.keyboard.press('ArrowDown');
		assert.strictEqual(await focused(page), 'all');
		await page.keyboard.press('ArrowDown');
		await page.keyboard.press('ArrowDown');
		assert.strictEqual(await focused(page), 'main');
		assert.match(await details(page), /^main 11,560 samples/);
		await page.keyboard.press('ArrowDown'); // the widest
		assert.strictEqual(await focused(page), 'recurse');
		await page.keyboard.press('ArrowRight');
		await page.keyboard.press('ArrowLeft');
		const before = await widthOf(page, 'recurse');

		await page.keyboard.press('Enter');
		assert.ok(await widthOf(page, 'recurse') > 2 * before);
		assert.strictEqual(await focused(page), 'recurse');
		await page.keyboard.press('ArrowUp');
		assert.strictEqual(await focused(page), 'main');
		await page.keyboard.press('Escape');
		isAbout(await widthOf(page, 'recurse'), before, 'after Escape');
		await page.keyboard.press('/');
		await page.keyboard.type('leaf');
		await page.keyboard.press('Enter');
		assert.strictEqual(await focused(page), 'leaf');
		await page.keyboard.press('Control+f');
		assert.strictEqual(await focused(page), 'pattern');
		await page.keyboard.press('Escape');
		await page.keyboard.press('3');
		assert.strictEqual(await page.locator('#functions').isVisible(), true);
		await page.keyboard.press('1');
		assert.strictEqual(await page.locator('#frames').isVisible(), true);
	},
	async 'a screen reader finds a tree with one stop for Tab'(page) {
		const stops = [];

		for (let i = 0; i < 12; i++) {
			await page.keyboard.press('Tab');
			stops.push(await focused(page));
		}
		assert.strictEqual(stops.indexOf('all'), 10); // behind the controls, and nothing between
		assert.strictEqual(await page.locator('#frames').getAttribute('role'), 'tree');
		assert.strictEqual(await page.locator('#frames [tabindex="0"]').count(), 1);
		await click(page, 'leaf');
		assert.strictEqual(await page.locator('#frames [tabindex="0"]').count(), 1);
		for (const g of await page.locator('#frames > g:not(.hide)').all()) {
			assert.strictEqual(await g.getAttribute('role'), 'treeitem');
			assert.match(await g.getAttribute('aria-label'), /, .*samples?, .*% \u00b1 /);
			assert.match(await g.getAttribute('aria-level'), /^[1-9]/);
		}
	},
	async 'the address keeps zoom, search and all else'(page) {
		await click(page, 'main');
		await page.keyboard.press('r');
		await click(page, 'recurse');
		await page.locator('#regex').click();
		await searchFor(page, 'other|leaf');
		await page.locator('#colour').selectOption('heat');
		await page.locator('#invert').check();
		const said = await matched(page), wide = await widthOf(page, 'other');

		assert.match(said, /^Matched: 34\.60% .*\(100\.00% of what is shown\)$/);
		assert.strictEqual(parameter(page, 's'), 'other|leaf');
		const other = await open({}, page.url());

		assert.strictEqual(await matched(other), said);
		isAbout(await widthOf(other, 'other'), wide, 'other');
		assert.strictEqual(await other.locator('#merge').isChecked(), true);
		assert.strictEqual(await other.locator('#invert').isChecked(), true);
		assert.strictEqual(await other.locator('#colour').evaluate((field) => field.value), 'heat');
		assert.deepStrictEqual(other.troubles, []);
		// Functions of another recording have other numbers.
		const stale = await open({}, page.url().replace(/([?&]mark=)[^&]*/, '$1another'));

		assert.strictEqual(parameter(stale, 's'), 'other|leaf');
		assert.ok((await matched(stale)).startsWith('Matched: '));
		isAbout(await widthOf(stale, 'recurse'), await widthOf(stale, 'all') * 4000 / 11560, 'recurse');
		const odd = await open({}, shapes + '?z=9999.~7.x&v=no&h=77777&m=-1&s=%ff');

		assert.ok(await widthOf(odd, 'main') > 1000);
		assert.deepStrictEqual(odd.troubles, []);
	},
	async 'callers first: each function once, by what it used itself'(page) {
		const all = await widthOf(page, 'all');

		await view(page, 'Callers');
		assert.strictEqual(await frame(page, 'leaf').getAttribute('aria-level'), '2');
		isAbout(await widthOf(page, 'leaf'), all * 4000 / 11560, 'leaf');
		// The heaviest on the left.
		assert.ok((await boxOf(page, 'leaf')).x < (await boxOf(page, '_int_malloc')).x);
		assert.ok((await boxOf(page, '_int_malloc')).x < (await boxOf(page, 'vfs_read')).x);
		await click(page, 'leaf');
		isAbout(await widthOf(page, 'recurse'), all, 'the caller of leaf');
		isAbout(await widthOf(page, 'other'), all / 4, 'one of two callers of that');
		await page.locator('#turn').click();
		assert.strictEqual(parameter(page, 'v'), null);
		assert.strictEqual(await frame(page, 'leaf').getAttribute('aria-level'), '7');
	},
	async 'callers of one function count all that it called'(page) {
		await searchFor(page, 'mall');
		await page.locator('#matches summary').click();
		await page.locator('#matches button', { hasText: /^malloc$/ }).click();
		assert.match(await details(page), /^malloc 2,000 samples, 17\.30% .* self 0\.00% /);
		isAbout(await widthOf(page, 'main'), await widthOf(page, 'all'), 'its caller');
		assert.match(await matched(page), / \(100\.00% of what is shown\)$/);
		const other = await open({}, page.url());

		assert.strictEqual(await details(other), await details(page));
		// The outermost call of a recursion, each sample once.
		await view(page, 'Functions');
		await searchFor(page, 'recurse');
		await page.locator('#functions td button').click();
		assert.match(await details(page), /^recurse 4,000 samples, 34\.60% /);
		assert.strictEqual(await frames(page, 'recurse').count(), 1);
		await searchFor(page, 'leaf'); // what it called is in there
		assert.match(await matched(page), / \(100\.00% of what is shown\)$/);
		await click(page, 'main');
		await page.keyboard.press('Escape');
		assert.match(await details(page), /^main /);
		assert.strictEqual(await frames(page, 'leaf').count(), 0);
		await page.locator('#hidden .chip').click();
		assert.strictEqual(parameter(page, 'of'), null);
		isAbout(await widthOf(page, 'leaf'), await widthOf(page, 'all') * 4000 / 11560, 'leaf');
		const odd = await open({}, shapes + '?v=up&of=99999&z=3');

		assert.ok(await widthOf(odd, 'leaf') > 100);
		assert.deepStrictEqual(other.troubles.concat(odd.troubles), []);
	},
	async 'all calls of one function are one tree, its recursion counted once'(page) {
		await frame(page, 'recurse').locator('rect').click({ modifiers: ['Shift'] });
		await page.keyboard.press('d');
		assert.match(await details(page), /^recurse 4,000 samples, 34\.60% /);
		assert.strictEqual(await frames(page, 'main').count(), 0);
		assert.strictEqual(await focused(page), 'recurse');
		const all = await widthOf(page, 'all');

		isAbout(await widthOf(page, 'recurse'), all, 'recurse');
		await click(page, 'leaf');
		await page.locator('#callees').click(); // it stands in several places
		assert.match(await details(page), /^leaf 4,000 samples, 34\.60% .* self 34\.60% /);
		const other = await open({}, page.url());

		assert.strictEqual(await details(other), await details(page));
		await page.locator('#turn').click();
		assert.strictEqual(parameter(page, 'v'), 'up');
		assert.match(await details(page), /^leaf 4,000 samples/);
		await page.goBack();
		await page.locator('#hidden .chip').click();
		assert.strictEqual(page.url(), shapes);
		assert.strictEqual(await frames(page, 'main').count(), 1);
		await frame(page, 'recurse').locator('rect').click({ modifiers: ['Shift'] });
		await page.keyboard.press('d');
		await page.keyboard.press('h');
		assert.strictEqual(parameter(page, 'of'), null);
		assert.strictEqual(await frames(page, 'main').count(), 1);
		assert.deepStrictEqual(other.troubles, []);
	},
	async 'functions in a table that sorts'(page) {
		const first = () => page.locator('#functions tbody tr').first().locator('td').allTextContents();

		await view(page, 'Functions');
		const row = await first();

		assert.deepStrictEqual(row.slice(0, 4), ['34.60% \u00b1 0.87', '34.6%', '34.60% \u00b1 0.87', 'leaf']);
		assert.deepStrictEqual(row.slice(4), ['prog', 'leaf.c:12']);
		assert.strictEqual((await page.locator('#functions tbody tr').nth(1).locator('td')
			.allTextContents())[1], '69.2%');
		await page.locator('#functions th button', { hasText: 'Total' }).click();
		assert.strictEqual((await first())[3], 'main');
		await page.locator('#functions th button', { hasText: 'Function' }).click();
		assert.strictEqual((await first())[3], '_int_malloc');
		await page.locator('#functions th button', { hasText: 'Function' }).click();
		assert.strictEqual((await first())[3], 'web::parse (inlined)');
		await searchFor(page, 'recurse');
		assert.strictEqual(await page.locator('#functions tbody tr').count(), 1);
		// Recursion counts once.
		assert.strictEqual((await first())[2], '34.60% \u00b1 0.87');
		await page.locator('#functions td button').click();
		assert.strictEqual(parameter(page, 'v'), 'up');
	},
	async 'in the table a name of any length leaves room for the rest'() {
		const name = 'std::_Rb_tree<' + 'std::pair<std::string const, int>, '.repeat(40) + 'int>::find';
		const page = await openMade({ name: 'all', kids: [{ name, self: 1 }, { name: 'f', self: 1 }] });

		await view(page, 'Functions');
		const row = page.locator('#functions tbody tr', { hasText: '_Rb_tree' });
		const button = row.locator('button');

		assert.strictEqual(await button.textContent(), 'std::_Rb_tree<>::find');
		assert.ok((await button.getAttribute('title')).startsWith(name));
		for (const td of await page.locator('#functions th').all())
			assert.ok(await td.evaluate((element) => element.getBoundingClientRect().height) < 40);
		assert.ok(await row.locator('td').last().evaluate((td) => td.getBoundingClientRect().right) <= 1280);
		await searchFor(page, 'pair');
		await page.locator('#matches summary').click();
		assert.strictEqual(await page.locator('#matches li button').textContent(), 'std::_Rb_tree<>::find');
	},
	async 'recursion is merged'(page) {
		assert.strictEqual(await frames(page, 'recurse').count(), 4);
		await page.locator('#merge').check();
		assert.strictEqual(await frames(page, 'recurse').count(), 2);
		isAbout(await widthOf(page, 'recurse'), await widthOf(page, 'all') * 4000 / 11560, 'recurse');
		assert.strictEqual(await frames(page, 'leaf').count(), 2);
	},
	async 'functions and modules are hidden, and shown again'(page) {
		const all = await widthOf(page, 'all');

		await frame(page, 'other').locator('rect').click({ modifiers: ['Shift'] });
		assert.strictEqual(parameter(page, 'z'), null); // not zoomed
		await page.locator('#hide').click();
		assert.strictEqual(await frames(page, 'other').count(), 0);
		isAbout(await widthOf(page, 'leaf'), all * 1000 / 11560, 'leaf of its own stack');
		await frame(page, 'malloc').locator('rect').click({ modifiers: ['Shift'] });
		await page.keyboard.press('m');
		assert.strictEqual(await focused(page), 'all');
		assert.strictEqual(await frames(page, 'memcpy').count(), 0);
		assert.strictEqual(await frames(page, 'malloc').count(), 0);
		await view(page, 'Functions');
		// What memcpy used counts for its caller.
		assert.strictEqual(await page.locator('#functions tr', { hasText: 'web::parse' })
			.locator('td').first().textContent(), '34.60% \u00b1 0.87');
		await view(page, 'Top-down');
		assert.strictEqual(await page.locator('#hidden .chip').count(), 2);
		await searchFor(page, 'malloc'); // what is hidden is not found
		assert.strictEqual(await matched(page), 'No match');
		await searchFor(page, '');
		await page.locator('#hidden .chip', { hasText: 'libc.so.6' }).click();
		assert.strictEqual(await frames(page, 'malloc').count(), 1);
		await page.goBack();
		assert.strictEqual(await frames(page, 'malloc').count(), 0);
	},
	async 'the zoom stays when what leads there is hidden or merged'(page) {
		await click(page, 'other');
		const zoomed = page.url();

		await page.keyboard.press('r');
		assert.match(await details(page), /^other 1,000 samples/);
		await page.keyboard.press('r');
		assert.match(await details(page), /^other 1,000 samples/);
		await page.goto(zoomed);
		await frame(page, 'recurse').locator('rect').click({ modifiers: ['Shift'] });
		await page.keyboard.press('h');
		assert.match(await details(page), /^other 1,000 samples/);
		isAbout(await widthOf(page, 'other'), await widthOf(page, 'all'), 'other');
		await page.goBack();
		assert.strictEqual(page.url(), zoomed);
	},
	async 'a search is one step of the history'(page) {
		await click(page, 'recurse');
		const zoomed = page.url();

		for (const text of ['l', 'le', 'lea'])
			await searchFor(page, text);
		await page.locator('#pattern').press('Enter');
		await page.locator('#pattern').press('Enter');
		await page.goBack();
		assert.strictEqual(page.url(), zoomed);
		assert.strictEqual(await matched(page), '');
		await page.goForward();
		assert.match(await matched(page), /^Matched: 34\.60%/);
	},
	async 'it can stand on its head'(page) {
		assert.ok((await boxOf(page, 'main')).y < (await boxOf(page, 'leaf')).y);
		await page.locator('#invert').check();
		assert.ok((await boxOf(page, 'main')).y > (await boxOf(page, 'leaf')).y);
		await frame(page, 'main').focus();
		await page.keyboard.press('ArrowUp');
		assert.notStrictEqual(await focused(page), 'all');
		await page.keyboard.press('ArrowDown');
		assert.strictEqual(await focused(page), 'main');
	},
	async 'colours tell kinds, modules or heat'(page) {
		const fill = (name) => frame(page, name).locator('rect')
			.evaluate((rect) => getComputedStyle(rect).fill);
		const kinds = [await fill('malloc'), await fill('vfs_read'), await fill('main')];

		assert.strictEqual(new Set(kinds).size, 3);
		await page.locator('#colour').selectOption('module');
		assert.strictEqual(await fill('malloc'), await fill('memcpy'));
		assert.notStrictEqual(await fill('malloc'), await fill('leaf'));
		assert.strictEqual((await page.locator('#legend .legend').first().textContent()).trim(), 'libc.so.6 51.9%');
		await page.locator('#colour').selectOption('heat');
		assert.notStrictEqual(await fill('main'), await fill('leaf'));
		assert.strictEqual(await fill('main'), await fill('recurse'));
	},
	async 'shares of a whole machine are cores, too'() {
		const page = await open({}, machine);

		await frame(page, 'work').locator('rect').hover();
		assert.strictEqual((await page.locator('#tip').innerText()).split('\n')[1],
			'334 samples, 83.50% \u00b1 3.95, 1.67 cores');
		assert.match(await frame(page, 'memcpy').getAttribute('aria-label'),
			/^memcpy, 250 samples, 62\.50% \u00b1 4\.\d\d, 1\.25 cores/);
		await searchFor(page, 'read');
		assert.match(await matched(page), /^Matched: 16\.50% \u00b1 \d\.\d\d, 0\.33 cores \u00b7 1 function/);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a tip says all that is known'(page) {
		await frame(page, 'leaf').locator('rect').hover();
		const tip = await page.locator('#tip').innerText();

		assert.deepStrictEqual(tip.split('\n'), ['leaf', '1,000 samples, 8.65% \u00b1 0.53',
			'self 8.65% \u00b1 0.53', 'prog \u00b7 /src/shapes/leaf.c:12 \u00b7 program']);
		await frame(page, 'web::parse').locator('rect').hover();
		assert.match(await page.locator('#tip').innerText(), /\u00b7 inlined/);
		await frame(page, '60 more').locator('rect').hover();
		assert.match(await page.locator('#tip').innerText(), /tiny00/);
		await page.locator('h1').hover();
		assert.strictEqual(await page.locator('#tip').isVisible(), false);
	},
	async 'a stack is copied, or shown to be'(page) {
		await page.evaluate(() => {
			navigator.clipboard.writeText = (text) => {
				window.copied = text;
				return Promise.resolve();
			};
		});
		await click(page, '_int_malloc');
		await page.keyboard.press('c');
		assert.strictEqual(await page.evaluate(() => window.copied),
			'2,000 samples, 17.30% \u00b1 0.70 of shapes, pid 42\n' +
			'    _int_malloc  [libc.so.6]\n    malloc  [libc.so.6]\n    main  [prog]\n    shapes\n');
		await page.evaluate(() => {
			navigator.clipboard.writeText = () => Promise.reject(new Error('no'));
		});
		await page.locator('#copy').click();
		assert.match(await page.locator('textarea').evaluate((field) => field.value), /^2,000 samples/);
		assert.strictEqual(await page.locator('textarea').isVisible(), true);
	},
	async 'names are nothing but text'() {
		const page = await open({}, hostile);
		const names = await page.locator('#frames > g:not(.hide)')
			.evaluateAll((list) => list.map((g) => g.getAttribute('aria-label')));

		for (const part of ['</script><script>alert(1)', ']]>;semi;colon', '"quo\'ted" & <angled>',
			'\\u202ecod.exe', '\\x1b]0;owned', 'bad\ufffd', '\u6f22\u5b57'])
			assert.ok(names.some((name) => name.startsWith(part)), part);
		for (const text of ['Callers', 'Functions', 'Top-down'])
			await view(page, text);
		await searchFor(page, '<script>');
		assert.ok((await matched(page)).startsWith('Matched: 5.38% '));
		assert.strictEqual(await page.locator('script').count(), 0);
		assert.strictEqual(await page.title(), '<b>"evil" & co</b> \\x1b]0;owned\\x07');
		await page.locator('#matches summary').click();
		await click(page, '\\\\u202ecod.exe');
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'labels are those of the still image'() {
		const names = fs.readFileSync(path.join(sources, 'names.js'), 'utf8');
		const shortName = new Function(names + '\nreturn shortName;')();
		let count = 0;

		for (const url of [shapes, hostile]) {
			const page = await open({ javaScriptEnabled: false }, url);
			const boxes = await page.locator('#frames > g').evaluateAll((list) => list.map((g) => ({
				name: g.querySelector('title').textContent.replace(/ \([^(]*\)\n[^]*$/, ''),
				share: parseFloat(g.querySelector('rect').getAttribute('width')),
				label: g.querySelector('text') ? g.querySelector('text').textContent : '',
			})));

			for (const box of boxes) {
				const columns = Math.floor((box.share / 100 * 1180 - 6) / 7.23);

				assert.strictEqual(shortName(box.name, columns), box.label);
				count++;
			}
		}
		assert.ok(count > 30);
		assert.strictEqual(shortName('web::Server<int, std::less<int> >::handle(web::Request const&)', 24),
			'web::Server<>::handle');
		assert.strictEqual(shortName('memcached+0x18740', 5), '\u20268740');
		assert.strictEqual(shortName('std::operator+<char, std::char_traits<char> >', 20), 'std::operator+<>');
		assert.strictEqual(shortName('std::operator<< <std::char_traits<char> >(std::ostream&)', 20),
			'std::operator<< <>');
		assert.strictEqual(shortName('a::P<int>::operator-><a::T<int> >() const', 30),
			'a::P<>::operator-><> const');
	},
	async 'it takes the width there is, and labels stay in their boxes'() {
		const page = await open({ viewport: { width: 700, height: 400 } });

		isAbout(await widthOf(page, 'all'), 680, 'all');
		await page.setViewportSize({ width: 1500, height: 400 });
		await settle(page);
		isAbout(await widthOf(page, 'all'), 1480, 'all');
		for (const g of await page.locator('#frames > g:not(.hide)').all()) {
			const [rect, text] = await g.evaluate((g_) => ['rect', 'text'].map((name) =>
				g_.querySelector(name).getBoundingClientRect().width));
			assert.ok(text <= rect, 'a label is wider than its box');
		}
	},
	async 'a scroll bar takes no box away'() {
		const other = await launch({ ignoreDefaultArgs: ['--hide-scrollbars'] });

		try {
			const page = await other.newPage({ viewport: { width: 800, height: 300 } });

			await page.goto(shapes);
			await settle(page);
			const [inner, client, content, box] = await page.evaluate(() => [window.innerWidth,
				document.documentElement.clientWidth, document.querySelector('main').scrollWidth,
				document.querySelector('main').clientWidth]);

			assert.ok(client < inner, 'there is no scroll bar to test with');
			assert.ok(content <= box, `${content} px in ${box}`);
		} finally {
			await other.close();
		}
	},
	async 'on a phone it fits, and fingers hit'() {
		const page = await open({ viewport: { width: 390, height: 700 }, isMobile: true, hasTouch: true });

		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390);
		assert.ok((await boxOf(page, 'main')).height >= 24);
		const before = await widthOf(page, 'recurse');

		await frame(page, 'recurse').locator('rect').tap();
		assert.ok(await widthOf(page, 'recurse') > 2 * before);
		assert.match(await details(page), /^recurse /);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'on a phone a long name leaves room for what it is worth, and help can be read'() {
		const name = 'std::_Rb_tree<' + 'std::pair<std::string const, int>, '.repeat(40) + 'int>::find';
		const file = pictureOf({ name: 'all', kids: [{ name, self: 1 }, { name: 'f', self: 1 }] });
		const page = await open({ viewport: { width: 390, height: 700 }, isMobile: true, hasTouch: true },
			pathToFileURL(file).href);

		fs.unlinkSync(file);
		await frame(page, name).locator('rect').tap();
		const [used, room] = await page.locator('#details').evaluate((element) =>
			[element.scrollHeight, element.clientHeight]);

		assert.match(await details(page), /^std::_Rb_tree<>::find 1 sample, 50\.00%/);
		assert.ok(used <= room, `${used} px of ${room} are seen`);
		await page.locator('.help summary').tap();
		const box = await page.locator('.help > div').boundingBox();

		assert.ok(box.x >= 0 && box.x + box.width <= 390, `${box.x} + ${box.width}`);
		await page.keyboard.press('Escape');
		assert.strictEqual(await page.locator('.help > div').isVisible(), false);
	},
	async 'dark and light differ, and print has no controls'(page) {
		const fills = [];

		for (const colorScheme of ['light', 'dark']) {
			await page.emulateMedia({ colorScheme });
			fills.push(await frame(page, 'main').locator('rect')
				.evaluate((rect) => getComputedStyle(rect).fill + getComputedStyle(document.body).color));
		}
		assert.notStrictEqual(fills[0], fills[1]);
		await page.emulateMedia({ media: 'print' });
		assert.strictEqual(await page.locator('#unzoom, #pattern, #merge').evaluateAll((list) =>
			list.filter((element) => element.getClientRects().length).length), 0);
		await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
		assert.strictEqual(await frame(page, 'main').locator('rect')
			.evaluate((rect) => getComputedStyle(rect).fill + '#000'),
		fills[0].replace(/rgb[^r]*$/, '') + '#000'); // paper is white
		assert.strictEqual(await page.locator('#frames').isVisible(), true);
	},
	async 'one sample is a picture'() {
		const page = await openMade({ name: 'all', kids: [{ name: 'main', self: 1 }] });

		isAbout(await widthOf(page, 'main'), await widthOf(page, 'all'), 'main');
		assert.match(await details(page), /^all 1 sample, 100\.00% /);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'what is left out is found behind weights of any size, too'() {
		const page = await openMade({ name: 'all', kids: [
			{ name: 'main', self: 9007199254740992, cut: 9007199254740992 },
			{ name: 'other', self: 9007199254740992 }] });

		isAbout(await widthOf(page, 'main'), await widthOf(page, 'all') * 2 / 3, 'main');
		isAbout(await widthOf(page, 'left out'), await widthOf(page, 'all') / 3, 'left out');
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'so is none'() {
		const page = await openMade({ name: 'all' });

		for (const text of ['Callers', 'Functions', 'Top-down'])
			await view(page, text);
		await searchFor(page, 'a');
		assert.match(await page.locator('header').textContent(), /No samples/);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'fifty thousand siblings open some at a time'() {
		const kids = Array.from({ length: 50000 }, (none, i) => ({ name: 'f' + (100000 + i), self: 1e9 }));
		const page = await openMade({ name: 'all', kids });

		assert.strictEqual(await frames(page, '50,000 more').count(), 1);
		await click(page, '50,000 more');
		const some = page.locator('#frames > g[aria-label^="f1"]:not(.hide)');
		const count = await some.count();

		assert.ok(count >= 50 && count <= 300);
		await page.locator('#frames > g.more:not(.hide):not(.parent)').last().locator('rect').click();
		await settle(page);
		assert.strictEqual(await some.count(), count);
		assert.match(await details(page), /more 49,\d{3},000,000,000 samples, 99\./);
		await searchFor(page, 'f149999');
		assert.match(await matched(page), /^Matched: 0\.00% .* 1 function /);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a recursion of four thousand frames is drawn as far as it goes'() {
		let node = { name: 'last', self: 5 };

		for (let i = 0; i < 4000; i++)
			node = { name: 'again', self: i % 1000 ? 0 : 1, kids: [node] };
		const page = await openMade({ name: 'all', kids: [node] });

		assert.ok(await frames(page, 'again').count() > 1000);
		assert.strictEqual(await page.locator('main .note').isVisible(), true);
		await page.locator('#merge').check();
		assert.strictEqual(await frames(page, 'again').count(), 1);
		assert.strictEqual(await page.locator('main .note').isVisible(), false);
		isAbout(await widthOf(page, 'last'), await widthOf(page, 'all') * 5 / 9, 'last');
		await view(page, 'Callers');
		assert.ok(await frames(page, 'again').count() >= 1);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'names that objects have, too, are names'() {
		const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
		const page = await openMade({ name: 'all', kids: names.map((name) => ({ name, self: 1 })) });

		for (const name of names)
			isAbout(await widthOf(page, name), await widthOf(page, 'all') / 4, name);
		await view(page, 'Callers');
		assert.strictEqual(await frames(page, '__proto__').count(), 1);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a picture of changes says what became dearer and cheaper'() {
		for (const colorScheme of ['light', 'dark']) {
			const page = await open({ colorScheme }, changed);
			const fills = await page.evaluate(() => Object.fromEntries(
				Array.from(document.querySelectorAll('#frames > g:not(.hide)'), (g) =>
					[g.getAttribute('aria-label').split(',')[0], [
						g.querySelector('rect').getAttribute('class'),
						g.querySelector('text').textContent,
						getComputedStyle(g.querySelector('rect')).fill]])));

			assert.deepStrictEqual(fills.steady.slice(0, 2), ['e0', 'steady']);
			assert.deepStrictEqual(fills.parse.slice(0, 2), ['d1', '\u25b2 parse']);
			assert.strictEqual(fills.malloc[0], 'c3');
			assert.notStrictEqual(fills.parse[2], fills.steady[2]);
			assert.strictEqual(fills.old, undefined); // gone
			assert.match(await frame(page, 'parse').getAttribute('aria-label'),
				/^parse, 43\.00% \(was 30\.00%: \+13\.00 points \u00b1 1\.\d\d, dearer\)$/);
			await frame(page, 'fr<esh').hover();
			assert.match(await page.locator('#tip').textContent(), /2\.00% .*\+2\.00 points.*, new/);
			assert.match(await page.locator('#legend').textContent(), /\u25b2 dearer.*\u25bc cheaper/);
			assert.deepStrictEqual(page.troubles, []);
		}
	},
	async 'what is gone is seen with the widths of BASE'() {
		const page = await open({}, changed);

		isAbout(await widthOf(page, 'parse'), await widthOf(page, 'all') * 0.43, 'parse');
		await page.locator('#side').selectOption('base');
		isAbout(await widthOf(page, 'parse'), await widthOf(page, 'all') * 0.3, 'parse');
		isAbout(await widthOf(page, 'older'), await widthOf(page, 'all') * 0.15, 'older');
		assert.match(await frame(page, 'older').getAttribute('aria-label'), /\u221215\.00 points.*, gone/);
		assert.strictEqual(await frames(page, 'fr<esh').count(), 0);
		assert.strictEqual(parameter(page, 'widths'), 'base');
		await page.reload();
		assert.strictEqual(await frames(page, 'older').count(), 1);
		await click(page, 'older');
		await page.locator('#side').selectOption('new'); // zoomed to what is not there
		await page.locator('#side').selectOption('base');
		await page.locator('#colour').selectOption('kind');
		assert.match(await frame(page, 'older').locator('rect').getAttribute('class'), /^u/);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'the table of functions lists changes, those beyond noise first'() {
		const page = await open({}, changed);

		await view(page, 'Functions');
		const rows = await page.locator('#functions tbody tr').allTextContents();

		assert.match(rows[0], /\u25b2 \+20\.00 .*parse/);
		assert.match(rows[1], /\u25bc \u221215\.00 .*older/);
		assert.ok(rows.some((row) => /old/.test(row)));
		await view(page, 'Callers');
		assert.match(await frame(page, 'parse').getAttribute('aria-label'),
			/^parse, 40\.00% \(was 20\.00%: \+20\.00 points \u00b1 1\.\d\d, dearer\)$/);
		await page.locator('#merge').check();
		assert.match(await frame(page, 'parse').getAttribute('aria-label'), /not judged/);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a picture of changes shows without scripts, too'() {
		const page = await open({ javaScriptEnabled: false }, changed);

		assert.match(await page.locator('#frames title', { hasText: /^parse / }).textContent(),
			/^parse 43\.00% \(was 30\.00%: \+13\.00 points ± 1\.\d\d, dearer\)$/);
		assert.strictEqual(await page.locator('#frames rect.d1').count() > 0, true);
	},
	async 'a file that was cut off stays a picture'() {
		const whole = fs.readFileSync(golden('shapes'), 'utf8');
		const cut = whole.replace(/(<metadata class="numbers">\n.{40}).*\n/, '$1\n');
		const file = path.join(process.env.TMPDIR || '/tmp', `profd-cut-${process.pid}.svg`);

		assert.notStrictEqual(cut, whole);
		fs.writeFileSync(file, cut);
		try {
			const page = await open({}, pathToFileURL(file).href);

			assert.strictEqual(page.troubles.length, 1); // said in the console
			assert.strictEqual(await page.locator('svg > #frames > g > title').count() > 10, true);
		} finally {
			fs.unlinkSync(file);
		}
	},
};

(async () => {
	const chosen = Object.entries(checks).filter(([name]) => process.argv.length < 3 ||
		process.argv.slice(2).some((part) => name.includes(part)));
	let failed = 0;

	browser = await launch();
	for (const [name, check] of chosen) {
		const page = check.length ? await open({}) : null;

		try {
			if (page)
				page.setDefaultTimeout(10000);
			await check(page);
			if (page)
				assert.deepStrictEqual(page.troubles, []);
			console.log('ok      ' + name);
		} catch (error) {
			failed++;
			console.log('FAILED  ' + name + '\n' + error.stack);
		}
		for (const context of browser.contexts())
			await context.close();
	}
	await browser.close();
	process.exit(failed ? 1 : 0);
})();
