// Filters from what the metadata of a collection holds: values with counts, ranges, dates.

import { isNarrow, narrowed } from "./address.js";
import { byId, el, fill, plural } from "./elements.js";
import { ask, at } from "./service.js";

const LAST = ["size", "modified", "width", "height", "suffix", "format", "name"];
const LISTED = 12; // values of a field
const COUNTED = 1000; // values of which it is asked how many are left
const NOTHING = { items: 0, others: 0, values: [] };
const HUMAN = { taken_at: "Taken", folder: "Folder", camera: "Camera", suffix: "File type",
  format: "Format", modified: "File changed", width: "Width in pixels", height: "Height in pixels", size: "File size in bytes",
  title: "Title", author: "Author", name: "File name", latitude: "Latitude", longitude: "Longitude",
  altitude: "Altitude" };

export const humanly = (field) => HUMAN[field] ?? field.replaceAll("_", " ");

/**
 * What all fields of the collection hold for this filter; each field that is filtered by, as if it were not.
 * What nothing has any more is told with 0, so that no field goes away while one narrows.
 */
export async function facets(state, signal) {
  const load = (given, values) => {
    const said = new URLSearchParams({ values });
    for (const [name, value] of Object.entries(given)) said.set(name, typeof value === "string" ? value : JSON.stringify(value));
    return ask(at(state.collection, `/facets?${said}`), { signal });
  };
  const given = narrowed(state), filtered = Object.keys(state.filter);
  const [whole, left, ...others] = await Promise.all([
    load({}, LISTED),
    isNarrow(state) ? load(given, COUNTED) : null,
    ...filtered.map((field) => load(narrowed({ ...state, filter: without(state.filter, field) }), COUNTED)),
  ]);
  if (!left) return { ...whole, whole };
  const fields = whole.fields.map((one) => {
    const from = filtered.includes(one.field) ? others[filtered.indexOf(one.field)] : left;
    const found = from.fields.find((other) => other.field === one.field);
    return kept(one, found ?? NOTHING, state.filter[one.field]?.$in ?? []);
  });
  return { ...left, fields, whole };
}

/** A field of the whole collection with the counts that are left of it; null where one is not known. */
function kept(whole, left, chosen) {
  const counts = new Map(left.values.map(({ value, count }) => [value, count]));
  const all = new Set([...whole.values.map((one) => one.value), ...left.values.slice(0, LISTED).map((one) => one.value), ...chosen]);
  const values = [...all].map((value) => ({ value, count: counts.get(value) ?? (left.others ? null : 0) }));
  const none = whole.steps?.map((step) => ({ ...step, count: 0 }));
  return { ...whole, items: left.items, values, steps: left.steps?.length ? left.steps : none,
    others: left.items - values.reduce((sum, { count }) => sum + (count ?? 0), 0) };
}

export const without = (filter, field) =>
  Object.fromEntries(Object.entries(filter).filter(([name]) => name !== field));

/** Whether some items would be left out by it: one value that all have is no choice. */
const tells = (one, items) =>
  (one.steps ? one.steps.filter((step) => step.count).length > 1 : one.values.length > 0)
  && (one.distinct > 1 || one.items < items);

const rank = ({ field }) =>
  field === "taken_at" ? -2 : field === "folder" ? -1 : LAST.indexOf(field) + 1;

/** Show what there is to filter by; `change(filter)` is called with what it becomes. */
export function showFilters(state, found, change) {
  const room = byId("filters");
  const open = new Set([...room.querySelectorAll("details")].filter((one) => one.open).map((one) => one.dataset.field));
  const known = new Set([...room.querySelectorAll("details")].map((one) => one.dataset.field));
  const held = document.activeElement?.dataset?.filter;
  const telling = new Set(found.whole.fields.filter((one) => tells(one, found.whole.items)).map((one) => one.field));
  const useful = found.fields
    .filter((one) => state.filter[one.field] !== undefined || telling.has(one.field))
    .sort((a, b) => rank(a) - rank(b));
  fill(room,
    el("h2", {}, "Filters"),
    el("p", { class: "small", id: "counts" }),
    useful.length ? null : el("p", { class: "small" }, "These items have no metadata to filter by."),
    ...useful.map((one, number) => {
      const isOpen = state.filter[one.field] !== undefined
        || (known.has(one.field) ? open.has(one.field) : number < 3);
      return el("details", { "data-field": one.field, open: isOpen },
        el("summary", {}, el("span", {}, humanly(one.field)), el("span", { class: "count" }, one.items.toLocaleString("en"))),
        one.steps ? range(state, one, change) : values(state, one, change));
    }));
  if (held) room.querySelector(`[data-filter="${CSS.escape(held)}"]`)?.focus();
}

/** What the counts are of: never of the hits alone. */
export function showCounted(items, isAsked) {
  byId("counts").textContent = isAsked ? `Counts are of all ${plural(items, "item", "items")} that may be found, not of the hits.` : "";
}

function values(state, facet, change) {
  const chosen = state.filter[facet.field]?.$in ?? [];
  const put = (value, isOn) => {
    const left = isOn ? [...chosen, value] : chosen.filter((one) => one !== value);
    const rest = without(state.filter, facet.field);
    change(left.length ? { ...rest, [facet.field]: { $in: left } } : rest);
  };
  return el("div", { class: "values", role: "group", "aria-label": humanly(facet.field) },
    facet.values.map(({ value, count }) => el("label", { class: count === 0 ? "none" : "" },
      el("input", {
        type: "checkbox", checked: chosen.includes(value), "data-filter": `${facet.field}=${value}`,
        onchange: (event) => put(value, event.target.checked),
      }),
      el("span", { class: "value", title: String(value) }, String(value) || "(empty)"),
      el("span", { class: "count" }, count?.toLocaleString("en")))),
    facet.others ? el("p", { class: "small" }, `${plural(facet.others, "item has", "items have")} other values`) : null);
}

function range(state, facet, change) {
  const set = state.filter[facet.field] ?? {};
  const most = Math.max(...facet.steps.map((step) => step.count), 1);
  const isDate = facet.kind === "date";
  const put = (bounds) => {
    const rest = without(state.filter, facet.field);
    const kept = Object.fromEntries(Object.entries(bounds).filter(([, one]) => one !== "" && one !== undefined));
    change(Object.keys(kept).length ? { ...rest, [facet.field]: kept } : rest);
  };
  const bars = facet.steps.map((step) => {
    const bar = el("button", {
      type: "button", disabled: !step.count, "data-filter": `${facet.field}>${step.from}`,
      "aria-label": `${shown(step.from, isDate)} to ${shown(step.to, isDate)}: ${plural(step.count, "item", "items")}`,
      title: `${shown(step.from, isDate)} – ${shown(step.to, isDate)}: ${step.count}`,
      onclick: () => put({ $gte: step.from, $lt: step.to }),
    }, el("i"));
    bar.firstChild.style.height = `${(100 * step.count) / most}%`;
    return bar;
  });
  const [low, high] = [["$gte", "From"], [set.$lt === undefined ? "$lte" : "$lt", "To"]].map(([bound, label]) =>
    el("label", {}, el("span", {}, label), el("input", {
      type: isDate ? "date" : "number", step: "any", "aria-label": `${humanly(facet.field)}: ${label.toLowerCase()}`,
      "data-filter": `${facet.field}${label}`,
      value: bound in set ? (isDate ? String(set[bound]).slice(0, 10) : set[bound]) : "",
      onchange: (event) => {
        const given = event.target.value;
        const other = label === "From" ? { $lte: set.$lte, $lt: set.$lt } : { $gte: set.$gte };
        const end = isDate && given ? `${given}~` : given; // all of that day
        put(label === "From" ? { ...other, $gte: isDate || given === "" ? given : Number(given) }
          : { ...other, [isDate ? "$lt" : "$lte"]: isDate || given === "" ? end : Number(given) });
      },
    })));
  return el("div", { class: "range" }, el("div", { class: "bars" }, bars), el("div", { class: "ends" }, low, high));
}

const shown = (value, isDate) =>
  isDate ? String(value).replace(/~$/, "").slice(0, 10) : Number(value).toLocaleString("en");

/** The filters that are set, each with a way to take it off; `change(state)` says what changes. */
export function showChosen(state, change) {
  const set = Object.entries(state.filter).map(([field, wanted]) =>
    [`${humanly(field)}: ${inWords(wanted)}`, { filter: without(state.filter, field) }]);
  for (const [name, least] of Object.entries(state.concepts)) {
    set.push([`Concept ${name}: at least ${Math.round(100 * least)} %`, { concepts: without(state.concepts, name) }]);
  }
  if (state.area.length) set.push(["An area of the map", { area: [] }]);
  byId("chosen").replaceChildren(...set.map(([name, left]) => el("li", {}, el("button", {
    type: "button", "aria-label": `Remove the filter ${name}`, onclick: () => change(left),
  }, `${name} `, el("span", { "aria-hidden": true }, "×")))));
}

function inWords(wanted) {
  if (wanted === null || typeof wanted !== "object") return String(wanted);
  if (Array.isArray(wanted.$in)) {
    return wanted.$in.length > 3 ? `${wanted.$in.length} values` : wanted.$in.join(", ");
  }
  const isDate = Object.values(wanted).some((value) => typeof value === "string");
  const low = wanted.$gte, high = wanted.$lte ?? wanted.$lt;
  if (low !== undefined && high !== undefined) return `${shown(low, isDate)} to ${shown(high, isDate)}`;
  if (low !== undefined) return `from ${shown(low, isDate)}`;
  return high !== undefined ? `to ${shown(high, isDate)}` : JSON.stringify(wanted);
}
