import { Api, RequestError } from "./api.js";
import { byId } from "./elements.js";
import { Playground } from "./playground.js";
import type { ServerFacts } from "./server-facts.js";

const api = new Api();
const keyForm = byId("key-form", HTMLFormElement);
const key = byId("key", HTMLInputElement);

function say(words: string): void {
  const place = byId("failure", HTMLElement);
  place.textContent = words;
  place.hidden = words === "";
}

function askForKey(words: string): void {
  say(words);
  keyForm.hidden = false;
  key.focus();
}

/** Asks the server what it is and shows the page; where the key is wrong, asks for another. */
async function start(): Promise<void> {
  say("");
  try {
    const facts = await api.get<ServerFacts>("v1/boundary/info");
    keyForm.hidden = true;
    byId("play", HTMLElement).hidden = false;
    byId("about", HTMLElement).textContent = aboutOf(facts);
    new Playground(facts, api);
  } catch (error) {
    if (error instanceof RequestError && error.status === 401) {
      api.useKey(undefined);
      askForKey(error.message);
    } else {
      say(error instanceof Error ? error.message : String(error));
    }
  }
}

function aboutOf({ layers, run }: ServerFacts): string {
  const general = `An adapter of ${layers} layers, kept in the lowest K of them: K=0 is the base model, K=${layers} the full adapter.`;
  return [general, ...(run ? run.verdict.slice(0, 1) : [])].join(" ");
}

keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const given = key.value.trim();
  if (given === "") return;
  key.value = "";
  api.useKey(given);
  void start();
});

// The page knows whether a key is needed, so that it need not try without one.
if (document.body.dataset["key"] === "needed" && !api.hasKey) askForKey("");
else void start();
