import { gib } from "../files/gib.js";
import { Command } from "commander";
import { availableParallelism, cpus, totalmem } from "node:os";
import { paint } from "../report/paint.js";
import type { BackendInfo, GpuChoice } from "../engine/engine.js";
import { availableMemory, cpuQuota, memoryLimit, usableCores } from "../engine/machine.js";
import { probeBackend } from "../engine/process-engine.js";
import { BoundaryError } from "../errors.js";
import { stableJson } from "../files/stable-json.js";
import { version } from "../version.js";
import { print } from "./output.js";

type Probe =
  { readonly gpu: GpuChoice; readonly info: BackendInfo } | { readonly gpu: GpuChoice; readonly problem: string };

/** `boundary doctor`: what is here and what would be used. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("versions, backends, cores, memory, and what a sweep would use")
    .option("--json", "one JSON document on stdout, nothing else")
    .action(async ({ json }: { json?: boolean }) => {
      const backends: GpuChoice[] = process.platform === "darwin" ? ["metal", "off"] : ["cuda", "vulkan", "off"];
      const probes: Probe[] = [];
      for (const gpu of backends) probes.push(await probe(gpu));
      const chosen = await probe("auto");
      const facts = {
        backends: probes,
        cores: coreFacts(),
        memory: memoryFacts(),
        used: usedFacts(chosen),
        versions: versions(chosen),
      };
      print(json ? stableJson(facts) : `${asText(facts)}\n`);
      if ("problem" in chosen) process.exitCode = 1;
    });
}

async function probe(gpu: GpuChoice): Promise<Probe> {
  try {
    return { gpu, info: await probeBackend(gpu) };
  } catch (error) {
    if (!(error instanceof BoundaryError)) throw error;
    return { gpu, problem: error.parts.actual ?? error.message };
  }
}

function versions(chosen: Probe): Record<string, string> {
  const engine = "info" in chosen ? { llamaCpp: chosen.info.llamaCpp, nodeLlamaCpp: chosen.info.nodeLlamaCpp } : {};
  return { boundary: version, node: process.version, platform: `${process.platform} ${process.arch}`, ...engine };
}

function coreFacts(): Record<string, number | null> {
  return {
    machine: cpus().length,
    allowed: availableParallelism(),
    containerQuota: cpuQuota() ?? null,
    usable: usableCores(),
  };
}

function memoryFacts(): Record<string, number | null> {
  return { total: totalmem(), containerLimit: memoryLimit() ?? null, available: availableMemory() };
}

function usedFacts(chosen: Probe): { backend: string; threads: number; devices: readonly string[] } {
  if ("problem" in chosen) return { backend: "none", threads: 0, devices: [] };
  const { backend, devices, mathCores } = chosen.info;
  return { backend, threads: Math.max(1, Math.min(mathCores, usableCores())), devices };
}

interface Facts {
  readonly backends: readonly Probe[];
  readonly cores: Record<string, number | null>;
  readonly memory: Record<string, number | null>;
  readonly used: ReturnType<typeof usedFacts>;
  readonly versions: Record<string, string>;
}

function asText({ backends, cores, memory, used, versions: known }: Facts): string {
  const amount = (bytes: number | null | undefined): string => (typeof bytes === "number" ? gib(bytes) : "none");
  const backendLines = backends.map((backend) => {
    const name = (backend.gpu === "off" ? "cpu" : backend.gpu).padEnd(8);
    if ("problem" in backend) return `  ${name} ${paint.yellow("not here")}`;
    const { devices, gpuMemory } = backend.info;
    return `  ${name} ${paint.green("works")}${devices.length > 0 ? `: ${devices.join(", ")}, ${amount(gpuMemory)}` : ""}`;
  });
  return [
    "versions",
    ...Object.entries(known).map(([name, value]) => `  ${name.padEnd(14)} ${value}`),
    "cores",
    `  machine        ${cores["machine"] ?? "?"}`,
    `  allowed        ${cores["allowed"] ?? "?"} (CPU affinity)`,
    `  container      ${cores["containerQuota"] ?? "no quota"}`,
    "memory",
    `  total          ${amount(memory["total"])}`,
    `  container      ${memory["containerLimit"] === null ? "no limit" : amount(memory["containerLimit"])}`,
    `  available      ${amount(memory["available"])}`,
    "backends",
    ...backendLines,
    "a sweep would use",
    `  backend        ${used.backend}${used.devices.length > 0 ? ` (${used.devices.join(", ")})` : ""}`,
    `  threads        ${used.threads}`,
  ].join("\n");
}
