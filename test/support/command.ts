import { stripVTControlCharacters } from "node:util";
import { vi } from "vitest";
import { runCommand } from "../../src/cli/program.js";
import type { CliResult } from "./cli.js";

const signal = new AbortController().signal;

/**
 * Runs `boundary` with these arguments in this process, which starts a hundred times faster than `runCli`, without colours. For
 * commands that neither take the process with them nor read its standard input.
 */
export async function callCli(args: readonly string[]): Promise<CliResult> {
  let [stdout, stderr] = ["", ""];
  const out = vi.spyOn(process.stdout, "write").mockImplementation((text) => Boolean((stdout += String(text))));
  const err = vi.spyOn(process.stderr, "write").mockImplementation((text) => Boolean((stderr += String(text))));
  const before = process.exitCode;
  process.exitCode = undefined;
  let code: number;
  try {
    code = (await runCommand(args, signal, () => 130)) ?? exitCodeLeft();
  } finally {
    process.exitCode = before;
    out.mockRestore();
    err.mockRestore();
  }
  return { code, stdout: stripVTControlCharacters(stdout), stderr: stripVTControlCharacters(stderr) };
}

/** The exit code that a command left for the process, 0 where it left none. */
function exitCodeLeft(): number {
  return Number(process.exitCode ?? 0);
}
