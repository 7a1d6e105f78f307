// What the compiler makes code for: numbers, objects that change their shape,
// regular expressions, big integers, WebAssembly, garbage.
'use strict';

function sieve(limit) {
  const composite = new Uint8Array(limit);
  let count = 0;
  for (let n = 2; n < limit; n++) {
    if (composite[n]) continue;
    count++;
    for (let m = n * n; m < limit; m += n) composite[m] = 1;
  }
  return count;
}
console.log('primes', sieve(2_000_000));

// Compiled for one kind of argument, thrown away for another.
function add(a, b) { return a.x + b.x; }
let sum = 0;
for (let i = 0; i < 300_000; i++) sum += add({ x: i }, { x: 1 });
console.log(sum, add({ y: 1, x: 'text ' }, { x: 1n }), add({ x: 0.5 }, { x: [2] }));

let fibonacci = [0n, 1n];
for (let i = 0; i < 3000; i++) fibonacci = [fibonacci[1], fibonacci[0] + fibonacci[1]];
console.log(String(fibonacci[0]).length, String(fibonacci[0] % 1_000_000_007n));

const text = 'the quick brown fox jumps over the lazy dog '.repeat(2000);
console.log(text.match(/(?<=o)\w(?=\s)/g)?.length, text.replace(/\b(\w)(\w*)\b/gu, '$2$1').length);

// A module with one function, `factorial` of a 64-bit number, that calls itself.
const wasm = new WebAssembly.Module(Buffer.from(
  '0061736d0100000001060160017e017e03020100070d0109666163746f7269616c0000' +
  '0a17011500200050047e4201052000200042017d10007e0b0b', 'hex'));
console.log('factorial', new WebAssembly.Instance(wasm).exports.factorial(20n));

let kept = [];
for (let i = 0; i < 400; i++) {
  kept.push(Array.from({ length: 1000 }, (_, n) => ({ n, name: 'item ' + n })));
  if (kept.length > 20) kept = kept.slice(10);
}
console.log('kept', kept.length, kept.flat().reduce((total, item) => total + item.n, 0));

const { createHash, pbkdf2Sync, createCipheriv } = require('crypto');
const zlib = require('zlib');
console.log(createHash('sha256').update(text).digest('hex').slice(0, 16));
console.log(pbkdf2Sync('word', 'salt', 1000, 16, 'sha512').toString('hex'));
const cipher = createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12));
console.log(cipher.update('sixteen letters.', 'utf8', 'hex') + cipher.final('hex'));
console.log(zlib.gunzipSync(zlib.gzipSync(text)).toString() === text,
  zlib.brotliDecompressSync(zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } })).length);

function deep(n) { return deep(n + 1) + 1; }
try {
  deep(0);
} catch (error) {
  console.log(error.constructor.name, error.message);
}
