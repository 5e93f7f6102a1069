// Compares a sweep's answers at one boundary with those of node-llama-cpp-alone.mjs, output for output.
//
//   node eval/reference/compare.mjs RUN/outputs.jsonl BOUNDARY rows.jsonl
import { readFileSync } from "node:fs";

const [outputs, boundary, reference] = process.argv.slice(2);
const rows = (path) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
const expected = new Map(rows(reference).map((row) => [row.sampleId, row]));
const seen = rows(outputs).filter((row) => row.boundary === Number(boundary));
const differing = seen.filter((row) => row.output !== expected.get(row.sampleId)?.output);
for (const row of differing)
  console.log(
    JSON.stringify({ sampleId: row.sampleId, sweep: row.output, reference: expected.get(row.sampleId)?.output }),
  );
console.log(`K=${boundary}: ${seen.length - differing.length} of ${seen.length} outputs equal`);
process.exitCode = differing.length === 0 && seen.length > 0 ? 0 : 1;
