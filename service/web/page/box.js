// The box: words, and parts beside them (words, pictures, items), each with a weight.

import { dataUrl, short } from "./address.js";
import { byId, el } from "./elements.js";
import { thumb } from "./thumb.js";

const SIDE = 224; // pixels of the shorter side: as many as most models look at
const QUALITY = 0.7;

/** A picture as it travels in the address: a small WebP in base64. Throws where it is no picture. */
export async function shrunk(file) {
  let found;
  try {
    found = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || "What was pasted"} is no picture that this browser can read.`);
  }
  const scale = Math.min(1, SIDE / Math.min(found.width, found.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(found.width * scale));
  canvas.height = Math.max(1, Math.round(found.height * scale));
  const drawing = canvas.getContext("2d");
  drawing.imageSmoothingQuality = "high";
  drawing.drawImage(found, 0, 0, canvas.width, canvas.height);
  found.close();
  return short(canvas.toDataURL("image/webp", QUALITY).split(",")[1]);
}

/** Show the parts of a state; `change(parts, {settled})` is called with what they become. */
export function showParts(state, change) {
  const list = byId("parts");
  const held = list.contains(document.activeElement) ? document.activeElement.dataset.control : "";
  list.replaceChildren(...state.parts.map((part, number) => chip(state, part, number, change)));
  list.hidden = !state.parts.length;
  if (held) (list.querySelector(`[data-control="${held}"]`) ?? byId("words")).focus();
}

function chip(state, part, number, change) {
  const name = nameOf(part, number);
  const put = (weight, settled = true) =>
    change(state.parts.map((one, other) => (other === number ? { ...part, weight } : one)), { settled });
  const isMinus = part.weight < 0;
  const size = Math.abs(part.weight);
  const told = el("output", { class: "weight" }, size.toFixed(1));
  const slider = el("input", {
    type: "range", min: 0.1, max: 2, step: 0.1, value: size, "aria-label": `Weight of ${name}`,
    "data-control": `weight-${number}`,
    oninput: () => {
      told.textContent = Number(slider.value).toFixed(1);
      put((isMinus ? -1 : 1) * Number(slider.value), false);
    },
    onchange: () => put((isMinus ? -1 : 1) * Number(slider.value)),
  });
  return el("li", { class: isMinus ? "part minus" : "part" },
    el("button", {
      type: "button", class: "sign", "aria-pressed": String(isMinus), "data-control": `sign-${number}`,
      "aria-label": `Less of ${name}`, title: isMinus ? "Leads away from it" : "Leads to it",
      onclick: () => put(-part.weight),
    }, isMinus ? "−" : "+"),
    face(state, part),
    slider, told,
    el("button", {
      type: "button", class: "away", "aria-label": `Remove ${name}`, "data-control": `away-${number}`,
      onclick: () => change(state.parts.filter((_, other) => other !== number), { settled: true }),
    }, "×"));
}

const nameOf = (part, number) =>
  part.text ? `“${part.text}”` : part.concept ? `the concept ${part.concept}` : part.image ? `the picture (part ${number + 1})` : `the item ${part.id}`;

function face(state, part) {
  if (part.concept) return el("span", { class: "said concept" }, part.concept);
  if (part.text) return el("span", { class: "said" }, part.text);
  if (part.image) return el("img", { src: dataUrl(part.image), alt: "A picture of yours" });
  return thumb(state.collection, part.id);
}
