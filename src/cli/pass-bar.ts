import { SingleBar } from "cli-progress";
import { barStream, isBarVisible, say } from "./output.js";

/** What stands on stderr while passes go on: a bar in a terminal, plain lines elsewhere, nothing at all where quiet is asked for. */
export class PassBar {
  private bar: SingleBar | undefined;

  constructor(private readonly quiet: boolean) {}

  /** A line of its own, before the first pass. */
  say(line: string): void {
    if (!this.quiet) say(line);
  }

  update(done: number, total: number): void {
    if (this.quiet || !isBarVisible()) return;
    if (!this.bar) {
      this.bar = new SingleBar({
        format: "{bar} {percentage}% | {value}/{total} passes | ETA {eta_formatted}",
        stream: barStream,
      });
      this.bar.start(total, 0);
    }
    this.bar.update(done);
  }

  end(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}
