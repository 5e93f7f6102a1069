/** Changes to files that upset readers: bytes, tokens and lines, all drawn from one seed. */
import { seededRandom } from "../bench/seeded-random.mjs";

/** Draws of whole numbers and of items, the same ones for the same seed. */
export function draws(seed) {
  const random = seededRandom(seed);
  const below = (limit) => Math.floor(random() * limit);
  return { below, pick: (items) => items[below(items.length)] };
}

const BAD_BYTES = [
  0, 1, 7, 9, 0x0a, 0x1b, 0x22, 0x2c, 0x2d, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xc0, 0xfe, 0xff,
];
const BAD_WORDS = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 40n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** One to six changes within the first `header` bytes: flips, limits as 64-bit words, pieces cut out, doubled and moved; sometimes the end is cut off. */
export function mutateBytes(source, header, { below, pick }) {
  let bytes = Buffer.from(source);
  for (let changes = 1 + below(6); changes > 0 && bytes.length > 32; changes--) {
    const at = below(Math.min(header, bytes.length - 8));
    const piece = bytes.subarray(at, at + 1 + below(24));
    const kind = below(9);
    if (kind < 3) bytes[at] ^= 1 << below(8);
    else if (kind === 3) bytes[at] = pick(BAD_BYTES);
    else if (kind === 4) bytes.writeBigUInt64LE(pick(BAD_WORDS), at);
    else if (kind === 5) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + piece.length)]);
    else if (kind === 6) bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    else if (kind === 7) piece.copy(bytes, below(Math.min(header, bytes.length - 8)));
    else bytes = bytes.subarray(0, below(bytes.length));
  }
  return bytes;
}

const EXPRESSIONS = [
  "([a-z_0-9.]+)+!",
  "(a|a)*b",
  "^(?!.*x).*proj$",
  "(?i)Q_PROJ",
  "(?P<n>q)",
  "(",
  "\\\\_",
  "(?(1)a|b)",
  "(.*)*\\\\1",
];

const JSON_TOKENS = [
  ...["{", "}", "[", "]", ",", ":", '"', "\\", "null", "true", "0", "-0", "1.5", "1e999", "NaN", "9007199254740993"],
  ...['""', '"\\ud800"', '"\\u001b[2J"', '"__proto__"', '"constructor"', '"../x"', '"/dev/zero"', '"q_proj"', "\u0000"],
  ...["\u001b[31m", "\u202e", "\u2028", "\ufeff", "👩‍👩‍👧", " ", "\n", "\r", "//", "[".repeat(5000), '{"a":'.repeat(5000)],
  ...EXPRESSIONS.map((expression) => `"${expression}"`),
  `"${"a".repeat(5000)}"`,
  "1".repeat(400),
];

const TEXT_TOKENS = [
  ...["*a", "&a", "*nope", "!!binary", "!x", "---", "...", "<<: *a", "? ", "- ", ": ", "#", "|", ">", "%YAML 9", "\t"],
  ...["&a [*a,*a]", "{{", "}}", "{%", "%}", "{% for i in range(999999999) %}{% endfor %}", "{{ x.y.z }}", "{{ 1/0 }}"],
  ...[
    "{% for a in x %}",
    "{% endfor %}",
    "{% if %}",
    "{{ question|foo }}",
    "{{ range(99999999)|join }}",
    "{% set x = x %}",
  ],
];

/** One to four tokens replaced, inserted, dropped, doubled or swapped: of JSON, or of YAML and templates. */
export function mutateText(source, { below, pick }, isJson) {
  const hostile = isJson ? JSON_TOKENS : [...JSON_TOKENS, ...TEXT_TOKENS];
  const tokens = source.match(/"(?:[^"\\]|\\.)*"|[\w.+-]+|\s+|./gsu) ?? [];
  for (let changes = 1 + below(4); changes > 0; changes--) {
    const at = below(tokens.length);
    const kind = below(6);
    if (kind < 2) tokens[at] = pick(hostile);
    else if (kind === 2) tokens.splice(at, 0, pick(hostile));
    else if (kind === 3) tokens.splice(at, 1 + below(3));
    else if (kind === 4) tokens.splice(at, 0, ...tokens.slice(at, at + 8));
    else tokens[at] = pick(tokens);
  }
  return tokens.join("");
}
