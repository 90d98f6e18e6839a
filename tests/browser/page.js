// SPDX-License-Identifier: Apache-2.0
// Looks at the daemon's page in a real browser, as a person would; the daemon is a fake one.
//
// chromium.js says what it needs. usage: page.js FAKE_DAEMON
'use strict';
const assert = require('assert');
const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const { launch } = require('./chromium.js');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'profd-page-'));
const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);
const evil = '<img src=x onerror=alert(1)>';
const now = Math.floor(Date.now() / 1000);
const timeline = {
	schema_version: 1, history: { from_ns: (now - 3600) * 1e9, until_ns: now * 1e9 }, list: 'units',
	step_ns: 600e9, steps: 6,
	series: [{ name: 'nginx.service', cpu_ns: 1, cores: [1, 1, null, 2, 1, 1] },
		{ name: evil, cpu_ns: 1, cores: [0.5, 0.5, null, 0, 0, 0] }, { name: null, cpu_ns: 1, cores: [0, 0, null, 0, 0, 0.5] }],
	others: [0.1, 0, null, 0, 0, 0.1],
};
const deploys = [{ time: '2026-11-26T14:02:10+00:00', unit: 'nginx.service', executable: '/usr/sbin/nginx', state: 'judged',
	returned: false, compared: true, changes: [{ function: 'json_decode' + evil, old: 0.031, new: 0.225, half: 0.011 }] }];
let address, browser;

async function open(options, hash) {
	const page = await (await browser.newContext(options)).newPage();

	page.troubles = [];
	page.on('pageerror', (error) => page.troubles.push(error.message));
	page.on('console', (message) => message.type() === 'error' && page.troubles.push(message.text()));
	page.on('dialog', (dialog) => {
		page.troubles.push('a name ran as a script');
		dialog.dismiss();
	});
	page.on('request', (request) => {
		if (!request.url().startsWith(address) && !/^(data|blob|about):/.test(request.url()))
			page.troubles.push('asked for ' + request.url());
	});
	await page.goto(address + '/' + (hash || ''));
	await page.locator('#table tbody tr').first().waitFor();
	return page;
}

const picture = (page) => page.frameLocator('#picture');

// The address of the flame graph that is asked for by an action.
async function pictureAfter(page, action) {
	const asked = page.waitForRequest((request) => request.url().includes('format=flamegraph'), { timeout: 10000 });

	await action();
	return decodeURIComponent((await asked).url()).replaceAll('+', ' ');
}

const checks = {
	async 'the machine over time, as a chart and a table'() {
		const page = await open();

		assert.deepStrictEqual(await page.locator('#table tbody tr').allTextContents(),
			['nginx.service1.2077.9 %2.00', evil + '0.2013.0 %0.50', '(none)0.106.5 %0.50', '(others)0.042.6 %0.10']);
		assert.strictEqual(await page.locator('#chart path').count(), 4);
		assert.strictEqual(await page.locator('#chart .gap').count(), 1);
		await page.locator('#status', { hasText: '11,400 samples' }).waitFor();
		assert.match(await page.locator('#status').textContent(), /profd 0\.1\.0: .*costs 0\.29 % of one core/);
		assert.match(await page.locator('#deploys li').textContent(),
			/^2026-11-26 14:02 {2}nginx\.service, \/usr\/sbin\/nginx: json_decode<img.*> 3\.1 % → 22\.5 % ± 1\.1$/);
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a flame graph that runs its own script, and sees nothing of the page'() {
		const page = await open();

		await picture(page).locator('#frames > g').first().waitFor();
		assert.strictEqual(await picture(page).locator('#controls').count(), 1);
		const frame = page.frames().find((one) => one !== page.mainFrame());

		assert.strictEqual(await frame.evaluate(() => {
			try {
				return String(parent.document.title);
			} catch (error) {
				return error.name;
			}
		}), 'SecurityError');
		assert.strictEqual(await frame.evaluate(() => fetch('/api/v1/status').then(() => 'came', () => 'denied')), 'denied');
		page.troubles = page.troubles.filter((text) => !/api\/v1\/status/.test(text));
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a line of the table, and an interval that is dragged'() {
		const page = await open();

		const choose = (text) => pictureAfter(page, () => page.locator('#table button', { hasText: text }).click());

		assert.match(await choose('nginx'), /unit=nginx\.service&format=flamegraph$/);
		assert.strictEqual(await page.locator('#chosen').textContent(), 'unit nginx.service');
		assert.ok((await choose('onerror')).includes('unit=' + evil));
		const box = await page.locator('#chart').boundingBox();

		await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
		await page.mouse.down();
		await page.mouse.move(box.x + box.width * 0.75, box.y + 50, { steps: 5 });
		const dragged = await pictureAfter(page, () => page.mouse.up());
		const [, from, until] = /since=@([\d.]+)&until=@([\d.]+)/.exec(dragged).map(Number);

		assert.ok(until - from > 800 && until - from < 1000, 'a quarter of an hour: ' + (until - from));
		assert.ok(!(await pictureAfter(page, () => page.locator('#everything').click())).includes('unit='));
		// The address tells all of it.
		const again = await open({}, new URL(page.url()).hash);

		assert.strictEqual(await again.locator('#from').inputValue(), await page.locator('#from').inputValue());
		assert.deepStrictEqual(page.troubles, []);
	},
	async 'a phone, and the dark'() {
		for (const colorScheme of ['light', 'dark']) {
			const page = await open({ viewport: { width: 360, height: 740 }, colorScheme, hasTouch: true });
			const size = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth,
				getComputedStyle(document.body).backgroundColor]);

			assert.ok(size[0] <= size[1], 'it is as wide as the screen: ' + size);
			assert.strictEqual(size[2], colorScheme === 'dark' ? 'rgb(19, 20, 24)' : 'rgb(246, 247, 249)');
			assert.deepStrictEqual(page.troubles, []);
		}
	},
	async 'what is wrong is said'() {
		write('answer.timeline', JSON.stringify(timeline).slice(0, 20));
		const page = await (await browser.newContext()).newPage();

		await page.goto(address + '/');
		await page.locator('#trouble').waitFor();
		write('answer.timeline', JSON.stringify(timeline));
		await page.locator('#controls button').click();
		await page.locator('#table tbody tr').first().waitFor();
		assert.strictEqual(await page.locator('#trouble').isVisible(), false);
	},
};

function start() {
	write('answer.timeline', JSON.stringify(timeline));
	write('answer.deploys', JSON.stringify({ schema_version: 1, deploys }));
	write('answer.flamegraph', fs.readFileSync(path.join(__dirname, '..', 'golden', 'flamegraph', 'shapes.svg')));
	write('status.json', JSON.stringify({ version: '0.1.0', samples: 11400, rate_hz: 19, lost: { ring: 3 }, processes: 212,
		started_s: now - 600, now_s: now, own_cpu_ns: 1.5e9, bpf_ns: 0.25e9, rss_bytes: 1 << 25, store_bytes: 1 << 22 }));
	fs.chmodSync(folder, 0o755);
	const daemon = spawn(process.argv[2], [folder, '-', '127.0.0.1:0', '-'], { stdio: ['ignore', 'pipe', 'inherit'] });

	return new Promise((resolve, reject) => {
		daemon.stdout.on('data', (text) => {
			const ready = /^ready \d+ (\d+)/m.exec(text);

			if (ready)
				resolve([daemon, 'http://127.0.0.1:' + ready[1]]);
		});
		daemon.on('exit', () => reject(new Error('the daemon ended')));
	});
}

(async () => {
	const [daemon, where] = await start();
	let failed = 0;

	address = where;
	browser = await launch();
	for (const [name, check] of Object.entries(checks)) {
		try {
			await check();
			console.log('ok      ' + name);
		} catch (error) {
			failed++;
			console.log('FAILED  ' + name + '\n' + error.stack);
		}
		for (const context of browser.contexts())
			await context.close();
	}
	await browser.close();
	daemon.removeAllListeners('exit');
	daemon.kill();
	fs.rmSync(folder, { recursive: true });
	process.exit(failed ? 1 : 0);
})();
