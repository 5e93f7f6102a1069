import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Clock ticks a second in /proc: 100 on every Linux that matters here (sysconf(_SC_CLK_TCK)). */
const TICKS = 100;

/** CPU seconds so far: of ended child processes with all below them, of this process, and of the whole machine. Undefined where there is no /proc. */
function cpuSeconds() {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    // proc(5), counted from the field after the name: utime, stime, cutime and cstime are 11 to 14.
    const [own, ownSystem, below, belowSystem] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 15)
      .map(Number);
    // user, nice, system, idle, iowait, irq, softirq
    const machine = /^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "utf8"))[1].split(" ").map(Number);
    const busy = machine[0] + machine[1] + machine[2] + machine[5] + machine[6];
    return { children: (below + belowSystem) / TICKS, own: (own + ownSystem) / TICKS, machine: busy / TICKS };
  } catch {
    return undefined;
  }
}

/**
 * Runs a process to its end.
 * @returns seconds from start to end, CPU seconds of it and all below it, and CPU seconds that the rest of the machine took meanwhile.
 * @throws where it fails.
 */
export function runProcess(command, args, env = {}) {
  const { UV_THREADPOOL_SIZE: _, ...inherited } = process.env;
  const before = cpuSeconds();
  const started = performance.now();
  const { status, stderr, error } = spawnSync(command, args, {
    env: { ...inherited, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 30,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const wallSeconds = (performance.now() - started) / 1e3;
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stderr.slice(-2000)}`);
  if (before === undefined) return { wallSeconds };
  const after = cpuSeconds();
  const spent = (of) => after[of] - before[of];
  const others = Math.max(0, spent("machine") - spent("children") - spent("own"));
  return { wallSeconds, cpuSeconds: spent("children"), othersCpuSeconds: others };
}
