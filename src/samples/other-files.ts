import { SampleError } from "../errors.js";
import { shellWord } from "../files/shell-word.js";
import { pythonConversion } from "./convert-command.js";

/** A kind of file that is not JSON: how its first bytes tell it, what it is called, and how to turn it into JSONL. */
interface OtherFile {
  readonly magic: string;
  readonly what: string;
  readonly fix: (path: string) => string;
}

const pandas = (reader: string) => (path: string) =>
  convert(path, `import pandas;pandas.${reader}(i).to_json(o,orient='records',lines=True,force_ascii=False)`);
const unpack = (command: string) => (path: string) =>
  `Unpack it: \`${command} ${shellWord(path)}\`, then give the file that comes out of it.`;
const notData = (): string => "Give a file with samples.";

/** By their first bytes, in hexadecimal. Sources: the specifications of the formats. */
const binaries: readonly OtherFile[] = [
  { magic: "28b52ffd", what: "compressed with zstd", fix: unpack("zstd --decompress") },
  { magic: "fd377a585a00", what: "compressed with xz", fix: unpack("xz --decompress --keep") },
  { magic: "425a68", what: "compressed with bzip2", fix: unpack("bunzip2 --keep") },
  {
    magic: "504b0304",
    what: "a ZIP archive",
    fix: (path) => (/\.xlsx$/i.test(path) ? pandas("read_excel")(path) : unpack("unzip")(path)),
  },
  { magic: "47475546", what: "a GGUF file", fix: notData },
  { magic: "53514c69746520666f726d6174203300", what: "an SQLite data base", fix: notData },
  { magic: "25504446", what: "a PDF file", fix: notData },
];

/** Throws {@link SampleError} for the bytes of a file that is known not to be a text in UTF-8, with the command that makes one of it. */
export function assertNotBinary(path: string, bytes: Uint8Array, expected: string): void {
  const start = Buffer.from(bytes.subarray(0, 16)).toString("hex");
  const known = binaries.find(({ magic }) => start.startsWith(magic));
  if (!known) return;
  throw new SampleError(
    { path },
    {
      what: `${path} is not a text file in UTF-8`,
      expected: `${expected} in UTF-8`,
      fix: `It is ${known.what}. ${known.fix(path)}`,
    },
  );
}

/**
 * The error for a text that does not begin as JSON: it names what it is, with the command that makes JSONL of it. Undefined where that
 * is not known.
 */
export function otherTextError(path: string, text: string): SampleError | undefined {
  const [first = ""] = text.trimStart().split(/\r?\n/, 1);
  if (/^version https:\/\/git-lfs/.test(first)) {
    return notSamples(path, "a pointer of Git LFS, not the file itself", "Fetch the file: `git lfs pull`.");
  }
  if (/^(<!doctype html|<html)/i.test(first)) {
    return notSamples(
      path,
      "a page of a web site",
      'Download the file itself: on the Hugging Face hub by "resolve" instead of "blob".',
    );
  }
  if (/^\{\s*'/.test(first)) {
    const program =
      "import ast,json;open(o,'w').write(''.join(json.dumps(ast.literal_eval(l))+chr(10) for l in open(i) if l.strip()))";
    return notSamples(path, "rows as Python prints them, in single quotes", convert(path, program));
  }
  return undefined;
}

function notSamples(path: string, what: string, fix: string): SampleError {
  const is = what.startsWith("a ") ? "is" : "holds";
  return new SampleError({ path }, { what: `${path} ${is} ${what}`, expected: "JSON or JSONL in UTF-8", fix });
}

function convert(path: string, program: string): string {
  const { command, output } = pythonConversion(path, program);
  return `Convert it: \`${command}\`, then give \`--data ${output}\`.`;
}
