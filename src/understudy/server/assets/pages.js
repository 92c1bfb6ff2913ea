"use strict";
const { csrf, task, page } = document.body.dataset;
const problem = document.getElementById("problem");

async function ask(method, path, body) {
  const answer = await fetch(`/v1/tasks/${encodeURIComponent(task)}/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error([found.error.message, found.error.hint].filter(Boolean).join(" "));
  return found;
}

async function tell(work) {
  if (problem) problem.textContent = "";
  try {
    return await work();
  } catch (error) {
    if (problem) problem.textContent = error.message;
  }
}

for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", () =>
    tell(async () => {
      button.disabled = true;
      try {
        await ask("POST", button.dataset.post, JSON.parse(button.dataset.body));
        location.reload();
      } finally {
        button.disabled = false;
      }
    }),
  );
}

const key = document.querySelector("#sign-in input[name=key]");
if (key) {
  key.value = new URLSearchParams(location.search).get("key") || "";
  history.replaceState(null, "", "/sign-in"); // the key leaves the address bar and the history
}

if (page === "review") review();

function review() {
  const at = (id) => document.getElementById(id);
  let open = null;
  let busy = false;
  let timer = 0;

  function shown(value) {
    return value === null ? "–" : typeof value === "number" && !Number.isInteger(value) ? value.toLocaleString("en", { maximumFractionDigits: 6 }) : String(value);
  }

  function show(found) {
    open = found;
    at("case").hidden = !found;
    at("empty").hidden = Boolean(found);
    at("skip").disabled = !found;
    clearTimeout(timer);
    if (!found) {
      at("left").textContent = "";
      timer = setTimeout(next, 5000);
      return;
    }
    at("left").textContent = `${found.waiting.toLocaleString("en")} waiting${found.blind ? " · blind: nothing of the model is shown" : ""}`;
    const rows = at("inputs").tBodies[0];
    rows.replaceChildren(
      ...Object.entries(found.inputs).map(([name, value]) => {
        const row = document.createElement("tr");
        const head = document.createElement("th");
        const cell = document.createElement("td");
        head.scope = "row";
        head.textContent = name;
        cell.textContent = shown(value);
        row.append(head, cell);
        return row;
      }),
    );
    const told = found.suggestion;
    at("suggestion").hidden = !told;
    if (told) at("suggestion").textContent = `It suggests ${told.decision}, with confidence ${(100 * told.confidence).toFixed(0)} %.`;
    at("facts").replaceChildren(
      ...(told ? told.facts : []).map((fact) => {
        const line = document.createElement("li");
        line.textContent = fact.words;
        return line;
      }),
    );
    at("facts").hidden = !told || !told.facts.length;
    at("answers").replaceChildren(...found.answers.map((answer, index) => answerButton(answer, index, told)));
    at("number").hidden = found.answers.length > 0;
    at("number").reset();
    at("note").value = "";
  }

  function answerButton(answer, index, told) {
    const button = document.createElement("button");
    button.append(`${answer} `);
    if (index < 9) {
      const hint = document.createElement("kbd");
      hint.textContent = index + 1;
      button.append(hint);
    }
    if (told && told.decision === answer) button.classList.add("suggested");
    button.addEventListener("click", () => give(answer));
    return button;
  }

  const once = (work) =>
    tell(async () => {
      if (busy) return;
      busy = true;
      try {
        await work();
      } finally {
        busy = false;
      }
    });
  const next = () => once(async () => show((await ask("GET", "reviews/next")).case));
  const give = (decision) =>
    once(async () => {
      if (!open) return;
      await ask("POST", "reviews", { id: open.id, decision, note: at("note").value || null });
      show((await ask("GET", "reviews/next")).case);
    });
  const skip = () =>
    once(async () => {
      if (!open) return;
      await ask("POST", "reviews/skip", { id: open.id });
      show((await ask("GET", "reviews/next")).case);
    });
  const undo = () =>
    once(async () => {
      await ask("POST", "reviews/undo", {});
      show((await ask("GET", "reviews/next")).case);
    });

  at("skip").addEventListener("click", skip);
  at("undo").addEventListener("click", undo);
  at("number").addEventListener("submit", (event) => {
    event.preventDefault();
    give(Number(new FormData(event.target).get("value")));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "s") skip();
    else if (event.key === "u") undo();
    else if (event.key === "n") {
      at("note").focus();
      event.preventDefault();
    } else if (open && /^[1-9]$/.test(event.key) && open.answers[event.key - 1] !== undefined) give(open.answers[event.key - 1]);
  });
  next();
}
