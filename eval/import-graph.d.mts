/** An import as it stands in a file: `from` is the file's path below src, with slashes. */
export interface Import {
  readonly from: string;
  readonly specifier: string;
}

export interface ImportGraph {
  readonly files: readonly string[];
  readonly imports: readonly Import[];
}

export type Arrow = readonly [from: string, to: string];

export const LEVELS: readonly (readonly string[])[];
export function importsOf(from: string, source: string): Import[];
export function readImports(root: string): ImportGraph;
export function roomOf(path: string): string;
export function levelOf(room: string): number;
export function targetOf(entry: Import): string;
export function arrowsBetweenFiles(graph: ImportGraph): Arrow[];
export function arrowsBetweenRooms(arrows: readonly Arrow[]): Arrow[];
export function circlesOf(arrows: readonly Arrow[]): string[][];
