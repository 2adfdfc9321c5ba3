// What there is: the collections, what they hold, and how well they are searched.

import { failures, keys } from "./administration.js";
import { byId, el, plural } from "./elements.js";
import { percent } from "./grid.js";

export function showCollections(collections, current, choose) {
  const dialog = byId("collections");
  dialog.replaceChildren(
    el("div", { class: "head" }, el("h2", { id: "collections-name" }, "Collections"),
      el("button", { type: "button", class: "step", "aria-label": "Close", onclick: () => dialog.close() }, "×")),
    ...collections.map((one) => el("article", { class: "collection" },
      el("h3", {}, el("button", {
        type: "button", class: "link", "aria-current": one.name === current ? "true" : undefined,
        onclick: () => { dialog.close(); choose(one.name); },
      }, one.name)),
      el("dl", {}, facts(one).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
      one.failed ? failures(one.name, one.failed) : null)),
    keys(),
    el("p", { class: "small" }, "Programs ask the same over HTTP: ", el("a", { href: "docs" }, "the reference"), "."));
  if (!dialog.open) dialog.showModal();
}

function facts(one) {
  const { index } = one;
  const rows = [
    ["Items", `${plural(one.images, "photo", "photos")}, ${plural(one.texts, "text", "texts")}`],
    ["Model", `${one.model}, ${one.dim} dimensions`],
    ["Search", index.kind === "exact" ? "exact: every vector is compared" : `graph (${index.kind}), ${index.quantisation}`],
  ];
  for (const [kind, name] of [["image", "a picture"], ["text", "words"]]) {
    const found = index.recall?.[kind];
    if (typeof found === "number") rows.push([`Recall, asked with ${name}`, percent(found)]);
  }
  if (index.bytes) rows.push(["Index", index.bytes < 1e6 ? `${Math.ceil(index.bytes / 1e3)} kB` : `${(index.bytes / 1e6).toFixed(1)} MB`]);
  return rows;
}
