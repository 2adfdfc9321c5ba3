// One hit, large: what is known of it, its copies, what lies around it, and where to go from here.

import { question } from "./address.js";
import { nextEnd } from "./axis.js";
import { building } from "./building.js";
import { byId, el, fill, nameOf, plural } from "./elements.js";
import { humanly } from "./filters.js";
import { inside, percent } from "./grid.js";
import { ask, at, itemAt, picture } from "./service.js";
import { hideWhy, showWhy } from "./why.js";

const TIERS = {
  identical: "The same file", same_picture: "The same picture", same_text: "The same text",
  near_copy: "A near copy",
};
const AROUND = 12;

/** Show an item; `go` has what can be done from here: `close, open, more, less, step, end, within`. */
export async function showHit(state, hits, go) {
  const dialog = byId("hit");
  const id = state.item;
  const place = hits.findIndex((one) => one.id === id);
  const item = hits[place] ?? await ask(itemAt(state.collection, id));
  const isPhoto = item.modality === "image";
  const copies = el("div", { class: "copies" });
  const home = el("div", { class: "home" });
  const why = el("div", { class: "why" });
  const shown = isPhoto ? large(state, item) : el("div", { class: "passage", tabindex: 0, role: "region", "aria-label": "The text" }, el("p", {}, item.text ?? "(no text is kept)"));
  const looks = { room: why, picture: shown.querySelector(".framed"), text: shown.querySelector("p:not(.missing)") };
  const around = el("div", { class: "around" }, el("p", { class: "small" }, "Looking for its like …"));
  const step = (by, label, sign) => el("button", {
    type: "button", class: "step", "aria-label": label, disabled: !hits[place + by] || place < 0,
    onclick: () => go.open(hits[place + by].id),
  }, sign);
  dialog.replaceChildren(
    el("div", { class: "head" },
      el("h2", { id: "hit-name", tabindex: -1 }, nameOf(item)),
      step(-1, "The hit before", "‹"), step(1, "The next hit", "›"),
      el("button", { type: "button", class: "step", "aria-label": "Close", onclick: go.close }, "×")),
    el("div", { class: "body" },
      el("div", { class: "side" }, shown,
        el("section", { class: "near", "aria-labelledby": "near-name" }, el("h3", { id: "near-name" }, "Most like it"), around)),
      el("div", { class: "facts" },
        el("div", { class: "ways" },
          el("button", { type: "button", class: "strong", onclick: () => go.more(item) }, "More like this"),
          el("button", {
            type: "button", onclick: () => go.less(item), disabled: !go.mayLess,
            title: go.mayLess ? "Leads away from it" : "Search for something first",
          }, "Less like this"),
          el("button", { type: "button", "aria-pressed": String(state.why), "data-why": true, onclick: () => go.why() },
            question(state) ? "Why?" : "What is in it?"),
          el("button", { type: "button", onclick: () => go.end(item), title: "Puts things in order between two of them" },
            nextEnd(state, id) === "to" ? "Sort up to this" : "Sort from this")),
        why,
        copies,
        home,
        facts(item, go))));
  if (!dialog.open) dialog.showModal();
  byId("hit-name").focus();
  dialog.scrollTop = 0;
  dialog.onkeydown = (event) => {
    if (event.target.closest("input, .passage")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && place >= 0 && hits[place + by]) go.open(hits[place + by].id);
  };
  const still = () => dialog.open && dialog.dataset.item === id;
  dialog.dataset.item = id;
  dialog.look = (isWhy) => {
    dialog.querySelector("[data-why]").setAttribute("aria-pressed", String(isWhy));
    if (!isWhy) hideWhy(item, looks);
    else showWhy(state, item, looks, go).catch((error) => fill(why, el("p", { class: "small" }, error.message)));
  };
  if (state.why) dialog.look(true);
  const [same, near, grouped] = await Promise.allSettled([
    ask(at(state.collection, "/check"), { body: { query: { id }, k: 50, least: "near_copy" } }),
    ask(at(state.collection, "/query"), { body: { query: { id }, k: AROUND, min_relevance: 0 } }),
    ask(groupOf(state.collection, id)),
  ]);
  if (!still()) return;
  copies.replaceChildren(...told(same, (answer) => tiers(state, answer.matches, go)));
  const group = (answer) => belongs(answer, go, () => building(state.collection, {
    name: "Find groups", isBuilding: answer.state === "building", isWanted: still,
    done: async () => {
      const found = await ask(groupOf(state.collection, id));
      if (still()) fill(home, group(found));
    },
  }));
  fill(home, ...told(grouped, (answer) => [group(answer)]));
  around.replaceChildren(...told(near, (answer) => [strip(state, answer.hits, go)]));
}

const groupOf = (collection, id) => at(collection, `/groups?${new URLSearchParams({ id })}`);

const told = (settled, show) => settled.status === "fulfilled"
  ? show(settled.value) : [el("p", { class: "small" }, settled.reason.message)];

function large(state, item) {
  const holder = el("div", { class: "large" });
  const framed = el("div", { class: "framed" });
  framed.append(picture(state.collection, item, 1024, nameOf(item)));
  holder.append(framed);
  holder.append(el("p", { class: "missing" }, "The file is gone, or was changed since it was indexed."));
  return holder;
}

function facts(item, go) {
  const { folder, ...rest } = item.metadata;
  if (rest.name === item.uri.split("/").pop()) delete rest.name; // it stands in the line above
  const rows = [["File", item.uri]];
  if (typeof item.relevance === "number") rows.push(["Relevance", percent(item.relevance)]);
  if (typeof item.score === "number") rows.push(["Likeness", [item.score.toFixed(3), el("span", { class: "small" }, " cosine")]]);
  if (item.passage) rows.push(["Part of the text", `${item.passage.number + 1} of ${item.passage.of}`]);
  for (const [field, value] of Object.entries(rest)) rows.push([humanly(field), readable(field, value)]);
  return el("dl", {}, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    folder ? el("div", {}, el("dt", {}, "Folder"),
      el("dd", {}, el("button", { type: "button", class: "link", onclick: () => go.within(folder) }, folder))) : null);
}

function readable(field, value) {
  if (field === "size" && typeof value === "number") {
    return value < 1e6 ? `${Math.ceil(value / 1e3)} kB` : `${(value / 1e6).toFixed(1)} MB`;
  }
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value)) return value.slice(0, 16).replace("T", " ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The group it is in, in two levels; where nobody looked for groups yet, `offer()` to do so. */
function belongs({ groups, spot, state }, go, offer) {
  if (!spot) {
    return state === "ready" ? null : [el("h3", {}, "Its group"), el("p", { class: "small" },
      "Nobody has looked for groups in this collection yet. It takes a moment, in large collections a few minutes."), offer()];
  }
  const lower = groups.find((one) => one.number === spot.group);
  const upper = groups.find((one) => one.number === lower?.parent);
  const ways = [upper, lower].filter(Boolean).map((one) => el("button", {
    type: "button", class: "link", title: plural(one.items, "item", "items"), onclick: () => go.group(String(one.number)),
  }, one.words.slice(0, 3).join(", ") || "unnamed"));
  return ways.length ? [el("h3", {}, "Its group, on the map"),
    el("p", { class: "levels" }, ways[0], ...ways.slice(1).flatMap((one) => [el("span", { "aria-hidden": true }, " › "), one]))] : null;
}

function tiers(state, matches, go) {
  if (!matches.length) return [el("p", { class: "small" }, "No copies of it are here.")];
  return Object.entries(TIERS).flatMap(([tier, name]) => {
    const of = matches.filter((one) => one.tier === tier);
    return of.length ? [el("h3", {}, `${name}: ${of.length.toLocaleString("en")} more`), strip(state, of, go)] : [];
  });
}

function strip(state, items, go) {
  if (!items.length) return el("p", { class: "small" }, "There is nothing else here.");
  return el("ul", { class: "strip" }, items.map((one) => el("li", {},
    el("button", {
      type: "button", class: `card ${one.modality}`, onclick: () => go.open(one.id),
      "aria-label": `${one.modality === "image" ? "Photo" : "Text"} ${nameOf(one)}`, title: one.uri,
    }, ...inside(state.collection, { ...one, relevance: undefined }, 256)))));
}
