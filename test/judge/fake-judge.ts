import type { JudgeModel, JudgeReply } from "../../src/judge/judge-model.js";

/** A judge that answers out of a function, and keeps what it was asked. */
export interface FakeJudge extends JudgeModel {
  readonly questions: string[];
  readonly mostAtOnce: () => number;
}

/** @param answer the text of the answer, or all of it; what it throws is thrown. Answers come in another order than questions. */
export function fakeJudge(
  name: string,
  answer: (question: string, number: number) => string | JudgeReply | Promise<string>,
  more: Partial<JudgeModel> = {},
): FakeJudge {
  const questions: string[] = [];
  let [open, most] = [0, 0];
  return {
    name,
    identity: { kind: "fake", name },
    notes: [],
    questions,
    mostAtOnce: () => most,
    ask: async (question) => {
      const number = questions.push(question) - 1;
      most = Math.max(most, ++open);
      try {
        await new Promise((resolve) => setTimeout(resolve, number % 3));
        const reply = await answer(question, number);
        if (typeof reply !== "string") return reply;
        return { text: reply, cut: false, usage: { promptTokens: 100, completionTokens: 1 } };
      } finally {
        open -= 1;
      }
    },
    ...more,
  };
}
