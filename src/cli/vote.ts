import { Command, InvalidArgumentError, Option } from "commander";
import { at } from "../assert.js";
import { criterionSchema, readVotes, voterSchema, votesPath } from "../vote/vote-file.js";
import { systemPair, systemPattern, type SystemPair } from "../vote/vote-pairs.js";
import { voteResult } from "../vote/vote-result.js";
import { BoundaryError, UsageError } from "../errors.js";
import { stableJson } from "../files/stable-json.js";
import { oneLine } from "../report/paint.js";
import { votesReport } from "../report/votes.js";
import type { Part } from "../samples/split.js";
import { loadRun } from "../run/load-run.js";
import { serveVotes } from "../vote/page/serve-votes.js";
import { print, say } from "./output.js";
import { wholeNumber } from "./values.js";

interface VoteFlags {
  readonly systems: SystemPair;
  readonly part?: Part;
  readonly limit?: number;
  readonly seed: number;
  readonly voter?: string;
  readonly criteria: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly apiKey?: string;
  readonly result?: boolean;
  readonly json?: boolean;
}

/** `boundary vote`: a page on which people compare two systems' answers blindly; the result at the end, or alone with --result. */
export function voteCommand(signal: AbortSignal): Command {
  return new Command("vote")
    .description("ask people which answer is better, blindly, on a page of this machine; votes are kept in the run")
    .argument("<run>", "folder of a finished sweep")
    .addOption(
      new Option("--systems <pair>", "two of base, full, chosen, K=...")
        .argParser(pairOf)
        .default(systemPair("chosen", "full"), "chosen,full"),
    )
    .addOption(
      new Option("--part <name>", "whose samples (default: holdout where there is one)").choices([
        "holdout",
        "selection",
      ]),
    )
    .addOption(
      new Option("--limit <n>", "ask each voter about so many pairs, the same for all").argParser(positiveNumber),
    )
    .addOption(new Option("--seed <n>", "of orders and sides").argParser(wholeNumber).default(0))
    .addOption(new Option("--voter <name>", "who votes (default: the page asks)").argParser(voterOf))
    .addOption(
      new Option("--criteria <list>", "asked before the preference as a whole; none for none")
        .argParser(criteriaOf)
        .default(["fluency", "accuracy", "readability", "completeness"], "fluency,accuracy,readability,completeness"),
    )
    .addOption(
      new Option("--host <address>", "address to listen on; one beyond this machine needs --api-key").default(
        "127.0.0.1",
      ),
    )
    .addOption(new Option("-p, --port <n>", "port to listen on; 0 takes a free one").argParser(portOf).default(8081))
    .addOption(
      new Option("--api-key <key>", "key that voters must give; better in BOUNDARY_API_KEY").env("BOUNDARY_API_KEY"),
    )
    .option("--result", "print what was voted so far, without a page")
    .addOption(new Option("--json", "the result as one JSON document on stdout, nothing else"))
    .action(async (run: string, flags: VoteFlags) => {
      await vote(run, flags, signal);
    });
}

async function vote(folder: string, { result, json, apiKey, ...flags }: VoteFlags, signal: AbortSignal): Promise<void> {
  if (!result) {
    const { part, limit, voter } = flags;
    // A variable that is set to nothing, as in many a compose file, is no key.
    const key = apiKey === "" ? undefined : apiKey;
    await serveVotes(
      { ...flags, folder, part, limit, voter, apiKey: key },
      {
        signal,
        onListening: ({ url, pairs, asked }) => {
          const { systems, part: votedPart, samples, identical } = pairs;
          say(
            `${url} asks about ${asked} of ${samples} samples of the ${votedPart} (${systems.join(" / ")}; ` +
              `${identical} with identical answers). Ctrl-C ends it and prints the result.`,
          );
        },
        onFailure: (error) => {
          const message = error instanceof BoundaryError ? error.message : String(error);
          say(oneLine(`error: ${message}`));
        },
      },
    );
  }
  print(await resultText(folder, { isAsked: result === true, json: json === true }));
}

/** @throws UsageError where a result was asked for and nobody has voted. */
async function resultText(folder: string, { isAsked, json }: { isAsked: boolean; json: boolean }): Promise<string> {
  const run = await loadRun(folder);
  const votes = await readVotes(votesPath(folder));
  if (isAsked && votes.rows.length === 0) {
    throw new UsageError({ what: `${folder} holds no votes`, fix: "Have people vote first: boundary vote RUN." });
  }
  const result = voteResult(run, votes);
  if (json) return stableJson(result);
  return votes.rows.length === 0 ? "No votes.\n" : `${votesReport(result)}\n`;
}

function pairOf(text: string): SystemPair {
  const [first = "", other = "", ...more] = text.split(",").map((name) => name.trim());
  if (more.length === 0 && systemPattern.test(first) && systemPattern.test(other) && first !== other) {
    return systemPair(first, other);
  }
  throw new InvalidArgumentError("It must be two of base, full, chosen, K=20, such as base,full.");
}

function criteriaOf(text: string): string[] {
  const names = text === "none" ? [] : text.split(",").map((name) => name.trim().toLowerCase());
  for (const name of names) {
    const checked = criterionSchema.safeParse(name);
    if (!checked.success) throw new InvalidArgumentError(at(checked.error.issues, 0).message);
  }
  return [...new Set(names)];
}

function voterOf(text: string): string {
  const checked = voterSchema.safeParse(text);
  if (checked.success) return checked.data;
  throw new InvalidArgumentError(at(checked.error.issues, 0).message);
}

function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError("It must be 1 or more.");
  return value;
}

function portOf(text: string): number {
  const value = wholeNumber(text);
  if (value > 65535) throw new InvalidArgumentError("It must be at most 65535.");
  return value;
}
