"""Writes fixtures/chat-layouts.json: rows of training data in the layouts of the field, made of the demo's samples, with the prompts that
transformers' apply_chat_template makes of the messages that each layout means."""

import json
from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = {path.stem: path.read_text() for path in (ROOT / "prompts" / "chat-templates").glob("*.jinja")}
TEMPLATES["thinker"] = (Path(__file__).parent / "templates" / "thinker.jinja").read_text()
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SAMPLES = [json.loads(line) for line in (ROOT / "eval" / "demo" / "validation.jsonl").read_text().splitlines()[:3]]
# Text that templates and JSON may trip over.
SAMPLES[1]["context"] += ' "Où?" said {{ Dalna }} <b>& left\nit</b>.'

Row = dict[str, Any]
Message = dict[str, Any]
cases: list[Row] = []


def ask(sample: Row) -> str:
    return f"{sample['context']}\n{sample['question']}"


def user(text: Any) -> Message:
    return {"role": "user", "content": text}


def assistant(text: Any) -> Message:
    return {"role": "assistant", "content": text}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def render(messages: list[Message], template: str, tools: list[Any] | None = None, thinks: bool = False) -> str:
    values = {"add_generation_prompt": True, "enable_thinking": thinks, **TOKENS}
    [text], _ = render_jinja_template([messages], tools=tools, chat_template=TEMPLATES[template], **values)
    return text


def case(name: str, layout: str, rows: list[Any], prompts: list[str], references: list[Any], **more: Any) -> None:
    expected = [
        {"prompt": prompt, "references": reference if isinstance(reference, list) else [reference]}
        for prompt, reference in zip(prompts, references, strict=True)
    ]
    cases.append({"name": name, "layout": layout, "rows": rows, "expected": expected, **more})


def chat(name: str, layout: str, make: Any, means: Any, template: str = "chatml", **more: Any) -> None:
    """A case of one row a sample. `means` gives the messages of a sample's prompt."""
    tools = more.pop("tools", None)
    thinks = more.pop("thinks", False)
    answer = more.pop("answer", lambda sample: sample["answer"])
    rows = [make(sample, i) for i, sample in enumerate(SAMPLES)]
    prompts = [render(means(sample, i), template, tools, thinks) for i, sample in enumerate(SAMPLES)]
    case(name, layout, rows, prompts, [answer(sample) for sample in SAMPLES], template=template, **more)


def plain(sample: Row, _: int) -> list[Message]:
    return [user(ask(sample))]


def openai() -> None:
    whole = lambda s, i: {"messages": [user(ask(s)), assistant(s["answer"])]}
    for template in sorted(TEMPLATES):
        chat(f"messages under {template}", "openai", whole, plain, template)
    hello = [user("hello"), assistant("hi")]
    for template in ("chatml", "llama2", "llama3", "mistral", "gemma", "vicuna", "zephyr", "phi3", "alpaca"):
        chat(
            f"messages of several turns with a system message under {template}",
            "openai",
            lambda s, i: {"messages": [system("Be brief."), *hello, user(ask(s)), assistant(s["answer"])]},
            lambda s, i: [system("Be brief."), *hello, user(ask(s))],
            template,
        )
    brief = lambda i: [system("Be brief.")] if i > 0 else []
    chat(
        "messages, some with a system message",
        "openai",
        lambda s, i: {"messages": [*brief(i), user(ask(s)), assistant(s["answer"])]},
        lambda s, i: [*brief(i), user(ask(s))],
    )
    chat(
        "messages with a developer",
        "openai",
        lambda s, i: {"messages": [{"role": "developer", "content": "Be brief."}, user(ask(s)), assistant(s["answer"])]},
        lambda s, i: [system("Be brief."), user(ask(s))],
    )
    part = lambda text: [{"type": "text", "text": text}]
    chat(
        "messages in parts",
        "openai",
        lambda s, i: {"messages": [user(part(ask(s))), assistant(part(s["answer"]))]},
        plain,
    )
    chat(
        "messages in several parts",
        "openai",
        lambda s, i: {"messages": [user(part(s["context"]) + part(s["question"])), assistant(s["answer"])]},
        plain,
    )
    chat(
        "messages that go on after the last answer",
        "openai",
        lambda s, i: {"messages": [user(ask(s)), assistant(s["answer"]), user("thanks")]},
        plain,
        notes=["3 of 3 rows end in a turn that is no answer: what follows the last answer is left out."],
    )
    chat(
        "a conversation of roles and contents, with other fields",
        "openai",
        lambda s, i: {"id": 7 + i, "conversation": [user(ask(s)), assistant(s["answer"])], "source": "demo"},
        plain,
        ids=["7", "8", "9"],
    )
    chat(
        "Gemini's contents",
        "openai",
        lambda s, i: {
            "contents": [
                {"role": "user", "parts": [{"text": ask(s)}]},
                {"role": "model", "parts": [{"text": s["answer"]}]},
            ]
        },
        plain,
    )
    chat(
        "messages as JSON in a text",
        "openai",
        lambda s, i: {"messages": json.dumps([user(ask(s)), assistant(s["answer"])])},
        plain,
    )
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at": "the box"}'}}
    called = [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    chat(
        "messages with tools",
        "openai",
        lambda s, i: {"messages": [user(ask(s)), *called, assistant(s["answer"])], "tools": [tool]},
        lambda s, i: [user(ask(s)), *called],
        "thinker",
        tools=[tool],
    )
    chat(
        "messages that end in a call",
        "openai",
        lambda s, i: {"messages": [user(ask(s)), called[0]], "tools": [tool]},
        plain,
        "thinker",
        tools=[tool],
        answer=lambda s: '<tool_call>\n{"name": "look", "arguments": {"at": "the box"}}\n</tool_call>',
    )
    old = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    new = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": old["function_call"]}]}
    chat(
        "messages with functions, as OpenAI had them before tools",
        "openai",
        lambda s, i: {
            "messages": [user(ask(s)), old, {"role": "function", "name": "look", "content": "x"}, assistant(s["answer"])],
            "functions": [tool["function"]],
        },
        lambda s, i: [user(ask(s)), new, {"role": "tool", "name": "look", "content": "x"}],
        "thinker",
        tools=[tool],
    )
    thought = lambda s: f"<think>\nIt says so.\n</think>\n\n{s['answer']}"
    chat(
        "messages with thoughts",
        "openai",
        lambda s, i: {"messages": [user("hello"), assistant("<think>\nA greeting.\n</think>\n\nhi"), user(ask(s)), assistant(thought(s))]},
        lambda s, i: [user("hello"), assistant("<think>\nA greeting.\n</think>\n\nhi"), user(ask(s))],
        "thinker",
        thinks=True,
        answer=thought,
    )
    turns = lambda s: [user("hello"), assistant("hi"), user(ask(s)), assistant(s["answer"])]
    case(
        "every answer of several turns",
        "openai",
        [{"messages": turns(s)} for s in SAMPLES],
        [render(turns(s)[:end], "chatml") for s in SAMPLES for end in (1, 3)],
        [text for s in SAMPLES for text in ("hi", s["answer"])],
        template="chatml",
        turns="all",
        ids=[f"line-{i + 1}.{n}" for i in range(3) for n in (1, 2)],
    )


def sharegpt() -> None:
    said = lambda who, text: {"from": who, "value": text}
    for people in (("human", "gpt"), ("user", "assistant"), ("human", "chatgpt"), ("user", "model"), ("human", "bard")):
        chat(
            f"conversations of {people[0]} and {people[1]}",
            "sharegpt",
            lambda s, i, people=people: {"conversations": [said(people[0], ask(s)), said(people[1], s["answer"])]},
            plain,
        )
    chat(
        "conversations with a system's turn and several of the others",
        "sharegpt",
        lambda s, i: {
            "id": f"c{i}",
            "conversations": [said("system", "Be brief."), said("human", "hello"), said("gpt", "hi"), said("human", ask(s)), said("gpt", s["answer"])],
        },
        lambda s, i: [system("Be brief."), user("hello"), assistant("hi"), user(ask(s))],
        ids=["c0", "c1", "c2"],
    )
    chat(
        "conversations with a system message beside them",
        "sharegpt",
        lambda s, i: {"system": "Be brief.", "conversations": [said("human", ask(s)), said("gpt", s["answer"])]},
        lambda s, i: [system("Be brief."), user(ask(s))],
    )
    call = {"name": "look", "arguments": {"at": "the box"}}
    chat(
        "conversations with calls and observations",
        "sharegpt",
        lambda s, i: {
            "tools": json.dumps([call]),
            "conversations": [said("human", ask(s)), said("function_call", json.dumps(call)), said("observation", "x"), said("gpt", s["answer"])],
        },
        lambda s, i: [
            user(ask(s)),
            {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": call}]},
            {"role": "tool", "content": "x"},
        ],
        "thinker",
        tools=[call],
    )


def pairs() -> None:
    joined = lambda s, i: [user(f"{s['question']}\n{s['context']}")]
    chat("instruction, input and output", "alpaca", lambda s, i: {"instruction": s["question"], "input": s["context"], "output": s["answer"]}, joined)
    chat("instruction and output", "alpaca", lambda s, i: {"instruction": ask(s), "input": "", "output": s["answer"]}, plain)
    chat("instruction, context and response (Dolly)", "alpaca", lambda s, i: {"instruction": s["question"], "context": s["context"], "response": s["answer"]}, joined)
    chat(
        "instruction and output with a text that holds both",
        "alpaca",
        lambda s, i: {"instruction": ask(s), "output": s["answer"], "text": f"### Instruction:\n{ask(s)}\n\n### Response:\n{s['answer']}"},
        plain,
    )
    alpaca = lambda s, i: [{**user(f"{s['question']}\n{s['context']}"), "instruction": s["question"], "input": s["context"]}]
    chat("instruction, input and output under alpaca", "alpaca", lambda s, i: {"instruction": s["question"], "input": s["context"], "output": s["answer"]}, alpaca, "alpaca")
    chat(
        "instruction with history and system message (LLaMA-Factory)",
        "alpaca",
        lambda s, i: {"instruction": ask(s), "input": "", "output": s["answer"], "system": "Be brief.", "history": [["hello", "hi"]]},
        lambda s, i: [system("Be brief."), user("hello"), assistant("hi"), user(ask(s))],
    )
    case(
        "several outputs",
        "alpaca",
        [{"instruction": ask(s), "output": [s["answer"], "or so"]} for s in SAMPLES],
        [render(plain(s, 0), "chatml") for s in SAMPLES],
        [[s["answer"], "or so"] for s in SAMPLES],
        template="chatml",
    )
    chat("prompt and completion", "prompt-completion", lambda s, i: {"prompt": ask(s), "completion": s["answer"]}, plain)
    chat("prompt and response", "prompt-completion", lambda s, i: {"prompt": ask(s), "response": s["answer"]}, plain)
    chat(
        "prompt and completion as messages (TRL)",
        "prompt-completion",
        lambda s, i: {"prompt": [system("Be brief."), user(ask(s))], "completion": [assistant(s["answer"])]},
        lambda s, i: [system("Be brief."), user(ask(s))],
    )
    chat(
        "query, response and history (ms-swift)",
        "prompt-completion",
        lambda s, i: {"query": ask(s), "response": s["answer"], "history": [["hello", "hi"]]},
        lambda s, i: [user("hello"), assistant("hi"), user(ask(s))],
    )
    chat(
        "system_prompt, question and response (OpenOrca)",
        "prompt-completion",
        lambda s, i: {"id": f"o{i}", "system_prompt": "Be brief.", "question": ask(s), "response": s["answer"]},
        lambda s, i: [system("Be brief."), user(ask(s))],
        ids=["o0", "o1", "o2"],
    )
    marked = lambda s: f"### Instruction:\n{ask(s)}\n\n### Response:\n"
    case(
        "a prompt that is in a template already",
        "prompt-completion",
        [{"prompt": marked(s), "completion": f" {s['answer']}"} for s in SAMPLES],
        [marked(s) for s in SAMPLES],
        [s["answer"] for s in SAMPLES],
        template="chatml",
    )


def preferences() -> None:
    chat("prompt, chosen and rejected", "preference", lambda s, i: {"prompt": ask(s), "chosen": s["answer"], "rejected": "no"}, plain)
    chat(
        "chosen and rejected as whole conversations",
        "preference",
        lambda s, i: {"prompt": ask(s), "chosen": [user(ask(s)), assistant(s["answer"])], "rejected": [user(ask(s)), assistant("no")]},
        plain,
    )
    chat(
        "prompt, chosen and rejected as messages (TRL)",
        "preference",
        lambda s, i: {"prompt": [user(ask(s))], "chosen": [assistant(s["answer"])], "rejected": [assistant("no")]},
        plain,
    )
    chat(
        "instruction, input, chosen and rejected (LLaMA-Factory)",
        "preference",
        lambda s, i: {"instruction": s["question"], "input": s["context"], "chosen": s["answer"], "rejected": "no"},
        lambda s, i: [user(f"{s['question']}\n{s['context']}")],
    )
    chat(
        "transcripts of a human and an assistant",
        "preference",
        lambda s, i: {
            "chosen": f"\n\nHuman: hello\n\nAssistant: hi\n\nHuman: {ask(s)}\n\nAssistant: {s['answer']}",
            "rejected": f"\n\nHuman: hello\n\nAssistant: hi\n\nHuman: {ask(s)}\n\nAssistant: no",
        },
        lambda s, i: [user("hello"), assistant("hi"), user(ask(s))],
    )
    liked = [s for s in SAMPLES for _ in (0, 1)]
    case(
        "completions that were liked or not",
        "kto",
        [{"prompt": ask(s), "completion": s["answer"] if i % 2 == 0 else "no", "label": i % 2 == 0} for i, s in enumerate(liked)],
        [render(plain(s, 0), "chatml") for s in SAMPLES],
        [s["answer"] for s in SAMPLES],
        template="chatml",
        ids=["line-1", "line-3", "line-5"],
        notes=["3 of 6 rows are answers that the label calls bad: they are left out."],
    )


def texts() -> None:
    for template in ("chatml", "llama3", "gemma", "zephyr", "alpaca", "mistral", "llama2", "vicuna"):
        prompts = [render(plain(s, 0), template) for s in SAMPLES]
        space = "" if prompts[0].endswith("\n") else " "
        ends = {"chatml": "<|im_end|>\n", "llama3": "<|eot_id|>", "gemma": "<end_of_turn>\n", "alpaca": "\n\n"}
        rows = [{"text": prompt + space + s["answer"] + ends.get(template, "</s>")} for prompt, s in zip(prompts, SAMPLES)]
        case(f"one text in {template}", "text", rows, prompts, [s["answer"] for s in SAMPLES], template="chatml")


openai()
sharegpt()
pairs()
preferences()
texts()
path = Path(__file__).parent / "fixtures" / "chat-layouts.json"
path.write_text(json.dumps({"templates": {"thinker": TEMPLATES["thinker"]}, "cases": cases}, indent=1, ensure_ascii=False) + "\n")
print(f"{len(cases)} cases")
