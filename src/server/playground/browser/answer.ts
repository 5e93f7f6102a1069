import { RequestError, type Api } from "./api.js";
import { EventReader } from "./event-reader.js";

/** What is asked, whatever boundary answers it. */
export interface Question {
  readonly path: "v1/chat/completions" | "v1/completions";
  /** The body without model and boundary. */
  readonly body: object;
  /** Right answers, where they are known. */
  readonly references: readonly string[];
}

/** How an answer ended. */
export interface Ending {
  /** `stop` by itself, `length` at a limit of tokens or seconds. */
  readonly finish: string;
  readonly tokens: number;
  /** While decoding, as the server measured it; null where there is nothing to measure. */
  readonly tokensPerSecond: number | null;
}

/** An event of a stream, of either endpoint. */
interface StreamEvent {
  readonly choices?: readonly {
    readonly text?: string;
    readonly delta?: { readonly content?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly completion_tokens: number } | null;
  readonly timings?: { readonly decode_tokens_per_second: number | null };
  readonly error?: { readonly message: string };
}

/**
 * Asks one boundary and hands on its answer as it comes.
 * @param model `base`, or `full` with a boundary.
 * @throws RequestError; the reason of the signal when it fires.
 */
export async function streamAnswer(
  api: Api,
  { path, body }: Pick<Question, "path" | "body">,
  model: { readonly model: string; readonly boundary?: number },
  signal: AbortSignal,
  onText: (text: string) => void,
): Promise<Ending> {
  const streaming = { stream: true, stream_options: { include_usage: true } };
  const response = await api.post(path, { ...model, ...body, ...streaming }, signal);
  let ending: Ending = { finish: "", tokens: 0, tokensPerSecond: null };
  for await (const data of eventsOf(response)) {
    if (data === "[DONE]") return ending;
    const event = JSON.parse(data) as StreamEvent;
    if (event.error) throw new RequestError(event.error.message, response.status);
    const [choice] = event.choices ?? [];
    const text = choice?.text ?? choice?.delta?.content ?? "";
    if (text !== "") onText(text);
    ending = {
      finish: choice?.finish_reason ?? ending.finish,
      tokens: event.usage?.completion_tokens ?? ending.tokens,
      tokensPerSecond: event.timings?.decode_tokens_per_second ?? ending.tokensPerSecond,
    };
  }
  throw new RequestError("The connection ended before the answer did.", 0);
}

async function* eventsOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const [decoder, events] = [new TextDecoder(), new EventReader()];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* events.push(decoder.decode(value, { stream: true }));
  }
}
