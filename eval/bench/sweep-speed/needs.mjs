import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "./root.mjs";

const works = (command, args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
const run = (command, args) => execFileSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });

/**
 * What this machine has for the benchmark; the models are made in the work folder where they are not there yet.
 * @param args { work, workbench, base, python, llamaServer, build: whether llama-server is wanted, peft: whether arm d is wanted }
 * @returns { models: { main, bf16 }, mainType, workbench, python, llamaServer, sweepFlags, absent: [sentences] }
 */
export function findNeeds(args) {
  const absent = [];
  const { work } = args;
  const workbench = existsSync(join(args.workbench, "adapters/qa/qa.gguf")) ? resolve(args.workbench) : undefined;
  if (!workbench) {
    absent.push(`no workbench at ${args.workbench}: the demo model and arms a, b, b2, e alone (--workbench DIR)`);
    return { models: { main: join(root, "eval/demo/model.gguf") }, mainType: "the demo model", absent };
  }
  const python = [args.python, join(work, "venv/bin/python"), "python3"].find(
    (one) => one && works(one, ["-c", "import gguf, numpy"]),
  );
  const base = join(work, "base.gguf");
  if (args.base && !existsSync(base)) symlinkSync(resolve(args.base), base);
  if (!existsSync(base)) run("bash", [join(workbench, "get-model.sh"), base]);
  const made = (type) => {
    const path = join(work, `${type}.gguf`);
    if (existsSync(path)) return path;
    if (!python) return undefined;
    run(python, [join(workbench, "requantise.py"), base, path, type]);
    return path;
  };
  const q8 = made("q8_0");
  const bf16 = args.peft ? made("bf16") : undefined;
  if (!q8) absent.push("no Python with gguf and numpy (--python PATH): the base stays Q4_1, there is no BF16 group");
  const torch = args.peft && python && works(python, ["-c", "import torch, transformers, peft"]);
  if (args.peft && !torch) {
    absent.push(
      `no PEFT: python3 -m venv ${work}/venv; ${work}/venv/bin/pip install -r eval/bench/sweep-speed/requirements.txt`,
    );
  }
  const llamaServer = args.build ? findServer(args, absent) : undefined;
  const models = { main: q8 ?? base, ...(bf16 && { bf16 }) };
  return { models, mainType: q8 ? "Q8_0" : "Q4_1", workbench, python: torch ? python : undefined, llamaServer, absent };
}

/** Path of llama-server: the one given, the one in the work folder, or one that is built there (five minutes on two cores). */
function findServer({ work, llamaServer }, absent) {
  if (llamaServer) return resolve(llamaServer);
  const built = join(work, "llama-server/build/bin/llama-server");
  if (existsSync(built)) return built;
  const missing = ["git", "cmake", "c++"].filter((tool) => !works(tool, ["--version"]));
  if (missing.length > 0) {
    absent.push(`no ${missing.join(", ")}: llama-server cannot be built, no arms c and c2 (--llama-server PATH)`);
    return undefined;
  }
  run("env", ["JOBS=2", "bash", join(root, "eval/judge/build-llama-server.sh"), join(work, "llama-server")]);
  return built;
}
