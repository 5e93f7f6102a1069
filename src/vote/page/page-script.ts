/**
 * The script of the page people vote on. Answers become text nodes, never markup. It knows places in the voter's order and tokens; whose
 * answers it shows, it is never told.
 */
export const voteScript = `"use strict";
(() => {
  const by = (id) => document.getElementById(id);
  const questions = Array.from(document.querySelectorAll("[data-question]"));
  const fixedVoter = document.body.dataset.voter;
  let voter = fixedVoter || sessionStorage.getItem("voter") || "";
  let key = sessionStorage.getItem("apiKey") || "";
  let item;
  let progress;
  let busy = false;

  const ask = async (address, body) => {
    const headers = { "content-type": "application/json" };
    if (key) headers.authorization = "Bearer " + key;
    const response = await fetch(address, { method: "POST", headers, body: JSON.stringify({ voter, ...body }) });
    const answer = await response.json();
    if (response.ok) return answer;
    const error = new Error(answer.error ? answer.error.message : "The server said no.");
    error.status = response.status;
    throw error;
  };
  const run = async (task) => {
    if (busy) return;
    busy = true;
    try {
      await task();
      by("problem").hidden = true;
    } catch (error) {
      const lost = error instanceof TypeError;
      by("problem").textContent = lost ? "The server cannot be reached. Nothing was saved just now; try again." : error.message;
      by("problem").hidden = false;
      if (error.status === 401) show("who");
    } finally {
      busy = false;
    }
  };
  const show = (part) => {
    for (const id of ["who", "ask", "end"]) by(id).hidden = id !== part;
    by("leave").hidden = part === "who" || fixedVoter !== "";
    by("bar").hidden = part === "who";
  };
  const showProgress = () => {
    const { done, total, skipped } = progress;
    by("progress").textContent = voter + ": " + done + " of " + total + " done" + (skipped ? ", " + skipped + " skipped" : "");
    by("bar").max = total;
    by("bar").value = done;
  };
  const textBox = (element, text) => {
    element.textContent = text === "" ? "(an empty answer)" : text;
    element.classList.toggle("empty", text === "");
  };
  const made = (name, text) => {
    const element = document.createElement(name);
    element.textContent = text;
    return element;
  };

  const mark = (at) => {
    questions.forEach((one, i) => {
      one.classList.toggle("current", i === at);
      if (i === at) one.setAttribute("aria-current", "true");
      else one.removeAttribute("aria-current");
    });
  };
  const markInSight = (at) => {
    mark(at);
    questions[at].scrollIntoView({ block: "nearest" });
  };
  const marked = () => questions.findIndex((one) => one.classList.contains("current"));
  const verdicts = () => Object.fromEntries(new FormData(by("verdicts")));

  const showItem = async (at) => {
    item = await ask("/api/item", { at });
    by("ask-title").textContent = "Pair " + (item.at + 1) + " of " + item.total;
    const fields = item.fields.map(({ name, text }) => {
      const row = document.createElement("div");
      const value = made("dd", text);
      value.className = "text";
      value.dir = "auto";
      row.append(made("dt", name), value);
      return row;
    });
    by("fields").replaceChildren(...fields);
    by("references").open = false;
    const references = item.references.map((text) => {
      const box = made("div", text === "" ? "(none)" : text);
      box.className = "text";
      box.dir = "auto";
      return box;
    });
    by("reference-texts").replaceChildren(...references);
    textBox(by("a"), item.a);
    textBox(by("b"), item.b);
    for (const radio of document.querySelectorAll("#verdicts input")) radio.checked = item.verdicts[radio.name] === radio.value;
    by("back").disabled = item.at === 0;
    mark(0);
    show("ask");
    by("ask-title").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  };
  const showEnd = () => {
    const { done, total, skipped } = progress;
    const rest = skipped ? " You skipped " + skipped + "." : "";
    by("end-text").textContent = "You voted on " + done + " of " + total + " pairs; every vote is kept." + rest + " You can close this page.";
    by("again").hidden = skipped === 0;
    show("end");
    by("end-title").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  };
  const goOn = async (to) => {
    progress = to;
    if (progress.next === null) showEnd();
    else await showItem(progress.next);
    showProgress();
  };
  const send = (given) => run(async () => goOn(await ask("/api/vote", { at: item.at, token: item.token, verdicts: given })));
  const save = () => {
    const given = verdicts();
    if (given.overall) return void send(given);
    markInSight(questions.length - 1);
    by("problem").textContent = "Answer “Overall” first, or skip the pair.";
    by("problem").hidden = false;
  };
  const skip = () => send({});
  const back = () => run(async () => { if (item.at > 0) await showItem(item.at - 1); });
  const begin = () => run(async () => {
    const started = await ask("/api/start", {});
    sessionStorage.setItem("voter", voter);
    if (key) sessionStorage.setItem("apiKey", key);
    await goOn(started);
  });

  by("who").addEventListener("submit", (event) => {
    event.preventDefault();
    if (by("name")) voter = by("name").value.trim();
    if (by("key")) key = by("key").value;
    begin();
  });
  by("verdicts").addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  by("verdicts").addEventListener("change", (event) => {
    mark(questions.indexOf(event.target.closest("fieldset")));
    by("problem").hidden = true;
  });
  by("skip").addEventListener("click", skip);
  by("back").addEventListener("click", back);
  by("again").addEventListener("click", () => run(() => showItem(progress.firstSkipped)));
  by("last").addEventListener("click", () => run(() => showItem(progress.total - 1)));
  by("leave").addEventListener("click", () => {
    sessionStorage.removeItem("voter");
    voter = "";
    by("name").value = "";
    by("progress").textContent = "";
    show("who");
    by("name").focus();
  });

  const choose = (value) => {
    const at = marked();
    const radio = questions[at].querySelector('input[value="' + value + '"]');
    radio.checked = true;
    by("problem").hidden = true;
    if (at === questions.length - 1) save();
    else markInSight(at + 1);
  };
  const actions = {
    1: () => choose("a"),
    2: () => choose("tie"),
    3: () => choose("b"),
    u: () => markInSight(Math.max(0, marked() - 1)),
    s: skip,
    b: back,
    enter: save,
  };
  document.addEventListener("keydown", (event) => {
    if (by("ask").hidden || !by("keys").checked || busy || event.repeat) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const pressed = event.key.toLowerCase();
    // Enter belongs to a button, a link or a summary that has the focus.
    if (pressed === "enter" && event.target.closest("button, a, summary, form")) return;
    const action = actions[pressed];
    if (!action) return;
    event.preventDefault();
    action();
  });

  if (voter && (key || !by("key"))) begin();
  else {
    show("who");
    (by("name") || by("key")).focus();
  }
})();
`;
