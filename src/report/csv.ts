import { endsOf } from "./ends.js";
import type { RunReport } from "./report-input.js";
import { candidateCell } from "./subject.js";

const COLUMNS = [
  "run",
  "boundary",
  "boundaries",
  "role",
  "kept_modules",
  "adapter_bytes",
  "part",
  "group",
  "metric",
  "value",
  "low",
  "high",
  "interval",
  "n",
  "signature",
  "mean_tokens",
  "prefill_tokens_per_second",
  "decode_tokens_per_second",
] as const;

type Row = Partial<Record<(typeof COLUMNS)[number], string | number>>;

/**
 * The numbers of one or more runs as CSV (RFC 4180, with a head): a row for each candidate, part and metric, scores 0-100 with their 95 %
 * interval; then one for each group, without interval. Numbers are as they are in result.json, not rounded.
 */
export function reportCsv(reports: readonly Pick<RunReport, "name" | "result">[]): string {
  const rows = reports.flatMap((report) => rowsOf(report));
  const lines = [COLUMNS.join(","), ...rows.map((row) => COLUMNS.map((column) => cell(row[column])).join(","))];
  return lines.map((line) => `${line}\r\n`).join("");
}

function rowsOf({ name, result }: Pick<RunReport, "name" | "result">): Row[] {
  const roles = new Map(endsOf(result).map(({ candidate, role }) => [candidate, role]));
  return result.candidates.flatMap((candidate) =>
    (["selection", "holdout"] as const).flatMap((part): Row[] => {
      const own = candidate[part];
      if (!own) return [];
      const speed = result.timings.speeds.find((row) => row.boundary === candidate.boundary);
      const common: Row = {
        run: name,
        boundary: candidate.boundary,
        boundaries: candidateCell(candidate),
        role: roles.get(candidate) ?? "",
        kept_modules: candidate.keptModules,
        adapter_bytes: candidate.bytes,
        part,
        mean_tokens: own.answers.meanTokens,
        ...(speed
          ? {
              prefill_tokens_per_second: speed.prefillTokensPerSecond,
              decode_tokens_per_second: speed.decodeTokensPerSecond,
            }
          : {}),
      };
      const whole = Object.entries(own.scores).map(([metric, { method, ...score }]): Row => ({
        ...common,
        metric,
        ...score,
        interval: method,
      }));
      const groups = Object.entries(own.groups).flatMap(([group, scores]) =>
        Object.entries(scores).map(([metric, { value, n }]): Row => ({ ...common, group, metric, value, n })),
      );
      return [...whole, ...groups];
    }),
  );
}

function cell(value: string | number | undefined): string {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
