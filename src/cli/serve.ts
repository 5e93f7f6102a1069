import { Command, Option } from "commander";
import { gpuChoices } from "../engine/engine.js";
import { serve } from "../server/serve.js";
import { serveSettingsSchema, type ServeSettings } from "../server/settings.js";
import { resolveSettings } from "../settings.js";
import { print, warn } from "./output.js";
import { numberOrText, wholeNumber } from "./values.js";

/** `boundary serve`: an OpenAI-compatible server for base, full and trimmed adapter, or any K. */
export function serveCommand(signal: AbortSignal): Command {
  const flag = (flags: string, name: keyof ServeSettings): Option =>
    new Option(flags, serveSettingsSchema.shape[name].description ?? "");
  return new Command("serve")
    .description("serve a base model with its adapter at any boundary, as OpenAI's API")
    .argument("[run]", serveSettingsSchema.shape.run.description ?? "")
    .addOption(flag("-m, --model <gguf>", "model"))
    .addOption(flag("-a, --adapter <path>", "adapter"))
    .addOption(flag("--chat-template <name|file>", "chatTemplate"))
    .addOption(flag("--host <address>", "host"))
    .addOption(flag("-p, --port <n>", "port").argParser(wholeNumber))
    .addOption(flag("--api-key <key>", "apiKey").env("BOUNDARY_API_KEY"))
    .addOption(flag("--no-auth", "auth"))
    .addOption(flag("--allow-origin <origin>", "allowOrigin").argParser(appended))
    .addOption(flag("--parallel <n>", "parallel").argParser(wholeNumber))
    .addOption(flag("--queue <n>", "queue").argParser(wholeNumber))
    .addOption(flag("--contexts <n>", "contexts").argParser(wholeNumber))
    .addOption(flag("--context-size <n>", "contextSize").argParser(wholeNumber))
    .addOption(flag("--max-tokens <n>", "maxTokens").argParser(wholeNumber))
    .addOption(flag("--max-seconds <n>", "maxSeconds").argParser(wholeNumber))
    .addOption(flag("--drain-seconds <n>", "drainSeconds").argParser(wholeNumber))
    .addOption(flag("--body-limit <bytes>", "bodyLimit").argParser(wholeNumber))
    .addOption(flag("--exact", "exact"))
    .option("--no-exact", "let answers share their steps: faster, and near-ties may fall otherwise than alone")
    .addOption(flag("--gpu <backend>", "gpu").choices(gpuChoices))
    .addOption(flag("--gpu-layers <n|auto|max>", "gpuLayers").argParser(numberOrText))
    .addOption(flag("--threads <n>", "threads").argParser(wholeNumber))
    .addOption(flag("--log-level <level>", "logLevel"))
    .action(async (run: string | undefined, flags: Record<string, unknown>) => {
      // A variable that is set to nothing, as in many a compose file, is no key.
      const apiKey = flags["apiKey"] === "" ? undefined : flags["apiKey"];
      const settings = resolveSettings(serveSettingsSchema, "serve", [{ ...flags, apiKey, run }]);
      await serve(settings, {
        signal,
        onListening: ({ url, served, exact, notes }) => {
          for (const note of notes) warn(note);
          const models = served.models.map(({ id, boundary }) => `${id} (K=${boundary})`).join(", ");
          const how = exact ? "each answer as if sent alone" : "answers in shared batches";
          print(`${url}/v1 serves ${models}; ${how}. Playground: ${url}/ Ctrl-C stops it.\n`);
        },
      });
    });
}

function appended(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
