// The state of the page, and how it stands in the address, behind the `#`.
//
// What is behind it never leaves the browser by itself: it is in no log, and has no limit that a
// server sets. So a dropped picture can travel in it, made small, and whoever is sent the address
// finds the same; nothing is kept for it that could run out.

export const EMPTY = {
  collection: "", words: "", parts: [], filter: {}, concepts: {}, area: [], modality: "", sort: "", item: "",
  all: false, view: "", why: false, group: "", teach: false,
  from: "", to: "",
};

export const NARROW = { filter: {}, concepts: {}, area: [], modality: "" };

const PLAIN = { c: "collection", q: "words", kind: "modality", sort: "sort", item: "item", view: "view", group: "group",
  from: "from", to: "to" };

const FLAGS = ["all", "why", "teach"];

export function read(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state = { ...EMPTY };
  for (const [short, name] of Object.entries(PLAIN)) state[name] = given.get(short) ?? "";
  if (!["", "image", "text"].includes(state.modality)) state.modality = "";
  for (const name of FLAGS) state[name] = given.get(name) === "1";
  state.parts = given.getAll("p").map(part).filter(Boolean);
  state.area = (given.get("area") ?? "").split("_").map((one) => one.split(",").map(Number))
    .filter((one) => one.length === 2 && one.every(Number.isFinite));
  if (state.area.length < 3) state.area = [];
  state.concepts = Object.fromEntries(given.getAll("has").map((one) => /^([01](?:\.\d+)?):([^]+)$/.exec(one))
    .filter(Boolean).map(([, least, name]) => [name, Math.min(1, Number(least))]));
  try {
    const filter = JSON.parse(given.get("f") ?? "{}");
    if (filter && typeof filter === "object" && !Array.isArray(filter)) state.filter = filter;
  } catch { /* an address that was cut short: the rest of it still counts */ }
  return state;
}

export function write(state) {
  const said = new URLSearchParams();
  for (const [short, name] of Object.entries(PLAIN)) if (state[name]) said.set(short, state[name]);
  for (const one of state.parts) {
    const kind = ["text", "id", "image", "concept"].find((name) => one[name] !== undefined);
    said.append("p", `${one.weight}:${kind}:${one[kind]}`);
  }
  if (Object.keys(state.filter).length) said.set("f", JSON.stringify(state.filter));
  if (state.area.length) said.set("area", state.area.map((one) => one.join(",")).join("_"));
  for (const [name, least] of Object.entries(state.concepts)) said.append("has", `${least}:${name}`);
  for (const name of FLAGS) if (state[name]) said.set(name, "1");
  return `#${said}`;
}

function part(text) {
  const found = /^(-?\d+(?:\.\d+)?):(text|id|image|concept):([^]+)$/.exec(text);
  if (!found) return null;
  const weight = Math.max(-2, Math.min(2, Number(found[1])));
  return { weight, [found[2]]: found[3] };
}

/** What a request asks for; null where nothing is looked for. */
export function question(state) {
  const parts = state.parts.map(({ weight, text, id, image, concept }) => ({
    weight, ...(image ? { image: dataUrl(image) } : id ? { id } : concept ? { concept } : { text }),
  })).filter((one) => one.weight !== 0);
  const words = state.words.trim();
  if (words) parts.unshift({ text: words, weight: 1 });
  if (!parts.length) return null;
  return parts.length === 1 && parts[0].weight > 0 ? { ...parts[0], weight: 1 } : parts;
}

/** Whether something is named, which may not be there at all; of what is merely like a picture, something is always the nearest. */
export const isNamed = ({ words, parts }) =>
  Boolean(words.trim()) || parts.some((one) => (one.text || one.concept) && one.weight > 0);

/** What a request is narrowed to. */
export const narrowed = ({ modality, filter, concepts, area }) => ({
  ...(modality ? { modality } : {}),
  ...(Object.keys(filter).length ? { filter } : {}),
  ...(Object.keys(concepts).length ? { concepts } : {}),
  ...(area.length ? { area } : {}),
});

export const isNarrow = (state) => Object.keys(narrowed(state)).length > 0;

/** Base64 without the letters that an address would have to escape, and back. */
export const short = (base64) =>
  base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
export const dataUrl = (image) =>
  `data:image/webp;base64,${padded(image.replaceAll("-", "+").replaceAll("_", "/"))}`;
const padded = (base64) => base64 + "=".repeat((4 - (base64.length % 4)) % 4);
