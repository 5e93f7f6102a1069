import { mkdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { HashedAdapter } from "../../adapter/adapter.js";
import type { HashedBaseModel } from "../../adapter/base-model.js";
import type { EngineInfo } from "../../engine/engine.js";
import { writeTextAtomic } from "../../files/atomic-file.js";
import { digest } from "../../files/digest.js";
import { stableJson } from "../../files/stable-json.js";

/** Raised whenever the check finds out more or other things than before. */
const CHECK = 1;

const schema = z.strictObject({ withoutEffect: z.array(z.string()) });

/**
 * What was found out about one adapter on one model and engine, in a file of the user's cache folder that is named by the hashes of both. It
 * only saves time: a file that cannot be read or written is as good as none.
 */
export class EffectCache {
  private constructor(private readonly path: string) {}

  static of(info: EngineInfo, adapter: HashedAdapter, model: HashedBaseModel): EffectCache {
    const { backend, gpuLayers, llamaCpp, nodeLlamaCpp } = info;
    const engine = { backend, gpuLayers, llamaCpp, nodeLlamaCpp };
    const key = digest(stableJson({ check: CHECK, engine, adapter: adapter.sha256, model: model.sha256 }));
    const cache = process.env["XDG_CACHE_HOME"];
    const folder = cache === undefined || cache === "" ? join(homedir(), ".cache") : cache;
    return new EffectCache(join(folder, "boundary", "effects", `${key}.json`));
  }

  /** Names of the modules that the engine does nothing with; undefined where it was not found out yet. */
  async read(): Promise<ReadonlySet<string> | undefined> {
    try {
      return new Set(schema.parse(JSON.parse(await readFile(this.path, "utf8"))).withoutEffect);
    } catch {
      return undefined;
    }
  }

  async write(names: ReadonlySet<string>): Promise<void> {
    try {
      await mkdir(dirname(this.path), { recursive: true });
      await writeTextAtomic(this.path, stableJson({ withoutEffect: [...names].sort() }));
    } catch {
      // The next call finds it out again.
    }
  }
}
