// What the hits have in common, in words and concepts: one click adds it to the question, or takes it away.

import { byId, el, fill } from "./elements.js";
import { ask, at } from "./service.js";

const LOOKED_AT = 100; // hits
const FEW = 3; // hits that share nothing worth saying
const WORDS = 8;
const WEIGHT = 0.5;

/** Say it beneath the bar; `change(part)` is given what is added. */
export async function showMeanings(state, items, change) {
  const room = byId("meanings");
  fill(room);
  if (items.length < FEW) return;
  const ids = items.slice(0, LOOKED_AT).map((one) => one.id);
  const { words, concepts } = await ask(at(state.collection, "/concepts/meanings"), { body: { ids } });
  const said = new Set([...state.words.toLowerCase().split(/\s+/), ...state.parts.map((one) => (one.text ?? one.concept ?? "").toLowerCase())]);
  const shown = [
    ...concepts.filter((one) => one.items > 0 && !said.has(one.name.toLowerCase())).map((one) => ({ concept: one.name, count: one.items })),
    ...words.filter((one) => !said.has(one.word)).slice(0, WORDS).map((one) => ({ text: one.word })),
  ];
  if (!shown.length) return;
  fill(room, el("span", { class: "small" }, "In these:"), el("ul", {}, shown.map((one) => chip(one, change))));
}

function chip({ count, ...what }, change) {
  const name = what.text ?? what.concept;
  return el("li", { class: what.concept ? "concept" : "" },
    el("button", { type: "button", "aria-label": `More ${name}`, title: `More ${name}`, onclick: () => change({ weight: WEIGHT, ...what }) },
      name, count ? el("span", { class: "count" }, ` ${count}`) : null),
    el("button", { type: "button", class: "minus", "aria-label": `Less ${name}`, title: `Less ${name}`, onclick: () => change({ weight: -WEIGHT, ...what }) }, "−"));
}
