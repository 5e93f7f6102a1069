#!/usr/bin/env bash
# Builds llama-server (CPU only, no web page, no network) from the llama.cpp source that node-llama-cpp carries, so that an endpoint judge can
# be tried against the very release that the engine runs: build-llama-server.sh SCRATCH [TARGET...]
# SCRATCH takes source and build (about 350 MB); a second call goes on where the first stopped. The last line of output is the path of the
# binary; everything else goes to standard error. JOBS (default 1) is the number of compilers at once. Needs git, cmake and a C++ compiler.
set -euo pipefail
scratch=${1:?usage: build-llama-server.sh SCRATCH [TARGET...]}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
bundle=$root/node_modules/node-llama-cpp/llama/gitRelease.bundle
[ -f "$bundle" ] || { echo "no $bundle: run npm install first" >&2; exit 1; }
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
source=$scratch/llama.cpp
build=$scratch/build
{
  if [ ! -d "$source" ]; then
    rm -rf "$source.part"
    git clone --quiet "$bundle" "$source.part"
    mv "$source.part" "$source"
  fi
  cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_SERVER=ON \
    -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF -DGGML_CCACHE=OFF
  cmake --build "$build" --target llama-server "$@" -j "${JOBS:-1}"
} >&2
echo "$build/bin/llama-server"
