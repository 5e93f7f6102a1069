import type { Redis } from "ioredis";
import type { GpuChoice } from "../engine/engine.js";
import { choiceOf } from "../engine/gpu-choice.js";
import { version } from "../version.js";
import type { ModelFingerprint } from "./fingerprint.js";
import { presentWorkers, type Announcement, type RefusedAnnouncement } from "./presence.js";
import type { Seal } from "./seal.js";

/** What a run asks of workers. */
export interface Wanted {
  readonly model: Pick<ModelFingerprint, "sampled" | "family"> & { readonly sha256: string };
  /** SHA-256 of the adapter. */
  readonly adapter: string;
  readonly gpu: GpuChoice;
  readonly gpuLayers: number | "auto" | "max";
  readonly threads?: number;
  /** Only workers that have read all of their model. */
  readonly fullHash: boolean;
  /** Other backends, processors and quantisations too. */
  readonly mixed: boolean;
}

/** A worker that may be asked. */
export interface ChosenWorker {
  readonly worker: Announcement;
  /** It may give other tokens than those of the run's own class. */
  readonly isOther: boolean;
}

/** Refusals that are told: whoever can write to Redis can announce any number of workers. */
const MOST_REFUSALS = 50;

/** Which of the workers that are there a run may ask. All must be of one class, that of most of them at the start: they give the same tokens. */
export class WorkerChoice {
  private first: Announcement | undefined;
  private readonly told = new Set<string>();
  /** Workers that sign with another key, or not at all: the last that was seen, if any. */
  unsealed: RefusedAnnouncement | undefined;

  constructor(
    private readonly redis: Redis,
    private readonly seal: Seal,
    private readonly wanted: Wanted,
    /** Told of each worker that may not be asked, and why, once. */
    private readonly onRefusal: (line: string) => void,
  ) {}

  /** A worker of the run's class: of that which most fitting workers are of, of equally many the first by name; undefined while none fits. */
  async leader(): Promise<Announcement | undefined> {
    if (this.first) return this.first;
    const classes = new Map<string, Announcement[]>();
    for (const worker of await this.present()) {
      const why = difference(worker, { ...this.wanted, mixed: false });
      if (why === undefined) classes.set(classOf(worker), [...(classes.get(classOf(worker)) ?? []), worker]);
      else if (!this.wanted.mixed) this.refuse(worker, why);
    }
    const [largest] = [...classes].sort(([a, own], [b, other]) => other.length - own.length || (a < b ? -1 : 1));
    this.first = largest?.[1][0];
    return this.first;
  }

  /** The workers that may be asked now. */
  async fitting(): Promise<ChosenWorker[]> {
    const first = await this.leader();
    if (!first) return [];
    const chosen: ChosenWorker[] = [];
    for (const worker of await this.present()) {
      const other = classDifference(worker, first);
      const why = difference(worker, this.wanted) ?? (this.wanted.mixed ? undefined : other);
      if (why === undefined) chosen.push({ worker, isOther: other !== undefined });
      else this.refuse(worker, why);
    }
    return chosen;
  }

  private async present(): Promise<Announcement[]> {
    this.unsealed = undefined;
    return presentWorkers(this.redis, this.seal, (refused) => {
      this.unsealed = refused;
      this.refuse(refused, `of what it says of itself: ${refused.why}`);
    });
  }

  private refuse({ name }: { readonly name: string }, why: string): void {
    const line = `worker ${name} gets no jobs: ${why}`;
    if (this.told.has(line) || this.told.size > MOST_REFUSALS) return;
    this.told.add(line);
    this.onRefusal(this.told.size > MOST_REFUSALS ? "more workers get no jobs; no more of them are named" : line);
  }
}

/** What all workers of a run have in common. */
export function classOf({ model, engine, logits }: Announcement): string {
  return JSON.stringify([model.sampled, Object.entries(engine).sort(), logits]);
}

/** How a worker is told apart in rows of a run whose workers differ. */
export function markOf({ name, engine, model }: Announcement): string {
  return `${name} (${engine.backend}, llama.cpp ${engine.llamaCpp}, model ${model.sampled.slice(0, 8)})`;
}

function difference(worker: Announcement, wanted: Wanted): string | undefined {
  const { engine, model, allow } = worker;
  if (worker.version !== version) return `boundary ${worker.version} instead of ${version}`;
  if (allow && !allow.includes(wanted.adapter))
    return `its owner does not allow this adapter (boundary worker --allow ${wanted.adapter})`;
  if (wanted.mixed) return model.family === wanted.model.family ? undefined : otherModel(worker);
  if (model.sampled !== wanted.model.sampled) return otherModel(worker);
  if (wanted.fullHash && model.sha256 !== wanted.model.sha256) {
    return model.sha256 === undefined
      ? "it has not read all of its model: start it with --full-hash"
      : otherModel(worker);
  }
  if (wanted.gpu !== "auto" && choiceOf(engine.backend) !== wanted.gpu) {
    return `backend ${engine.backend} instead of ${wanted.gpu}`;
  }
  if (typeof wanted.gpuLayers === "number" && engine.gpuLayers !== wanted.gpuLayers) {
    return `${engine.gpuLayers} layers on the GPU instead of ${wanted.gpuLayers}`;
  }
  if (wanted.threads !== undefined && engine.threads !== wanted.threads) {
    return `${engine.threads} threads instead of ${wanted.threads}`;
  }
  return undefined;
}

function otherModel({ model }: Announcement): string {
  return `another model (${model.name} ${model.sampled.slice(0, 8)})`;
}

function classDifference(worker: Announcement, first: Announcement): string | undefined {
  const isOf = `its engine differs from that of ${first.name}`;
  for (const name of ["backend", "llamaCpp", "nodeLlamaCpp", "threads", "gpuLayers"] as const) {
    const [own, other] = [worker.engine[name], first.engine[name]];
    if (own !== other) return `${isOf} (${name} ${own} instead of ${other}; --mixed takes it nevertheless)`;
  }
  if (worker.logits !== first.logits) {
    return `its processor rounds otherwise than that of ${first.name} (--mixed takes it nevertheless)`;
  }
  return classOf(worker) === classOf(first) ? undefined : isOf;
}
