#!/usr/bin/env bash
# Packs the package, installs it in an empty folder and runs it there: what `npm install lora-boundary` would give.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$root"
tarball=$(npm pack --silent --pack-destination "$folder")
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "./$tarball"
npx --no-install boundary --version
npx --no-install boundary doctor
npx --no-install boundary sweep --model "$root/eval/demo/model.gguf" --adapter "$root/eval/demo/adapter.gguf" \
  --data "$root/eval/demo/validation.jsonl" --limit 8 --boundaries 0,full --gpu off --out run --quiet
node --input-type=module -e 'import { version, loadGgufAdapter } from "lora-boundary"; console.log("library", version, typeof loadGgufAdapter)'
node "$root/eval/library-examples.mjs" "$folder"
echo "package ok: $tarball"
