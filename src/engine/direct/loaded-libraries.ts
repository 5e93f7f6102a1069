import { basename } from "node:path";
import koffi, { type LibraryHandle } from "koffi";

/** llama.cpp's libraries as this process has them, and the C library. */
export interface LoadedLibraries {
  readonly llama: LibraryHandle;
  /** ggml's own library. */
  readonly base: LibraryHandle;
  /** ggml's CPU backend: of several builds the one that was chosen for this processor. */
  readonly cpu: LibraryHandle;
  readonly c: LibraryHandle;
}

/** File names without `lib` and what follows the last of these parts: `libllama.vulkan.v0.4.0.so`, `ggml-cpu-haswell.dll`, `ggml-base.dylib`. */
export const LIBRARY_NAMES = {
  llama: /^(?:lib)?llama\.(?:.*\.)?(?:so|dylib|dll)$/i,
  base: /^(?:lib)?ggml-base\.(?:so|dylib|dll)$/i,
  cpu: /^(?:lib)?ggml-cpu(?:-[^/\\]+)?\.(?:so|dylib|dll)$/i,
} as const;

/** Where malloc, free and memcpy are: macOS and Linux have them in what every process has loaded. */
const C_LIBRARY = process.platform === "win32" ? "ucrtbase.dll" : null;

/** @throws Error that names the library which node-llama-cpp has not loaded. */
export function loadedLibraries(): LoadedLibraries {
  const paths = loadedPaths();
  const open = (name: keyof typeof LIBRARY_NAMES): LibraryHandle => {
    const path = paths.find((one) => LIBRARY_NAMES[name].test(basename(one)));
    if (path === undefined) throw new Error(`no library like ${String(LIBRARY_NAMES[name])} is loaded`);
    return koffi.load(path);
  };
  return { llama: open("llama"), base: open("base"), cpu: open("cpu"), c: koffi.load(C_LIBRARY) };
}

/** Paths of all libraries that this process has loaded. */
function loadedPaths(): readonly string[] {
  const report = process.report.getReport() as { readonly sharedObjects?: readonly string[] };
  return report.sharedObjects ?? [];
}
