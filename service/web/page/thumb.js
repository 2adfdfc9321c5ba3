// An item that is named somewhere, small: a photo as itself, a text as a sign. Knows no hits.

import { el, nameOf } from "./elements.js";
import { ask, itemAt, picture } from "./service.js";

const SIZE = 128;
const known = new Map(); // what was named before: its chip is drawn again with every key

/** What stands for an item. What it is, is asked for first: there is no picture of a text. */
export function thumb(collection, id) {
  const sign = el("span", { class: "text-item", "aria-hidden": true }, "¶");
  const holder = el("span", { class: "thumb", title: id }, sign);
  item(collection, id).then((found) => {
    holder.title = nameOf(found);
    if (found.modality === "image") holder.prepend(picture(collection, found, SIZE, nameOf(found)));
    else holder.classList.add("text");
  }, () => holder.classList.add("gone")); // that it is gone, the question itself is told
  return holder;
}

function item(collection, id) {
  const path = itemAt(collection, id);
  if (!known.has(path)) {
    known.set(path, ask(path).catch((error) => {
      known.delete(path); // so that it is asked for again
      throw error;
    }));
  }
  return known.get(path);
}
