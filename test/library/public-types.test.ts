import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

it("the public types are those of the snapshot: a change of one is a change for those who build on it", async () => {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, "tsconfig.build.json"),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => undefined,
    },
  );
  const program = ts.createProgram([join(root, "src/index.ts")], { ...config?.options, noErrorTruncation: true });
  const checker = program.getTypeChecker();
  const index = program.getSourceFile(join(root, "src/index.ts"));
  const module = index && checker.getSymbolAtLocation(index);
  if (!module) throw new Error("src/index.ts exports nothing");
  const lines = checker.getExportsOfModule(module).flatMap((exported) => describe(checker, exported));
  expect(lines.length).toBeGreaterThan(200);
  await expect(`${lines.sort().join("\n")}\n`).toMatchFileSnapshot("public-types.txt");
});

/** A line for each export, and for each member of an interface or class. */
function describe(checker: ts.TypeChecker, exported: ts.Symbol): string[] {
  const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
  const name = exported.getName();
  if (symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Variable)) {
    return [`${name}: ${shortened(checker.typeToString(checker.getTypeOfSymbol(symbol)))}`];
  }
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  const members = type.getProperties().filter((member) => !isForeign(member));
  if (!(symbol.flags & (ts.SymbolFlags.Interface | ts.SymbolFlags.Class)) || members.length === 0) {
    return [`type ${name} = ${shortened(checker.typeToString(type, undefined, ts.TypeFormatFlags.InTypeAlias))}`];
  }
  return members.map((member) => {
    const mark = member.flags & ts.SymbolFlags.Optional ? "?" : "";
    const text = checker.typeToString(checker.getTypeOfSymbol(member));
    return `${name}.${member.getName()}${mark}: ${shortened(text)}`;
  });
}

/** Members that JavaScript's own classes give, such as an error's stack, and private ones. */
function isForeign(member: ts.Symbol): boolean {
  return (member.declarations ?? []).every(
    (declaration) =>
      declaration.getSourceFile().fileName.includes("node_modules") ||
      (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) !== 0,
  );
}

/** Schemas print as thousands of characters; what they hold is in the types that they give. */
function shortened(text: string): string {
  return text.startsWith("z.Zod") ? "(a schema of zod)" : text;
}
