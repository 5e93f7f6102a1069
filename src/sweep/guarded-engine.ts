import type { Engine } from "../engine/engine.js";
import { InputChangedError } from "../errors.js";
import type { InputFiles } from "../files/input-files.js";

/**
 * The same engine, which hands over nothing that it computed after one of the files changed: it has a model mapped into memory, so that
 * a file written in place is another model from then on.
 * @returns an engine all of whose calls also throw InputChangedError.
 */
export function guardedEngine(engine: Engine, files: InputFiles): Engine {
  return new Proxy(engine, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (name === "close") return () => target.close();
      return (...given: unknown[]) => guardedCall(member.bind(target) as Call, given, files);
    },
  });
}

/**
 * Opens an engine on files that were hashed before, and closes it again where one of them changed meanwhile.
 * @throws InputChangedError when one changed; whatever `open` throws.
 */
export async function openUnchanged<E extends { close(): Promise<void> }>(
  files: InputFiles,
  open: () => Promise<E>,
): Promise<E> {
  let opened: E | undefined;
  try {
    return await whileUnchanged(files, async () => (opened = await open()));
  } catch (error) {
    await opened?.close();
    throw error;
  }
}

type Call = (...given: readonly unknown[]) => Promise<unknown>;

async function guardedCall(call: Call, given: readonly unknown[], files: InputFiles): Promise<unknown> {
  const events = new GuardedEvents(files);
  return whileUnchanged(files, async () => {
    const result = await call(...given.map((one) => (typeof one === "function" ? events.guard(one as Listener) : one)));
    await events.delivered;
    return result;
  });
}

type Listener = (event: unknown) => void;

/** Hands events on, in their order, each after a look at the files. */
class GuardedEvents {
  delivered: Promise<void> | undefined;

  constructor(private readonly files: InputFiles) {}

  guard(listener: Listener): Listener {
    return (event) => {
      if (this.delivered === undefined && this.files.areUntouched()) {
        listener(event);
        return;
      }
      this.delivered = (this.delivered ?? Promise.resolve()).then(async () => {
        await this.files.assertUnchanged();
        listener(event);
      });
      // The call that waits for all events sees the failure; it may still be under way.
      this.delivered.catch(() => undefined);
    };
  }
}

/**
 * Does what rests on the files, and looks at them afterwards, also where it fails: a file that changed is then the cause.
 * @throws InputChangedError when one changed; whatever `work` throws.
 */
export async function whileUnchanged<T>(files: InputFiles, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    if (!(error instanceof InputChangedError)) await files.assertUnchanged();
    throw error;
  }
  await files.assertUnchanged();
  return result;
}
