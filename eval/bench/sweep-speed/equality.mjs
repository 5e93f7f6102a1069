/**
 * Where an arm's answers differ from a reference's.
 * @returns { answers, equal, differences: [{ boundary, id, position, expected, actual, prefix }] }; `expected` and `actual` are token ids at the
 * first position that differs, null where the answer had ended; `prefix` is the prompt and the tokens before.
 */
export function compareTokens(workload, reference, arm) {
  const prompts = new Map(workload.prompts.map(({ id, tokens }) => [id, tokens]));
  const key = (boundary, id) => `${boundary} ${id}`;
  const known = new Map(
    reference.flatMap(({ boundary, answers }) => answers.map(({ id, tokens }) => [key(boundary, id), tokens])),
  );
  let answers = 0;
  const differences = [];
  for (const { boundary, answers: own } of arm) {
    for (const { id, tokens } of own) {
      const expected = known.get(key(boundary, id));
      if (!expected) continue;
      answers += 1;
      const position = firstDifference(expected, tokens);
      if (position === undefined) continue;
      const prefix = [...prompts.get(id), ...tokens.slice(0, position)];
      const at = { expected: expected[position] ?? null, actual: tokens[position] ?? null };
      differences.push({ boundary, id, position, ...at, prefix });
    }
  }
  return { answers, equal: answers - differences.length, differences };
}

function firstDifference(a, b) {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i;
  return undefined;
}
