// Makes the map of a collection, and its groups with it, and says how far that is.

import { el } from "./elements.js";
import { askForKey } from "./keys.js";
import { ask, at } from "./service.js";

const WAIT = 700; // milliseconds between two looks at a map that is being built
const STEPS = { // what a map that is being built is doing
  reading: "Reading the items", words: "Choosing words", centring: "Preparing", neighbours: "Finding what is near what",
  layout: "Placing the items", groups: "Finding groups", outliers: "Finding what stands alone", trustworthiness: "Checking the map",
};

/** A button that makes it, or how far it is; `isWanted()` says whether somebody still looks, `done()` is called at the end. */
export function building(collection, { name, isBuilding, isWanted, done }) {
  const said = el("p", { role: "status" });
  const bar = el("progress", { max: 1, value: 0, "aria-label": "How much of the map is done", hidden: true });
  const watch = async () => {
    button.disabled = true;
    bar.hidden = false;
    for (;;) {
      const { state, building: now } = await ask(at(collection, "/map?points=false"));
      if (!isWanted()) return;
      if (state === "ready") break;
      if (state === "failed") throw new Error(now.failure);
      if (state === "none") throw new Error("Nobody is making it any more: the service was started anew meanwhile. Make it again.");
      said.textContent = now ? `${STEPS[now.step] ?? now.step} …` : "";
      bar.value = now?.done ?? 0;
      await new Promise((next) => { setTimeout(next, WAIT); });
    }
    await done();
  };
  const failed = (error) => {
    bar.hidden = true;
    button.disabled = false;
    const isKey = error.status === 401 || error.status === 403;
    said.textContent = isKey ? `This needs a key that may write: ${error.message}` : error.message;
    if (isKey) askForKey(said.textContent, begin);
  };
  const begin = () => {
    button.disabled = true;
    return ask(at(collection, "/map"), { body: {} }).then(watch).catch(failed);
  };
  const button = el("button", { type: "button", class: "strong", onclick: begin }, name);
  if (isBuilding) watch().catch(failed);
  return el("div", { class: "building" }, button, said, bar);
}
