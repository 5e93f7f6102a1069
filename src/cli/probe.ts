import { Command, InvalidArgumentError, Option } from "commander";
import { join } from "node:path";
import { gpuChoices } from "../engine/engine.js";
import { ensureFolder, writeTextAtomic } from "../files/atomic-file.js";
import { stableJson } from "../files/stable-json.js";
import { cardParts, type CardCost, type CardPart, type CardSettings } from "../probe/card-plan.js";
import { kneeMethods, type KneeMethod } from "../probe/knee.js";
import type { ProbePlan, ProbeSettings } from "../probe/lay-out.js";
import { planProbe, probe } from "../probe/probe.js";
import { probeReport } from "../report/probe.js";
import { ckaPositions, type CkaPosition } from "../strategy/layer-importance.js";
import { parseConfig } from "../sweep/config.js";
import { type GivenSettings } from "../settings.js";
import { print } from "./output.js";
import { PassBar } from "./pass-bar.js";
import { settingFlag, withDataFlags } from "./scoring-flags.js";
import { numberOrText, wholeNumber } from "./values.js";

interface ProbeFlags extends Omit<GivenSettings, "out"> {
  readonly out?: string;
  readonly tokens: number;
  readonly knee: KneeMethod;
  readonly confidence: readonly number[];
  readonly difference: readonly number[];
  readonly cka?: CkaPosition;
  readonly norms?: boolean;
  readonly card?: boolean;
  readonly cardWith?: readonly CardPart[];
  readonly pairs: string;
  readonly directions: number;
  readonly plan?: boolean;
  readonly json?: boolean;
}

/** `boundary probe`: what the layers would say, where the reference emerges, and how much each layer changes. */
export function probeCommand(signal: AbortSignal): Command {
  const command = new Command("probe")
    .description(
      "look into the layers instead of at answers: where the reference emerges, and the boundary that suggests",
    )
    .addOption(settingFlag("-m, --model <gguf>", "model"))
    .addOption(settingFlag("-a, --adapter <gguf>", "adapter"))
    .addOption(settingFlag("-d, --data <file>", "data"))
    .addOption(settingFlag("-t, --task <name>", "task"))
    .option("-o, --out <folder>", "write probe.json and the curves as SVG")
    .option("--tokens <n>", "first tokens of the references that have a curve each", tokenCount, 4)
    .addOption(new Option("--knee <method>", "how the knee is found").choices(kneeMethods).default("kneedle"))
    .option("--confidence <list>", "boundaries whose most probable token is followed, such as 10,20", boundaryList, [])
    .option(
      "--difference <list>",
      "boundaries that are compared with the full adapter, layer by layer",
      boundaryList,
      [],
    )
    .addOption(
      new Option(
        "--cka [token]",
        "layer importance: 1 - CKA of each layer's input and output on the base model, read at the token that the published script reads, or at the last one of the reference or the prompt",
      )
        .choices(ckaPositions)
        .preset(ckaPositions[0]),
    )
    .option("--norms", "how large each layer's update s * B * A is beside the weights that it is added to")
    .option("--card", "layer card: sizes, activation and update energy, time of every layer")
    .option(
      "--card-with <list>",
      `and what takes a pass or more for each layer: ${cardParts.join(", ")} (--plan tells how many)`,
      partList,
    )
    .option("--pairs <list>", "pairs of layers for coupling: adjacent, all, or 3-4,10-20", "adjacent")
    .option("--directions <n>", "random directions of each layer for gradient", wholeNumber, 8)
    .addOption(settingFlag("--limit <n>", "limit").argParser(wholeNumber))
    .addOption(settingFlag("--seed <n>", "seed").argParser(wholeNumber))
    .addOption(settingFlag("--holdout <file|fraction>", "holdout").argParser(numberOrText))
    .addOption(settingFlag("--gpu <backend>", "gpu").choices(gpuChoices))
    .addOption(settingFlag("--threads <n>", "threads").argParser(wholeNumber))
    .option("--plan", "print what it would cost, do nothing")
    .option("--json", "one JSON document on stdout, nothing else")
    .action(async (given: ProbeFlags) => {
      const { plan, json, out } = given;
      const { settings, flags } = settingsOf(given);
      const config = parseConfig(flags, {}, { out: "unused" });
      if (plan) {
        const cost = await planProbe(config, settings, { signal });
        print(json ? stableJson(cost) : `${costLine(cost)}\n`);
        return;
      }
      const bar = new PassBar(json ?? false);
      try {
        const onPlan = (cost: ProbePlan): void => {
          bar.say(costLine(cost));
        };
        const onProgress = (done: number, total: number): void => {
          bar.update(done, total);
        };
        const result = await probe(config, settings, { onPlan, onProgress, signal });
        bar.end();
        if (out !== undefined) await write(out, result);
        print(json ? stableJson(result) : `${probeReport(result)}\n`);
      } finally {
        bar.end();
      }
    });
  return withDataFlags(command);
}

function settingsOf({
  tokens,
  knee,
  confidence,
  difference,
  cka,
  norms = false,
  card,
  cardWith,
  pairs,
  directions,
  plan,
  json,
  out,
  ...flags
}: ProbeFlags): { settings: ProbeSettings; flags: GivenSettings } {
  const asked: CardSettings | undefined = card || cardWith ? { parts: cardWith ?? [], pairs, directions } : undefined;
  return { settings: { tokens, knee, confidence, difference, cka, norms, card: asked }, flags };
}

async function write(out: string, result: Awaited<ReturnType<typeof probe>>): Promise<void> {
  // Loaded here: its charts take a quarter of a second.
  const { probeImages } = await import("../report/html/probe-images.js");
  await ensureFolder(out);
  await writeTextAtomic(join(out, "probe.json"), stableJson(result));
  for (const { name, svg } of probeImages(result)) await writeTextAtomic(join(out, name), svg);
}

function costLine({ samples, passes, tokens, card = [] }: ProbePlan): string {
  const parts = card.map(cardCost).join(", ");
  return `${samples} samples, ${passes} ${passes === 1 ? "pass" : "passes"} of ${tokens} tokens each${parts === "" ? "" : `; of these for the card: ${parts}`}`;
}

function cardCost({ part, passes }: CardCost): string {
  return part === "metric" ? `metric ${passes} (answers, not only prompts)` : `${part} ${passes}`;
}

function tokenCount(text: string): number {
  const value = wholeNumber(text);
  if (value < 1 || value > 64) throw new InvalidArgumentError("It must be from 1 to 64.");
  return value;
}

function partList(text: string): CardPart[] {
  return text.split(",").map((word) => {
    const part = cardParts.find((name) => name === word.trim());
    if (!part) throw new InvalidArgumentError(`It must be of ${cardParts.join(", ")}.`);
    return part;
  });
}

function boundaryList(text: string): number[] {
  return text.split(",").map((part) => wholeNumber(part.trim()));
}
