// The ends of an axis that things are sorted along: words, a concept, or an item. Knows no hits.

import { byId, el, fill } from "./elements.js";
import { ask, at } from "./service.js";
import { thumb } from "./thumb.js";

const ITEM = "id:", CONCEPT = "concept:"; // as at a prompt
const ENDS = ["from", "to"];

/** An item as an end. */
export const itemAsEnd = (id) => ITEM + id;

/** An end as a request says it. */
export const endOf = (said) => said.startsWith(ITEM) ? { id: said.slice(ITEM.length) }
  : said.startsWith(CONCEPT) ? { concept: said.slice(CONCEPT.length) } : said;

/** An end within a sentence. */
export const inWords = (said) => said.startsWith(ITEM) ? "the chosen item"
  : said.startsWith(CONCEPT) ? `the concept ${said.slice(CONCEPT.length)}` : `“${said}”`;

/** Which end an open hit would become: the second where there is a first alone. */
export const nextEnd = ({ from, to }, id) => (from && !to && from !== itemAsEnd(id) ? "to" : "from");

/** Show the ends of a state; `change(state)` is called where one is taken away. */
export function showAxis(state, change) {
  byId("axis").hidden = state.view === "map" || !(state.from || state.to);
  for (const name of ENDS) {
    const said = state[name], input = byId(`axis-${name}`), chosen = byId(`axis-${name}-item`);
    const isItem = said.startsWith(ITEM);
    input.hidden = input.disabled = isItem; // one that is only hidden is still required
    chosen.hidden = !isItem;
    if (isItem) {
      input.value = "";
      fill(chosen, ...face(state.collection, endOf(said).id, () => {
        change({ [name]: "" });
        byId("axis").hidden = false; // also where no end is left: it is about to be said
        input.focus();
      }));
    } else if (said) input.value = said;
  }
}

/** What the form says; an end is empty where nothing was. */
export const saidIn = (state) => Object.fromEntries(ENDS.map((name) =>
  [name, state[name].startsWith(ITEM) ? state[name] : byId(`axis-${name}`).value.trim()]));

function face(collection, id, away) {
  return [thumb(collection, id), el("button", { type: "button", class: "away", "aria-label": "Say it in words instead", onclick: away }, "×")];
}

/** Offer the concepts of a collection as ends. */
export async function offerConcepts(collection) {
  const list = byId("axis-ends");
  if (list.dataset.of === collection) return;
  const { concepts } = await ask(at(collection, "/concepts"));
  fill(list, concepts.map(({ name }) => el("option", { value: CONCEPT + name })));
  list.dataset.of = collection;
}
