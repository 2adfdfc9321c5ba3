// What those who administer see: files that could not be read, and keys. Asked for only when it is opened.

import { el, fill, plural } from "./elements.js";
import { ask, at, keepKey } from "./service.js";

const PAGE = 100; // failures shown at once
const SCOPES = [["read", "may read"], ["write", "may read and write"], ["admin", "may do everything"]];

/** A line that opens; `load(room)` fills what is below it, each time. */
function opening(name, load) {
  const room = el("div", { class: "opened" });
  return el("details", { class: "more", ontoggle: (event) => {
    if (!event.target.open) return;
    load(room).catch((error) => fill(room, el("p", { class: "small", role: "alert" }, told(error))));
  } }, el("summary", {}, el("span", {}, name)), room);
}

const told = (error) => (error.status === 401 || error.status === 403
  ? `Only those who administer see this: ${error.message}` : error.message);

/** The files of a collection that could not be read, with the reason of each. */
export function failures(collection, count) {
  return opening(`${plural(count, "file", "files")} could not be read`, async (room) => {
    const list = el("ul", { class: "failures" });
    const more = el("button", { type: "button", class: "quiet", onclick: () => add() }, "Show more");
    const add = async () => {
      const offset = list.children.length;
      const { failed, count: all } = await ask(at(collection, `/failures?limit=${PAGE}&offset=${offset}`));
      list.append(...failed.map((one) => el("li", {}, el("b", {}, one.uri), el("span", { class: "became" }, one.reason),
        one.at ? el("span", { class: "count" }, `tried ${one.at.slice(0, 16).replace("T", " ")} UTC`) : null)));
      more.hidden = list.children.length >= all || !failed.length;
    };
    fill(room, list, more);
    await add();
  });
}

/** The keys there are, to make and to take back. */
export function keys() {
  return opening("Keys", (room) => show(room));
}

async function show(room, made = null) {
  const { keys: known } = await ask("v1/keys");
  const problem = el("p", { class: "small", role: "alert" });
  const attempt = async (work) => {
    try {
      await work();
    } catch (error) {
      problem.textContent = told(error);
    }
  };
  fill(room,
    made ? el("div", { class: "secret", role: "status" }, el("p", {}, `The key ${made.name}, shown this once:`), el("code", {}, made.key)) : null,
    known.length ? el("ul", { class: "failures" }, known.map((one) => row(one, () => attempt(async () => {
      await ask(`v1/keys/${encodeURIComponent(one.name)}`, { method: "DELETE" });
      await show(room);
    })))) : el("p", { class: "small" }, "There are none: whoever reaches this service may do everything. The first one must be one that may do everything."),
    form(!known.length, (body) => attempt(async () => {
      const key = await ask("v1/keys", { body });
      if (!known.length) keepKey(key.key); // from now on this page needs one, too
      await show(room, key);
    })),
    problem);
}

const row = (one, revoke) => el("li", {},
  el("b", {}, one.name),
  el("span", { class: "became" }, [SCOPES.find(([scope]) => scope === one.scope)?.[1] ?? one.scope,
    one.collections ? `in ${one.collections.join(", ")}` : "", one.rate ? `at most ${one.rate}` : ""].filter(Boolean).join(", ")),
  el("span", { class: "count" }, `made ${one.created.slice(0, 10)}`),
  el("button", { type: "button", "aria-label": `Take back the key ${one.name}`, onclick: revoke }, "Take back"));

function form(isFirst, make) {
  const name = el("input", { required: true, maxlength: 100, "aria-label": "Name of the key", placeholder: "laptop", pattern: "[a-zA-Z0-9_.\\-]+" });
  const scope = el("select", { "aria-label": "What it may do" },
    SCOPES.filter(([one]) => !isFirst || one === "admin").map(([value, said]) => el("option", { value }, said)));
  const only = el("input", { "aria-label": "Only for these collections", placeholder: "all collections" });
  return el("form", { class: "maker", onsubmit: (event) => {
    event.preventDefault();
    const collections = only.value.split(/[\s,]+/).filter(Boolean);
    make({ name: name.value.trim(), scope: scope.value, ...(collections.length ? { collections } : {}) });
  } }, name, scope, isFirst ? null : only, el("button", { class: "strong" }, "Make a key"));
}
