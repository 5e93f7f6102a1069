import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The built command line; `make test` builds before it tests. */
const entry = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `boundary` with these arguments, in a process group of its own. @param by another script that does so. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  by: readonly string[] = [entry],
): ChildProcess {
  return spawn(process.execPath, [...by, ...args], { env: { ...process.env, NO_COLOR: "1", ...env }, detached: true });
}

/** Runs `boundary` with these arguments to its end. */
export async function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return finished(startCli(args, env));
}

/** Waits for a started `boundary` and collects what it printed. */
export async function finished(child: ChildProcess): Promise<CliResult> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve) => {
    child.on("close", resolve);
  });
  return { code, stdout, stderr };
}

/** Ends a started `boundary` and everything it started, as `kill -9` or a power cut would. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
