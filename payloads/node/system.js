// Files, processes, sockets, threads, timers and signals.
'use strict';
const { once } = require('events');
const { spawn, fork, execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');
const os = require('os');
const path = require('path');
const { pipeline } = require('stream/promises');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

async function files() {
  const folder = fs.mkdtempSync(path.join(process.cwd(), 'files-'));
  const name = path.join(folder, 'numbers');
  const out = fs.createWriteStream(name);
  for (let i = 0; i < 20_000; i++) if (!out.write(`${i} ${i * i}\n`)) await once(out, 'drain');
  out.end();
  await once(out, 'finish');
  let sum = 0;
  for await (const line of require('readline').createInterface({ input: fs.createReadStream(name) }))
    sum += Number(line.split(' ')[1]);
  console.log((await fs.promises.stat(name)).size, sum);
  await Promise.all(Array.from({ length: 50 }, (_, i) => fs.promises.writeFile(path.join(folder, `f${i}`), String(i))));
  console.log((await fs.promises.readdir(folder)).length);
  fs.symlinkSync('numbers', path.join(folder, 'link'));
  console.log(fs.readlinkSync(path.join(folder, 'link')), fs.realpathSync(path.join(folder, 'link')) === name);
  const watcher = fs.watch(folder);
  setTimeout(() => fs.writeFileSync(path.join(folder, 'new'), ''), 20);
  const [, changed] = await once(watcher, 'change');
  watcher.close();
  console.log('changed', changed);
  console.log(await fs.promises.open(path.join(folder, 'missing')).catch((error) => error.code));
  fs.rmSync(folder, { recursive: true });
}

async function processes() {
  const child = spawn('sh', ['-c', 'cat; echo "to errors" >&2; exit 3']);
  child.stdin.end('through a pipe\n'.repeat(10_000));
  let bytes = 0;
  child.stdout.on('data', (data) => { bytes += data.length; });
  const [code] = await once(child, 'close');
  console.log(bytes, code);
  const other = fork(__filename, ['answer']);
  other.send({ question: 6, list: [1, 'two', null] });
  const exit = once(other, 'exit');
  console.log(...await once(other, 'message'), (await exit)[0]);
  console.log(execFileSync(process.execPath, ['-p', '6 * 7']).toString().trim());
  const killed = spawnSync('sleep', ['100'], { timeout: 100, killSignal: 'SIGKILL' });
  console.log(killed.signal, killed.error.code);
  console.log(spawnSync('/no/such/program').error.code);
  // Waiting for a signal does not keep a program running.
  const alive = setInterval(() => {}, 1000);
  const heard = once(process, 'SIGUSR2');
  process.kill(process.pid, 'SIGUSR2');
  console.log(...await heard);
  clearInterval(alive);
}

async function network() {
  const server = http.createServer(async (request, response) => {
    let length = 0;
    for await (const data of request) length += data.length;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ method: request.method, url: request.url, length }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${server.address().port}`;
  const answers = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
    const answer = await fetch(`${base}/${i}`, { method: 'POST', body: 'x'.repeat(i * 1000) });
    return (await answer.json()).length;
  }));
  console.log('answers', answers.length, answers.reduce((a, b) => a + b));
  server.close();
  server.closeAllConnections();

  const echo = net.createServer((socket) => socket.pipe(socket));
  const name = path.join(process.cwd(), 'socket');
  echo.listen(name);
  await once(echo, 'listening');
  const client = net.connect(name);
  const got = [];
  const reading = pipeline(client, async (stream) => { for await (const data of stream) got.push(data); }).catch(() => {});
  client.end('a text '.repeat(30_000));
  await reading;
  console.log(Buffer.concat(got).length);
  echo.close();
}

async function threads() {
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const workers = Array.from({ length: 4 }, (_, me) => new Worker(__filename, { workerData: { shared, me } }));
  const exits = Promise.all(workers.map((worker) => once(worker, 'exit')));
  const sums = await Promise.all(workers.map((worker) => once(worker, 'message')));
  console.log(sums.flat().join(' '), shared[0]);
  console.log((await exits).flat().join(' '));
  const failing = new Worker('throw new RangeError("in a thread")', { eval: true });
  const [error] = await once(failing, 'error');
  console.log(error.name, error.message);
}

async function timers() {
  const order = [];
  const begun = process.hrtime.bigint();
  setTimeout(() => order.push('soon'), 1);
  process.nextTick(() => order.push('tick'));
  Promise.resolve().then(() => order.push('promise'));
  await new Promise((done) => setTimeout(done, 80));
  let ticks = 0;
  await new Promise((done) => {
    const interval = setInterval(() => { if (++ticks === 5) done(clearInterval(interval)); }, 5);
  });
  // The loop's own clock is some milliseconds behind.
  console.log(order.join(), ticks, process.hrtime.bigint() - begun >= 80_000_000n);
}

async function main() {
  for (const check of [files, processes, network, threads, timers]) {
    console.log('--', check.name);
    await check();
  }
  console.log(os.cpus().length > 0, process.memoryUsage().rss > 1e6, process.resourceUsage().userCPUTime > 0);
  process.exitCode = 4;
}

if (!isMainThread) {
  const { shared, me } = workerData;
  let sum = 0;
  for (let i = 0; i < 100_000; i++) {
    sum += i % (me + 2);
    if (i % 100 === 0) Atomics.add(shared, 0, 1);
  }
  parentPort.postMessage(sum);
} else if (process.argv[2] === 'answer') {
  process.once('message', (message) => {
    process.send({ answer: message.question * 7, list: message.list });
    process.disconnect();
    process.exitCode = 9;
  });
} else {
  main();
}
