// Adds pictures to the collection, and says of each what became of it.

import { byId, el, plural } from "./elements.js";
import { ask, at } from "./service.js";

const AT_ONCE = 3;

/** Open the sheet; `done()` is called when something was stored. */
export function showUploads(collection, files, { done, needKey }) {
  const dialog = byId("uploads");
  const list = el("ul", { class: "files" });
  const bar = el("progress", { value: 0, max: 1, "aria-label": "How much is done" });
  const said = el("p", { role: "status" });
  const input = el("input", {
    type: "file", multiple: true, accept: "image/*", "aria-label": "Choose pictures",
    onchange: () => send([...input.files]),
  });
  bar.hidden = true;
  dialog.replaceChildren(
    el("div", { class: "head" }, el("h2", { id: "uploads-name" }, `Add to ${collection}`),
      el("button", { type: "button", class: "step", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    el("p", {}, "Pictures that are added here are stored in the collection and can be found at once. They stay on this service."),
    el("label", { class: "choose" }, input, el("span", {}, "Choose pictures")),
    bar, said, list);
  if (!dialog.open) dialog.showModal();
  if (files.length) send(files);

  async function send(chosen) {
    const rows = chosen.map((file) => ({ file, row: row(file) }));
    list.append(...rows.map((one) => one.row));
    const waiting = [...rows];
    let finished = 0, stored = 0, failed = 0;
    bar.hidden = false;
    bar.max = rows.length;
    const tell = () => {
      bar.value = finished;
      said.textContent = `${finished} of ${plural(rows.length, "picture", "pictures")} done`
        + (failed ? `, ${failed} failed` : "");
    };
    tell();
    const work = async () => {
      for (let one = waiting.shift(); one; one = waiting.shift()) {
        const outcome = await store(collection, one.file, needKey);
        finished += 1;
        if (outcome.status === "failed") failed += 1;
        else stored += 1;
        mark(one.row, outcome);
        tell();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (stored) done();
  }
}

async function store(collection, file, needKey) {
  const form = new FormData();
  form.append("files", file, file.name || "picture");
  try {
    const { items: [outcome] } = await ask(at(collection, "/items/upload"), { form });
    return { status: outcome.status, reason: outcome.error?.detail };
  } catch (error) {
    if (error.status === 401 || error.status === 403) needKey(error);
    return { status: "failed", reason: error.message };
  }
}

const row = (file) => el("li", {}, el("span", { class: "file" }, file.name || "picture"), el("span", { class: "became" }, "waiting"));

function mark(made, { status, reason }) {
  made.className = status;
  made.lastChild.textContent = { indexed: "added", unchanged: "is here already" }[status] ?? reason;
}
