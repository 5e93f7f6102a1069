import { Readable } from "node:stream";
import type { ApiErrorBody } from "./api-error.js";

/** Server-sent events with JSON, as OpenAI streams its answers. */
export class EventStream extends Readable {
  /** Events are pushed when they come; an answer's bounded length bounds what a slow reader leaves here. */
  override _read(): void {
    // Nothing can be made on demand.
  }

  send(event: object): void {
    if (!this.destroyed) this.push(`data: ${JSON.stringify(event)}\n\n`);
  }

  /** Ends the stream. */
  done(): void {
    if (this.destroyed) return;
    this.push("data: [DONE]\n\n");
    this.push(null);
  }

  /** Ends the stream with an error: its status was sent long ago. Clients that do not know the event still see the stream's end. */
  fail(body: ApiErrorBody): void {
    this.send(body);
    this.done();
  }
}
