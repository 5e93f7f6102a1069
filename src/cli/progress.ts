import { SingleBar } from "cli-progress";
import type { SweepHooks, SweepProgress } from "../sweep/sweep.js";
import { oneLine } from "../report/paint.js";
import { planLines } from "../report/plan.js";
import { barStream, isBarVisible, say, sayOverBar } from "./output.js";

/** Seconds between two plain lines, so that a log stays readable. */
const LINE_EVERY_SECONDS = 10;
/** The same where another boundary is answered now: several machines change them with every answer. */
const CHANGE_EVERY_SECONDS = 1;

/** Shows a sweep's progress on stderr: a bar in a terminal, a line now and then elsewhere. Call `end` when it is over. */
export function followSweep({ quiet }: { quiet: boolean }): SweepHooks & { end: () => void } {
  if (quiet) return { end: () => undefined };
  const rate = new TokenRate();
  const display = isBarVisible() ? barDisplay() : lineDisplay();
  return {
    onNote: (line) => {
      display.note(oneLine(line));
    },
    onPlan: (plan, inputs) => {
      say(planLines(plan, inputs).join("\n"));
    },
    onProgress: (progress) => {
      if (progress.generatedNow) rate.add(progress.row.promptTokens + progress.row.tokens.length);
      display.update(progress, rate.perSecond());
    },
    end: () => {
      display.end();
    },
  };
}

interface Display {
  update(progress: SweepProgress, tokensPerSecond: number): void;
  note(line: string): void;
  end(): void;
}

function barDisplay(): Display {
  const bar = new SingleBar({
    format:
      "{bar} {percentage}% | {value}/{total} answers | ETA {eta_formatted} | {part} K={boundary} | {score} | {rate} tok/s",
    stream: barStream,
    hideCursor: true,
    etaBuffer: 100,
  });
  let started = false;
  return {
    note: (line) => {
      if (started) sayOverBar(line);
      else say(line);
    },
    update: (progress, tokensPerSecond) => {
      const payload = {
        part: progress.part,
        boundary: progress.boundary,
        score: progress.runningScore.toFixed(1),
        rate: tokensPerSecond.toFixed(0),
      };
      if (!started) bar.start(progress.total, 0, payload);
      started = true;
      bar.setTotal(progress.total);
      bar.update(progress.done, payload);
    },
    end: () => {
      if (started) bar.stop();
    },
  };
}

function lineDisplay(): Display {
  const started = performance.now();
  let lastLine = started;
  let last: { key: string; line: string } | undefined;
  let printed = "";
  const print = (line: string): void => {
    if (line !== printed) say(line);
    printed = line;
    lastLine = performance.now();
  };
  return {
    note: (line) => {
      say(line);
    },
    update: (progress, tokensPerSecond) => {
      const key = `${progress.part} ${progress.name}`;
      const elapsed = (performance.now() - started) / 1000;
      const eta = Math.round((elapsed / progress.done) * (progress.total - progress.done));
      const line = `${progress.done}/${progress.total} answers, ${key}, score ${progress.runningScore.toFixed(1)}, ${tokensPerSecond.toFixed(0)} tok/s, about ${eta} s left`;
      const silentSeconds = (performance.now() - lastLine) / 1000;
      if (last && last.key !== key && silentSeconds > CHANGE_EVERY_SECONDS) print(last.line);
      else if (silentSeconds > LINE_EVERY_SECONDS) print(line);
      last = { key, line };
    },
    end: () => {
      if (last) print(last.line);
    },
  };
}

/** Tokens (prompt and answer) a second since the first answer that was generated now. */
class TokenRate {
  private tokens = 0;
  private readonly started = performance.now();

  add(count: number): void {
    this.tokens += count;
  }

  perSecond(): number {
    return (1000 * this.tokens) / Math.max(1, performance.now() - this.started);
  }
}
