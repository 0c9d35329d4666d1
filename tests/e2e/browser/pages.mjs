// Opens pages of attackers in a real Chromium and lets each send a request to a server on loopback in another way. Every
// attack is also made on a server without protection, which shows that it works in this browser.
//
// Prints a JSON object: for each attack, whether it reached the unprotected server and what the page could read of the
// protected one. Arguments: the origin of the server, the origin of its admin API, and the port of a server with an empty
// page, whose origin with the name `chat.test` the server allows.

import http from 'node:http';
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';

const [server, admin, pages] = process.argv.slice(2);
const body = JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: 'spend' }] });
// A page waits so long for an answer, in milliseconds: on a busy machine a browser needs seconds.
const PAGE_TIMEOUT = 10_000;

const listen = (handler) =>
  new Promise((resolve) => {
    const listener = http.createServer(handler);
    listener.listen(0, '127.0.0.1', () => resolve(listener));
  });

// A server that serves every request, as a proxy without protection does.
let reached = [];
const unprotected = await listen((request, response) => {
  let text = '';
  request.on('data', (piece) => (text += piece));
  request.on('end', () => {
    if (request.method !== 'OPTIONS') reached.push(`${request.method} ${text}`);
    response.end('{}');
  });
});

// Runs in a page. Returns what the page could read: a status, `opaque`, or why it failed.
const attacks = {
  fetchText: (url, body) => fetch(url, { method: 'POST', mode: 'no-cors', body }).then((it) => it.type),
  fetchJson: (url, body) =>
    fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).then((it) => `${it.status}`),
  fetchWithCredentials: (url, body) =>
    fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body }).then((it) => it.type),
  beacon: async (url, body) => `${navigator.sendBeacon(url, body)}`,
  blob: (url, body) =>
    fetch(url, { method: 'POST', mode: 'no-cors', body: new Blob([body]) }).then((it) => it.type),
  form: (url, body, encoding = 'text/plain') =>
    new Promise((resolve) => {
      // A form joins name and value by `=`. Here that is inside of a string of the JSON text.
      const frame = document.createElement('iframe');
      frame.name = `target-${document.forms.length}`;
      const form = document.createElement('form');
      Object.assign(form, { method: 'POST', action: url, enctype: encoding, target: frame.name });
      const field = document.createElement('input');
      field.name = `${body.slice(0, -1)},"pad":"`;
      field.value = '"}';
      form.append(field);
      document.body.append(frame, form);
      frame.onload = () => resolve('loaded');
      form.submit();
    }),
  multipartForm: (url, body) => attack('form', url, body, 'multipart/form-data'),
  image: (url) =>
    new Promise((resolve) => {
      const image = new Image();
      image.onload = image.onerror = () => resolve('ended');
      image.src = url;
    }),
};

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(),
  // Not the arguments that the package proposes: those switch off what a browser protects.
  // Only Chromium asks before a page may reach this machine; without that, it does what every browser does.
  args: [
    '--no-sandbox',
    '--disable-dev-shm-usage',
    `--host-resolver-rules=MAP admin.test ${new URL(admin).hostname}, MAP *.test 127.0.0.1`,
    '--disable-features=LocalNetworkAccessChecks',
  ],
  headless: 'shell',
});

// Opens a page. With `rebinds`, the browser believes that it came from there; the name leads to this machine then.
async function open(url, rebinds) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PAGE_TIMEOUT);
  if (rebinds) {
    await page.setRequestInterception(true);
    page.once('request', (request) => {
      request.respond({ contentType: 'text/html', body: '<!doctype html>' });
      page.on('request', (later) => later.continue());
    });
  }
  await page.goto(url);
  const code = Object.entries(attacks).map(([name, run]) => `${name}: ${run}`);
  await page.evaluate(`globalThis.attacks = {${code.join(',')}};
    globalThis.attack = (name, ...given) =>
      Promise.race([
        attacks[name](...given),
        new Promise((resolve) => setTimeout(() => resolve('no answer'), ${PAGE_TIMEOUT})),
      ]).catch((error) => 'failed: ' + error.message);`);
  return page;
}

async function run(page, name, url) {
  return page.evaluate((name, url, body) => attack(name, url, body), name, url, body);
}

const found = {};
const chat = '/v1/chat/completions';
const open_origin = `http://127.0.0.1:${unprotected.address().port}`;
const foreign = { crossSite: `http://evil.test:${pages}/`, samePlace: `http://127.0.0.1:${pages}/` };
for (const [from, url] of Object.entries(foreign)) {
  for (const name of Object.keys(attacks)) {
    reached = [];
    const first = await open(url);
    await run(first, name, open_origin + chat);
    await first.close();
    const second = await open(url);
    const read = await run(second, name, server + chat);
    const readAdmin = await run(second, name, `${admin}/admin/v1/credentials`);
    await second.close();
    found[`${from}.${name}`] = { works: reached.length > 0, read, readAdmin };
  }
}
for (const [name, target, path] of [
  ['rebind', server, chat],
  ['admin', admin, '/admin/v1/credentials'],
]) {
  const own = `http://${name}.test:${new URL(target).port}`;
  const page = await open(`${own}/`, true);
  found[`${name}.rebinding`] = { works: true, read: await run(page, 'fetchJson', own + path) };
  await page.close();
}
// A page that the operator allows.
const allowed = await open(`http://chat.test:${pages}/`);
found.allowed = { works: true, read: await run(allowed, 'fetchJson', server + chat) };
found.version = await browser.version();
await browser.close();
unprotected.closeAllConnections();
unprotected.close();
console.log(JSON.stringify(found));
