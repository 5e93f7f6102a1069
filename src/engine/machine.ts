import { readFileSync } from "node:fs";
import { availableParallelism, freemem, totalmem } from "node:os";

/** Cores that this process may really use: its CPU affinity and, inside a container, its CPU quota (rounded down, at least 1). */
export function usableCores(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(cpuQuota() ?? Number.POSITIVE_INFINITY)));
}

/** CPU quota of the control group in cores, or undefined where there is none. Source: cgroup-v2.rst cpu.max; cgroup-v1 cpu.cfs_quota_us. */
export function cpuQuota(): number | undefined {
  const [quota, period] = (readText("/sys/fs/cgroup/cpu.max") ?? "").trim().split(" ").map(Number);
  if (quota !== undefined && period !== undefined && quota > 0 && period > 0) return quota / period;
  const quotaV1 = readNumber("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const periodV1 = readNumber("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  return quotaV1 !== undefined && periodV1 !== undefined && quotaV1 > 0 && periodV1 > 0
    ? quotaV1 / periodV1
    : undefined;
}

/** Memory limit of the control group in bytes, or undefined where there is none. */
export function memoryLimit(): number | undefined {
  const limit = readNumber("/sys/fs/cgroup/memory.max") ?? readNumber("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  return limit !== undefined && limit < totalmem() ? limit : undefined;
}

/** Bytes that can still be allocated without swapping: what the system has, and what the container's limit leaves. */
export function availableMemory(): number {
  const meminfo = /^MemAvailable:\s+(\d+) kB/m.exec(readText("/proc/meminfo") ?? "")?.[1];
  const system = meminfo === undefined ? freemem() : Number(meminfo) * 1024;
  const limit = memoryLimit();
  if (limit === undefined) return system;
  const used =
    readNumber("/sys/fs/cgroup/memory.current") ?? readNumber("/sys/fs/cgroup/memory/memory.usage_in_bytes") ?? 0;
  // The file cache counts as used but can be taken back.
  const cache = /^inactive_file (\d+)/m.exec(readText("/sys/fs/cgroup/memory.stat") ?? "")?.[1];
  return Math.max(0, Math.min(system, limit - used + Number(cache ?? 0)));
}

function readNumber(path: string): number | undefined {
  const text = readText(path)?.trim();
  const value = text === undefined || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
