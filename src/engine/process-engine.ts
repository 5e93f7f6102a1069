import { fork, type ChildProcess } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { EngineCrashError, EngineError, MemoryError, type BoundaryError } from "../errors.js";
import type { BackendInfo, Engine, EngineOptions, GpuChoice } from "./engine.js";
import type { LayerReader } from "./layer-reader.js";
import { answerMethods, layerMethods } from "./methods.js";
import { EngineLog } from "./engine-log.js";
import { withGivenPaths } from "./given-paths.js";
import { adviceAfter } from "./crash-advice.js";
import { choiceOf, isWithoutGpu } from "./gpu-choice.js";
import { gib } from "../files/gib.js";
import { availableMemory, usableCores } from "./machine.js";
import type { HostCalls, HostEvent, HostFailure, HostMethod, HostReply } from "./protocol.js";

/** Lines of the engine's log that an error quotes: the last of those written during its call. */
const QUOTED_LINES = 3;

interface PendingCall {
  readonly about: string;
  readonly params: HostCalls[HostMethod]["params"];
  resolve(result: unknown): void;
  reject(error: BoundaryError): void;
  onEvent(event: HostEvent["event"]): void;
}

/**
 * Starts a process for the engine and loads the model in it. The process has an environment of its own, so that thread-pool
 * settings hold from its first line, and it takes an abort in native code with it instead of this process.
 * @throws EngineError when the backend or the model cannot be loaded, MemoryError when memory is short.
 */
export async function openEngine(options: EngineOptions): Promise<Engine & LayerReader> {
  const gpu = await resolveGpu(options.gpu);
  const host = await HostProcess.forModel(gpu);
  try {
    const asked = { ...options, gpu, usableCores: usableCores() };
    const info = await host.call("open", asked, `loading ${options.givenPath ?? options.modelPath}`);
    // The tables have an entry for every method of these types, with its request's type.
    return { info, close: () => host.release(), ...proxyOf(host, { ...answerMethods, ...layerMethods }) } as Engine &
      LayerReader;
  } catch (error) {
    await host.release();
    throw error;
  }
}

/**
 * What a backend offers on this machine, found out in a process of its own; `auto` is the one that would be used.
 * @throws EngineError when there is no such backend here.
 */
export async function probeBackend(gpu: GpuChoice): Promise<BackendInfo> {
  const info = await probe(gpu);
  return gpu === "auto" && isWithoutGpu(info) ? probe("off") : info;
}

/** The backend that `auto` stands for here; every other choice is what it says. */
export async function resolveGpu(gpu: GpuChoice): Promise<GpuChoice> {
  if (gpu !== "auto") return gpu;
  const info = await probe(gpu);
  return isWithoutGpu(info) ? "off" : choiceOf(info.backend);
}

async function probe(gpu: GpuChoice): Promise<BackendInfo> {
  const host = await HostProcess.forModel(gpu);
  try {
    return await host.call("probe", gpu, `loading the backend ${gpu}`);
  } finally {
    await host.release();
  }
}

/** The methods of a table, each of which calls its namesake in the engine's process. */
function proxyOf(host: HostProcess, doing: Readonly<Record<string, (request: never) => string>>): object {
  const method =
    (name: string, about: (request: never) => string) =>
    (request: unknown = null, onEvent?: (event: unknown) => void): Promise<unknown> =>
      host.call(name as HostMethod, request as never, about(request as never), onEvent);
  return Object.fromEntries(Object.entries(doing).map(([name, about]) => [name, method(name, about)]));
}

/** Engines that end with this process: one that is busy in native code would not notice before it is done that its parent is gone. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Processes whose engine was closed, by what they were started with. */
const idle = new Map<string, HostProcess[]>();
let mostIdle = 0;

/**
 * Keeps up to `count` processes of closed engines for the models opened next: starting one takes longer than loading a small model. By default
 * none is kept, so that all memory of a closed engine is returned.
 */
export async function keepIdleEngines(count: number): Promise<void> {
  mostIdle = count;
  await Promise.all([...idle.values()].flatMap((kept) => kept.splice(count).map((host) => host.close())));
}

/** The engine's process and the calls under way in it. */
export class HostProcess {
  /** Resolves when the process has ended, whatever ended it. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcess;
  private readonly pending = new Map<number, PendingCall>();
  private readonly log = new EngineLog();
  private nextId = 1;
  private closing = false;

  private constructor(private readonly kind: string) {
    this.child = fork(hostFile(), [], {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      // One libuv thread: llama.cpp's threads spin while they wait, and each thread that calls it has its own.
      // A fixed threshold makes glibc give the buffers of a closed context back; else they leave holes of 25 MB (eval/results/serve.md).
      env: { MALLOC_MMAP_THRESHOLD_: "4194304", ...process.env, UV_THREADPOOL_SIZE: "1" },
    });
    running.add(this.child);
    this.child.on("message", (reply: HostReply) => {
      this.receive(reply);
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log.add(text);
    });
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        running.delete(this.child);
        this.failPending(code, signal);
        resolve();
      });
    });
    this.child.once("error", (cause) => {
      this.log.add(`${cause.message}\n`);
    });
  }

  call<M extends HostMethod>(
    method: M,
    params: HostCalls[M]["params"],
    about: string,
    onEvent: (event: HostCalls[M]["event"]) => void = () => undefined,
  ): Promise<HostCalls[M]["result"]> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const accept = (result: unknown): void => {
        // The replies to this id carry the types of this method: protocol.ts pairs them.
        resolve(result as HostCalls[M]["result"]);
      };
      this.pending.set(id, { about, params, resolve: accept, reject, onEvent });
      this.log.begin(id);
      if (this.hasEnded) {
        this.failPending(this.child.exitCode, this.child.signalCode);
        return;
      }
      this.child.send({ id, method, params });
    });
  }

  /** A process for one model on a backend: one that was kept and still answers, or a new one. */
  static async forModel(gpu: GpuChoice): Promise<HostProcess> {
    const kind = JSON.stringify([gpu, process.env]);
    for (let kept = idle.get(kind)?.pop(); kept; kept = idle.get(kind)?.pop()) {
      for (const handle of kept.handles) handle?.ref();
      try {
        // It may have died without this process having been told so far.
        await kept.call("release", null, "asking for a model");
        return kept;
      } catch {
        await kept.close();
      }
    }
    return new HostProcess(kind);
  }

  async close(): Promise<void> {
    this.closing = true;
    this.child.kill("SIGKILL");
    await this.ended;
  }

  /** Ends the process, or keeps it for the next model where there is room. */
  async release(): Promise<void> {
    const kept = idle.get(this.kind) ?? [];
    idle.set(this.kind, kept);
    if (kept.length >= mostIdle || this.pending.size > 0 || this.closing) {
      await this.close();
      return;
    }
    try {
      await this.call("release", null, "closing the model");
      for (const handle of this.handles) handle?.unref();
      kept.push(this);
    } catch {
      await this.close();
    }
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null || !this.child.connected;
  }

  /** What keeps this process waiting for that one. */
  private get handles(): ({ ref(): unknown; unref(): unknown } | null | undefined)[] {
    const { child } = this;
    return [child, child.channel, child.stderr instanceof Socket ? child.stderr : undefined];
  }

  private receive(reply: HostReply): void {
    if ("events" in reply) {
      for (const { id, event } of reply.events) this.pending.get(id)?.onEvent(event);
      return;
    }
    const call = this.pending.get(reply.id);
    if (!call) return;
    if ("failure" in reply) {
      void this.fail(reply.id, call, reply.failure);
      return;
    }
    this.pending.delete(reply.id);
    this.log.end(reply.id);
    call.resolve(reply.result);
  }

  /** Its lines come through another pipe: where the process ends meanwhile, the call has failed with that. */
  private async fail(id: number, call: PendingCall, failure: HostFailure): Promise<void> {
    await this.log.untilEnd(id);
    if (this.pending.delete(id)) call.reject(asError(failure, call, this.log.end(id)));
  }

  private failPending(code: number | null, signal: NodeJS.Signals | null): void {
    const how = signal ?? `exit code ${code ?? "unknown"}`;
    for (const [id, call] of this.pending) {
      this.pending.delete(id);
      const lines = this.log.end(id).map((line) => withGivenPaths(line, call.params));
      const quoted = quote(lines);
      const parts = this.closing
        ? { what: `the engine was closed while ${call.about}` }
        : {
            what: `the engine's process ended while ${call.about}`,
            actual: quoted === "" ? how : `${how}, its last lines: ${JSON.stringify(quoted)}`,
            fix: adviceAfter(signal, lines),
          };
      call.reject(new EngineCrashError(parts, signal ?? undefined, lines.join("\n")));
    }
  }
}

function asError(failure: HostFailure, { about, params }: PendingCall, lines: readonly string[]): BoundaryError {
  const message = withGivenPaths(failure.message, params);
  if (failure.kind === "memory") {
    const available = availableMemory();
    return new MemoryError(
      {
        what: `not enough memory while ${about}`,
        actual: `${gib(available)} available`,
        fix: `The engine says: ${message}. Lower --context-size, --max-tokens or --sequences, or use a smaller model.`,
      },
      Number.NaN,
      available,
    );
  }
  const quoted = withGivenPaths(quote(lines), params);
  const fix =
    failure.kind === "backend"
      ? "Choose another --gpu; `boundary doctor` lists what works here."
      : "If the message does not tell what to change, report it together with the output of `boundary doctor`.";
  return new EngineError({
    what: `the engine failed while ${about}`,
    actual: JSON.stringify(quoted === "" ? message : `${message} (${quoted})`),
    fix,
  });
}

function quote(lines: readonly string[]): string {
  return lines.slice(-QUOTED_LINES).join(" | ");
}

/** The compiled entry point; tests run the sources, but a child process needs the build. */
function hostFile(): string {
  const relative = import.meta.url.endsWith(".ts") ? "../../dist/engine/host.js" : "./host.js";
  return fileURLToPath(new URL(relative, import.meta.url));
}
