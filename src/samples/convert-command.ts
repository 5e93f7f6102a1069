import { basename, extname } from "node:path";
import { shellWord } from "../files/shell-word.js";

/** A command that a user can run to turn a file into one that is read, and the file it writes into the current folder. */
export interface Conversion {
  readonly command: string;
  readonly output: string;
}

/**
 * A one-line program of Node.js that reads the rows of a JSON or JSONL file and writes others. There is neither a `$`, a backtick nor
 * an exclamation mark in it, so that it can stand between double quotes in any shell.
 * @param pairs an expression in `r`, the list of rows, for a list of rows.
 */
export function nodeConversion(path: string, pairs: string): Conversion {
  const program =
    "const fs=require('fs'),[i,o]=process.argv.slice(1),s=new TextDecoder().decode(fs.readFileSync(i)).trim();" +
    "let r;try{r=[JSON.parse(s)].flat()}catch{r=s.split('\\n').filter(l=>l.trim()).map(l=>JSON.parse(l))}" +
    "if(r.length==1)r=r[0].data||r[0].rows||r;r=r.map(x=>x.row||x);" +
    `fs.writeFileSync(o,${pairs}.map(x=>JSON.stringify(x)+'\\n').join(''))`;
  const output = outputName(path, "-pairs");
  return { output, command: `node -e "${program}" ${shellWord(path)} ${shellWord(output)}` };
}

/** The same in Python, for files that its libraries read. @param program with `i` and `o` for the two paths. */
export function pythonConversion(path: string, program: string): Conversion {
  const output = outputName(path, "");
  return {
    output,
    command: `python3 -c "import sys;i,o=sys.argv[1:];${program}" ${shellWord(path)} ${shellWord(output)}`,
  };
}

/** A JSONL file in the current folder, called otherwise than the file itself. */
function outputName(path: string, suffix: string): string {
  const stem = basename(path, extname(path)) + suffix;
  return `${stem}.jsonl` === basename(path) ? `${stem}-rows.jsonl` : `${stem}.jsonl`;
}
