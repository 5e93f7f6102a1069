import { readFile, readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { FileError, messageOf, type ErrorParts } from "../errors.js";

/** A repository of the Hugging Face hub, as far as a name leads: `hf:user/repo[/path][@revision]`. */
export interface HubName {
  readonly repo: string;
  /** A file or folder in it; empty for all of it. */
  readonly path: string;
  readonly revision: string;
}

const NAME = /^(?:hf|huggingface):(?:\/\/)?([\w.-]+\/[\w.-]+)((?:\/[^/@:]+)*)(?:@([\w./-]+))?$/i;

/** Files of an adapter in a folder: PEFT's, torch's and mlx-lm's. */
const ADAPTER_FILE =
  /^(?:adapter_config\.json|adapter_model(?:-\d{5}-of-\d{5})?\.(?:safetensors|bin)|adapter_model\.safetensors\.index\.json|adapters\.safetensors)$/;

/** What a text names on the hub, or undefined where it is something else, such as `hf:user/repo:Q4_K_M`. */
export function hubName(text: string): HubName | undefined {
  const [, repo, path, revision] = NAME.exec(text) ?? [];
  return repo === undefined ? undefined : { repo, path: (path ?? "").slice(1), revision: revision ?? "main" };
}

/**
 * Fetches an adapter from the hub into the cache that Python's huggingface_hub uses too, unless it is there. The token comes from
 * HF_TOKEN or from where `hf auth login` puts it; HF_ENDPOINT and HF_HUB_OFFLINE are heeded.
 * @returns path of the adapter's folder, or of its GGUF file, in the cache.
 * @throws FileError when there is no adapter, or it cannot be fetched.
 */
export async function fetchHubAdapter(name: HubName): Promise<string> {
  const hub = await import("@huggingface/hub");
  const token = await accessToken();
  const { HF_ENDPOINT: endpoint, HF_HUB_OFFLINE: offline } = process.env;
  const options = {
    repo: name.repo,
    ...(token === undefined ? {} : { accessToken: token }),
    ...(endpoint === undefined ? {} : { hubUrl: endpoint.replace(/\/$/, "") }),
  };
  const cache = join(hub.getHFHubCachePath(), hub.getRepoFolderName({ type: "model", name: name.repo }));
  if (offline !== undefined && /^(?:1|true|yes|on)$/i.test(offline))
    return cachedAdapter(cache, name, "HF_HUB_OFFLINE is set");
  try {
    const { sha } = await hub.modelInfo({
      ...options,
      name: name.repo,
      revision: name.revision,
      additionalFields: ["sha"],
    });
    const files: string[] = [];
    for await (const entry of hub.listFiles({ ...options, revision: sha, recursive: true }))
      if (entry.type === "file") files.push(entry.path);
    const { path, wanted } = adapterAmong(files, name);
    for (const file of wanted)
      await quietly(() => hub.downloadFileToCacheDir({ ...options, path: file, revision: sha }));
    return join(cache, "snapshots", sha, path);
  } catch (cause) {
    if (cause instanceof FileError) throw cause;
    if (cause instanceof hub.HubApiError)
      throw new FileError(shown(name), apiParts(name, cause.statusCode, token !== undefined));
    return cachedAdapter(cache, name, messageOf(cause));
  }
}

/** What was fetched before. @param reason why the hub is not asked. */
async function cachedAdapter(cache: string, name: HubName, reason: string): Promise<string> {
  const sha = /^[0-9a-f]{40}$/.test(name.revision)
    ? name.revision
    : await readFile(join(cache, "refs", name.revision), "utf8").catch(() => newest(join(cache, "snapshots")));
  const folder = join(cache, "snapshots", sha?.trim() ?? "none");
  const files = await filesBelow(folder).catch((): string[] => []);
  if (files.length === 0) {
    throw new FileError(shown(name), {
      what: `cannot fetch ${shown(name)} from the Hugging Face hub (${reason}), and it is not in the cache`,
      fix: "Check the network, or download the adapter and give its folder.",
    });
  }
  return join(folder, adapterAmong(files, name).path);
}

async function newest(snapshots: string): Promise<string | undefined> {
  const names = await readdir(snapshots).catch((): string[] => []);
  const dated = await Promise.all(
    names.map(async (name) => ({ name, time: (await stat(join(snapshots, name))).mtimeMs })),
  );
  return dated.sort((a, b) => b.time - a.time)[0]?.name;
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** The adapter that a name means among a repository's files. @throws FileError where it is none, or one of several. */
function adapterAmong(files: readonly string[], name: HubName): { path: string; wanted: readonly string[] } {
  const { path } = name;
  const fail = (parts: ErrorParts): FileError => new FileError(shown(name), parts);
  if (files.includes(path)) return { path, wanted: [path] };
  const inFolder = files.filter((file) => path === "" || file.startsWith(`${path}/`));
  const own = inFolder
    .map((file) => file.slice(path === "" ? 0 : path.length + 1))
    .filter((file) => !file.includes("/"));
  if (own.includes("adapter_config.json")) {
    const isSafe = own.some((file) => file.endsWith(".safetensors"));
    const wanted = own.filter((file) => ADAPTER_FILE.test(file) && !(isSafe && file.endsWith(".bin")));
    return { path, wanted: wanted.map((file) => (path === "" ? file : `${path}/${file}`)) };
  }
  const ggufs = inFolder.filter((file) => file.endsWith(".gguf"));
  const [only] = ggufs;
  if (only !== undefined && ggufs.length === 1) return { path: only, wanted: [only] };
  if (ggufs.length > 1)
    throw fail({
      what: `${shown(name)} holds several GGUF files`,
      fix: `Give one of them: ${ggufs
        .slice(0, 5)
        .map((file) => `hf:${name.repo}/${file}`)
        .join(", ")}.`,
    });
  const below = inFolder
    .filter((file) => file.endsWith("/adapter_config.json"))
    .map((file) => file.slice(0, -"/adapter_config.json".length));
  const steps = below.map((folder) => Number(/checkpoint-(\d+)$/.exec(folder)?.[1] ?? -1));
  const latest = below[steps.indexOf(Math.max(...steps))];
  if (latest !== undefined)
    throw fail({
      what: `${shown(name)} holds ${below.length === 1 ? "an adapter" : `${below.length} adapters`} in subfolders`,
      fix: `Give one of them, such as hf:${name.repo}/${latest}.`,
    });
  if (own.some((file) => /^(?:model|pytorch_model|consolidated).*\.(?:safetensors|bin|pth)$/.test(file)))
    throw fail({
      what: `${shown(name)} holds the weights of a whole model, not an adapter`,
      fix: "Give the repository of a LoRA adapter; a base model goes to --model as GGUF.",
    });
  throw fail({
    what: `${shown(name)} holds no adapter`,
    expected: "adapter_config.json with adapter_model.safetensors, or a GGUF file",
  });
}

function apiParts(name: HubName, status: number, hasToken: boolean): ErrorParts {
  const what = `cannot fetch ${shown(name)} from the Hugging Face hub`;
  if (status === 401 || status === 403)
    return hasToken
      ? {
          what,
          actual: `status ${status}`,
          fix: "The token in HF_TOKEN may not read this repository: accept its terms on the hub, or use another token.",
        }
      : {
          what,
          actual: `status ${status}`,
          fix: "The repository does not exist, or it is private or gated: check its name, and set HF_TOKEN to a token that may read it.",
        };
  if (status === 404)
    return { what, actual: "no such repository or revision", fix: "Check the name and the revision." };
  return { what, actual: `status ${status}`, fix: "Try again later, or download the adapter and give its folder." };
}

function shown({ repo, path, revision }: HubName): string {
  return `hf:${repo}${path === "" ? "" : `/${path}`}${revision === "main" ? "" : `@${revision}`}`;
}

/** As huggingface_hub finds it. Source: huggingface_hub/utils/_auth.py. */
async function accessToken(): Promise<string | undefined> {
  const { HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME } = process.env;
  const given = HF_TOKEN ?? HUGGING_FACE_HUB_TOKEN;
  if (given !== undefined && given !== "") return given.trim();
  const home = HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
  const stored = await readFile(HF_TOKEN_PATH ?? join(home, "token"), "utf8").catch(() => "");
  return stored.trim() === "" ? undefined : stored.trim();
}

/** The hub's client says on standard output what it downloads, where results are printed. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const debug: unknown = Reflect.get(console, "debug");
  Reflect.set(console, "debug", () => undefined);
  try {
    return await work();
  } finally {
    Reflect.set(console, "debug", debug);
  }
}
