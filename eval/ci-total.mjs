/**
 * The last line of a CI run: how many tests passed and how many tests or steps failed, from vitest's JSON reports.
 * Usage: node eval/ci-total.mjs FAILED_STEPS REPORT.json [REPORT.json ...]
 */
import { readFileSync } from "node:fs";

const [failedSteps = "0", ...paths] = process.argv.slice(2);
const reports = [];
let missing = 0;
for (const path of paths) {
  try {
    reports.push(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    console.error(`no test report: ${error.message}`);
    missing += 1;
  }
}
const sum = (key) => reports.reduce((total, report) => total + report[key], 0);
const failed = sum("numFailedTests") + Number(failedSteps) + missing;
console.log(`${sum("numPassedTests")} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
