import type { Engine } from "../engine/engine.js";
import { EngineError } from "../errors.js";

/** A worker's engine: opened when it is needed, and again after it crashed or hung. */
export class EngineSlot {
  private opened: Promise<Engine> | undefined;

  constructor(private readonly open: () => Promise<Engine>) {}

  get(): Promise<Engine> {
    const opened = this.opened ?? this.open();
    this.opened = opened;
    // What fails is tried again by whoever needs it next.
    opened.catch(() => {
      if (this.opened === opened) this.opened = undefined;
    });
    return opened;
  }

  /** Ends the engine; calls under way fail. */
  async drop(): Promise<void> {
    const opened = this.opened;
    this.opened = undefined;
    await (await opened?.catch(() => undefined))?.close();
  }

  /**
   * Uses the engine for at most so long.
   * @throws EngineError when the time is up: the engine is ended then; whatever `use` throws, after which the next use opens a new engine.
   */
  async use<T>(timeoutMs: number, use: (engine: Engine) => Promise<T>): Promise<T> {
    const engine = await this.get();
    const hung = new AbortController();
    const timer = setTimeout(() => {
      hung.abort();
      void this.drop();
    }, timeoutMs);
    try {
      return await use(engine);
    } catch (error) {
      await this.drop();
      if (!hung.signal.aborted) throw error;
      throw new EngineError({
        what: "the engine hung and was ended",
        actual: `no end after ${Math.round(timeoutMs / 1000)} s`,
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
