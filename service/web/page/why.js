// Why a hit is one: what in a photo or which words speak for the question, and what each part gave.

import { question } from "./address.js";
import { el, fill, plural } from "./elements.js";
import { ask, at } from "./service.js";

const SHADE = 0.78; // of what says nothing, at most
const STEPS = 5; // strengths a word is marked with
const MOST_WORDS = 10;

/** Look into an item; `show` has where the picture and the text stand, `go` where words lead. */
export async function showWhy(state, item, show, go) {
  const asked = question(state), room = show.room;
  fill(room, el("p", { class: "small", role: "status" }, "Looking into it …"));
  const body = asked ? { query: asked, id: item.id } : { query: { id: item.id } };
  const found = await ask(at(state.collection, "/explain"), { body });
  if (!room.isConnected) return;
  if (asked && found.heat) heat(show.picture, found.heat);
  if (asked && found.words) marked(show.text, item.text ?? "", found.words);
  fill(room,
    asked ? [el("h3", {}, "Why it is here"), el("p", { class: "small" }, said(found)), faith(found)] : null,
    asked && found.parts.length > 1 ? parts(state, found) : null,
    mixture(found, go));
}

/** Take away what was drawn over the picture and the text. */
export function hideWhy(item, show) {
  fill(show.room);
  show.picture?.querySelector("canvas")?.remove();
  if (show.text) show.text.textContent = item.text ?? "";
}

function said({ heat: isPhoto, words, missing }) {
  if (isPhoto) return "What stays light speaks for what was asked.";
  if (words) return "Marked words speak for what was asked.";
  return missing ? `It cannot be shown piece by piece: ${missing}` : "";
}

function faith({ heat: isPhoto, words, faithfulness, is_faithful }) {
  if (!isPhoto && !words) return null;
  if (faithfulness === null) return el("p", { class: "doubt" }, "It is too short to try whether that is so.");
  const share = Math.round(Math.max(0, faithfulness) * 100);
  return el("p", { class: is_faithful ? "faith" : "doubt" },
    is_faithful ? "" : "Do not rely on this: taking these pieces away changes little more than taking any. ",
    el("span", {
      title: "The most telling quarter is taken away: the share of the fall that chance does not explain.",
    }, `Deletion test: ${share} %`));
}

/** Darken what says nothing. The browser makes the few cells smooth as it draws them larger. */
function heat(holder, { gave }) {
  if (!holder) return;
  const rows = gave.length, across = gave[0].length;
  const most = Math.max(...gave.flat(), 1e-9);
  const canvas = el("canvas", { width: across, height: rows, "aria-hidden": true });
  const drawing = canvas.getContext("2d");
  const pixels = drawing.createImageData(across, rows);
  gave.flat().forEach((one, i) => {
    pixels.data[4 * i + 3] = 255 * SHADE * (1 - Math.max(0, one) / most);
  });
  drawing.putImageData(pixels, 0, 0);
  holder.querySelector("canvas")?.remove();
  holder.append(canvas);
}

/** Mark words by what they gave. Places count characters as Python does, not halves of pairs. */
function marked(holder, text, words) {
  if (!holder) return;
  const letters = [...text];
  const most = Math.max(...words.map((one) => Math.abs(one.gave)), 1e-9);
  const shown = [];
  let from = 0;
  for (const { start, end, gave } of words) {
    shown.push(letters.slice(from, start).join(""));
    const strength = Math.round((STEPS * Math.abs(gave)) / most);
    const piece = letters.slice(start, end).join("");
    shown.push(strength ? el("mark", { class: `${gave < 0 ? "against" : "for"} strength-${strength}`, title: gave.toFixed(3) }, piece) : piece);
    from = end;
  }
  fill(holder, ...shown, letters.slice(from).join(""));
}

function parts(state, found) {
  const names = state.parts.filter((one) => one.weight !== 0).map((one) => (
    one.text ? `“${one.text}”` : one.concept ? `concept ${one.concept}` : one.image ? "a picture of yours" : one.id));
  if (state.words.trim()) names.unshift(`“${state.words.trim()}”`);
  const most = Math.max(...found.parts.map(Math.abs), 1e-9);
  return el("ul", { class: "gave", "aria-label": "What each part gave" }, found.parts.map((gave, i) => {
    const bar = el("i", { class: gave < 0 ? "against" : "" });
    bar.style.width = `${(100 * Math.abs(gave)) / most}%`;
    return el("li", {}, el("span", { class: "of", title: names[i] }, names[i]), el("span", { class: "much", "aria-hidden": true }, bar),
      el("span", { class: "count" }, `${gave < 0 ? "−" : "+"}${Math.abs(gave).toFixed(3)}`));
  }));
}

function mixture({ mixture: mixed }, go) {
  if (!mixed?.words.length) return null;
  const words = mixed.words.slice(0, MOST_WORDS);
  const left = mixed.words.length - words.length;
  return [el("h3", {}, "What is in it"),
    el("ul", { class: "mix" }, words.map(({ word, weight }) => el("li", {},
      el("button", { type: "button", "aria-label": `Search for ${word}`, onclick: () => go.words(word) },
        word, " ", el("span", { class: "count" }, weight.toFixed(2)))))),
    el("p", { class: "small" }, `Mixed like this, everyday words come nearest to it${left ? ` (and ${plural(left, "other", "others")})` : ""}: cosine ${mixed.cosine.toFixed(2)}`
      + (mixed.cosine < 0.5 ? ", so much of it is in no word." : "."))];
}
