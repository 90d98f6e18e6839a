// SPDX-License-Identifier: Apache-2.0
// Starts Chromium, as playwright-core (found through NODE_PATH) drives it. Where either is missing the
// program that asks for this file ends with 77: skipped. CHROMIUM names another browser binary.
'use strict';
const fs = require('fs');

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
	'--disable-background-networking', '--disable-component-update', '--disable-sync'];
let chromium;

try {
	({ chromium } = require('playwright-core'));
	fs.accessSync(executablePath, fs.constants.X_OK);
} catch (error) {
	console.log('skipped: ' + error.message.split('\n')[0]);
	process.exit(77);
}

// A browser; options as playwright-core's launch takes them.
exports.launch = (options) => chromium.launch({ executablePath, args: flags, ...options });
