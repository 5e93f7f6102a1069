// How often do tests of paired right and wrong answers reject where there is no difference? Exact: every outcome is weighed by its probability.
//
//   node eval/simulation/paired-tests.mjs > eval/results/paired-tests.md
import { binomialFrom, normalCdf } from "../../dist/statistics/distributions.js";
import { exactMcNemar } from "../../dist/statistics/paired-tests.js";

const SIZES = [10, 20, 30, 50, 85, 100, 200, 400];
/** Shares of the samples that differ. */
const SHARES = Array.from({ length: 100 }, (_, i) => (i + 1) / 100);
const LEVEL = 0.05;

const exactly = (wins, tries, share) => binomialFrom(wins, tries, share) - binomialFrom(wins + 1, tries, share);
/** Two-sided p of so many wins among those that differ. */
const TESTS = {
  "exact McNemar": (wins, differ) => exactMcNemar(wins, differ - wins),
  "McNemar mid-p": (wins, differ) => {
    return 2 * wins === differ ? 1 : exactMcNemar(wins, differ - wins) - exactly(wins, differ, 0.5);
  },
  "Tango's score test": (wins, differ) => {
    return differ === 0 ? 1 : 2 * normalCdf(-Math.abs(2 * wins - differ) / Math.sqrt(differ));
  },
};

const rows = SIZES.map((samples) => {
  const sizes = Object.values(TESTS).map((test) => {
    const rejects = Array.from({ length: samples + 1 }, (_, differ) => {
      let sum = 0;
      for (let wins = 0; wins <= differ; wins++) {
        if (test(wins, differ) < LEVEL) sum += exactly(wins, differ, 0.5);
      }
      return sum;
    });
    const worst = SHARES.map((share) => {
      return rejects.reduce((sum, rejected, differ) => sum + rejected * exactly(differ, samples, share), 0);
    });
    return `${(100 * Math.max(...worst)).toFixed(1)} %`;
  });
  return [samples, ...sizes];
});
const small = [3, 4, 5, 6, 7, 8].map((better) => {
  return [`${better} : 0`, ...Object.values(TESTS).map((test) => test(better, better).toFixed(4))];
});

const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (head, body) => [row(head), row(head.map(() => "---")), ...body.map(row), ""];
process.stdout.write(
  [
    "# Tests of paired right and wrong answers",
    "",
    "```",
    "node eval/simulation/paired-tests.mjs > eval/results/paired-tests.md",
    "```",
    "",
    "How often each test rejects at 5 %, two-sided, where nothing is better: the largest probability over shares of 1 to 100 % of samples that differ. Exact, no draws.",
    "",
    ...table(["samples", ...Object.keys(TESTS)], rows),
    "The p of a few samples that all change for the better:",
    "",
    ...table(["better : worse", ...Object.keys(TESTS)], small),
  ].join("\n"),
);
