import { UsageError } from "../errors.js";
import type { GgufMetadata, GgufValue } from "../formats/gguf-value.js";
import { version } from "../version.js";
import type { Adapter } from "./adapter.js";
import { moduleBytes } from "./adapter.js";
import type { Mask } from "./mask.js";
import { writeModules } from "./write-adapter.js";

/** Prefix of the metadata keys that tell where a trimmed adapter came from. */
const PREFIX = "boundary.";

/** Stands in the header, as long as a hash is, until the hash is known. */
const UNKNOWN_SHA256 = "0".repeat(64);

/** Where a trimmed adapter came from; all of it is written into the file. */
export interface Provenance {
  /** Lower-case hex SHA-256 of what it was trimmed from; a promise of it is awaited while the tensors are written. */
  readonly sourceSha256: string | Promise<string>;
  /** Boundary K, where a boundary decided what is kept. */
  readonly boundary: number | undefined;
  /** L of the base model, where it is known. */
  readonly layers?: number;
  /** The call that made it, with home folders and secrets redacted. */
  readonly command: string;
  /** Scores that the choice rests on, as JSON. */
  readonly scores?: string;
}

/** What trimming kept. Bytes are those of the tensors' data. */
export interface TrimReport {
  readonly keptModules: number;
  readonly droppedModules: number;
  readonly keptBytes: number;
  readonly droppedBytes: number;
}

/**
 * Writes the adapter without the modules that the mask drops. Lossless: kept tensors keep their bytes, type and order, but for a B that the mask
 * scales by other than 1.
 * @throws UsageError when the mask keeps nothing: no adapter is needed then. FileError when the target exists and `overwrite` is false.
 */
export async function trimAdapter(
  adapter: Adapter,
  mask: Mask,
  path: string,
  provenance: Provenance,
  { overwrite }: { overwrite: boolean },
): Promise<TrimReport> {
  const kept = adapter.modules.filter((module) => mask.has(module.name));
  const dropped = adapter.modules.filter((module) => !mask.has(module.name));
  assertAnyKept(kept);
  const metadata = (hash: string): GgufMetadata =>
    trimmedMetadata(adapter.metadata, { ...provenance, sourceSha256: hash, mask: keptNames(kept, mask) });
  const { sourceSha256 } = provenance;
  if (typeof sourceSha256 === "string") {
    await writeModules(adapter, kept, path, metadata(sourceSha256), { overwrite, scales: mask });
  } else {
    const late = sourceSha256.then(metadata);
    // If writing fails first, nobody awaits it any more.
    late.catch(() => undefined);
    await writeModules(adapter, kept, path, metadata(UNKNOWN_SHA256), { overwrite, late, scales: mask });
  }
  return {
    keptModules: kept.length,
    droppedModules: dropped.length,
    keptBytes: kept.reduce((sum, module) => sum + moduleBytes(module), 0),
    droppedBytes: dropped.reduce((sum, module) => sum + moduleBytes(module), 0),
  };
}

/** @throws UsageError when nothing is kept. */
export function assertAnyKept(kept: readonly unknown[]): void {
  if (kept.length > 0) return;
  throw new UsageError({
    what: "nothing of the adapter is kept, so there is no adapter to write",
    fix: "Use the base model without an adapter, or keep more layers.",
  });
}

/** The kept modules in a line: each module's name, with its scale where that is not 1, and its layers. */
function keptNames(kept: Adapter["modules"], mask: Mask): string {
  const layers = new Map<string, string[]>();
  for (const { name, module, layer } of kept) {
    const scale = mask.get(name) ?? 1;
    const key = scale === 1 ? module : `${module}*${scale}`;
    layers.set(key, [...(layers.get(key) ?? []), ...(layer === undefined ? [] : [String(layer)])]);
  }
  return [...layers].map(([module, numbers]) => `${module}:${numbers.join(",")}`).join(" ");
}

function trimmedMetadata(
  source: GgufMetadata,
  provenance: Provenance & { readonly sourceSha256: string; readonly mask: string },
): GgufMetadata {
  const provenanceKeys: Record<string, GgufValue> = {
    ...(provenance.boundary === undefined ? {} : { boundary: { type: "uint32", value: provenance.boundary } }),
    ...(provenance.layers === undefined ? {} : { layers: { type: "uint32", value: provenance.layers } }),
    mask: { type: "string", value: provenance.mask },
    command: { type: "string", value: provenance.command },
    "source.sha256": { type: "string", value: provenance.sourceSha256 },
    version: { type: "string", value: version },
    ...(provenance.scores === undefined ? {} : { scores: { type: "string", value: provenance.scores } }),
  };
  const rest = [...source].filter(([key]) => !key.startsWith(PREFIX));
  return new Map([
    ...rest,
    ...Object.entries(provenanceKeys).map(([key, value]) => [`${PREFIX}${key}`, value] as const),
  ]);
}
