// Why a hit is one: what in a photo or which words speak for the question, and what each part gave.

import { question } from "./address.js";
import { el, fill } from "./elements.js";
import { ask, at } from "./service.js";

const SHADE = 0.78; // of what says nothing, at most
const STEPS = 5; // strengths a word is marked with
const FEW_WORDS = 3;

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
    asked ? [el("h3", {}, "Why it is here"), el("p", {}, standing(state, item, found)), el("p", { class: "small" }, said(found)), doubt(found)] : null,
    also(state, found, go),
    account(state, found, asked, go));
}

/** Take away what was drawn over the picture and the text. */
export function hideWhy(item, show) {
  fill(show.room);
  show.picture?.querySelector("canvas")?.remove();
  if (show.text) show.text.textContent = item.text ?? "";
}

/** The one sentence: how near it is, among its kind. */
function standing(state, { modality }, { nearer_than: share, score }) {
  const named = names(state), what = named.length === 1 ? named[0] : "what was asked";
  const kind = modality === "image" ? "photos" : "texts";
  if (share === null) return `Its likeness to ${what} is ${score.toFixed(2)} (cosine); there are too few ${kind} here to compare it with.`;
  const farther = Math.min(99, Math.floor(100 * share)); // a sample never tells of all
  return share < 0.5
    ? `It is not near to ${what}: ${100 - farther} of 100 ${kind} here are nearer.`
    : `It is nearer to ${what} than ${farther} of 100 ${kind} here.`;
}

function said({ heat: isPhoto, words, missing }) {
  if (isPhoto) return "What stays light speaks for it.";
  if (words) return "Marked words speak for it.";
  return missing ? `It cannot be shown piece by piece: ${missing}` : "";
}

/** Whether the pieces that are shown are to be believed. */
function doubt({ heat: isPhoto, words, faithfulness, is_faithful }) {
  if (is_faithful || (!isPhoto && !words)) return null;
  return el("p", { class: "doubt" }, faithfulness === null
    ? "It is too short to try whether that is so."
    : `Do not rely on ${isPhoto ? "the light" : "the marks"}: other pieces count nearly as much.`);
}

/** The few words that are truly near to it, each a way to search. */
function also(state, { mixture: mixed }, go) {
  if (!mixed) return null;
  const asked = new Set([state.words, ...state.parts.map((one) => one.text ?? "")].join(" ").toLowerCase().match(/\p{L}+/gu));
  const near = mixed.near.filter((word) => !word.split(" ").some((one) => asked.has(one))).slice(0, FEW_WORDS);
  const isAsked = question(state) !== null;
  if (!near.length) return isAsked ? null : el("p", {}, "No everyday word is truly near to it.");
  return [el("h3", {}, isAsked ? "What the model also sees" : "What the model sees"),
    el("ul", { class: "mix also" }, near.map((word) => el("li", {}, way(word, go))))];
}

const way = (word, go, ...more) =>
  el("button", { type: "button", "aria-label": `Search for ${word}`, onclick: () => go.words(word) }, word, ...more);

/** Everything else, for those who want it. */
function account(state, found, asked, go) {
  const told = [asked && found.parts.length > 1 ? parts(state, found) : null, asked ? tried(found) : null, mixture(found, go)];
  if (told.every((one) => one === null)) return null;
  return el("details", { class: "account" }, el("summary", {}, el("span", {}, "In numbers")), ...told.flat());
}

function tried({ heat: isPhoto, words, faithfulness }) {
  if (faithfulness === null || (!isPhoto && !words)) return null;
  const share = Math.round(Math.max(0, faithfulness) * 100);
  return el("p", { class: "small" }, `Deletion test: ${share} %. The most telling quarter is taken away: so much of the fall is not chance.`);
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

/** The parts of the question as one says them. */
function names(state) {
  const named = state.parts.filter((one) => one.weight !== 0).map((one) => (
    one.text ? `“${one.text}”` : one.concept ? `the concept ${one.concept}` : one.image ? "your picture" : `the item ${one.id}`));
  return state.words.trim() ? [`“${state.words.trim()}”`, ...named] : named;
}

function parts(state, found) {
  const named = names(state);
  const most = Math.max(...found.parts.map(Math.abs), 1e-9);
  return el("ul", { class: "gave", "aria-label": "What each part gave" }, found.parts.map((gave, i) => {
    const bar = el("i", { class: gave < 0 ? "against" : "" });
    bar.style.width = `${(100 * Math.abs(gave)) / most}%`;
    return el("li", {}, el("span", { class: "of", title: named[i] }, named[i]), el("span", { class: "much", "aria-hidden": true }, bar),
      el("span", { class: "count" }, `${gave < 0 ? "−" : "+"}${Math.abs(gave).toFixed(3)}`));
  }));
}

function mixture({ mixture: mixed }, go) {
  if (!mixed?.words.length) return null;
  return [el("p", { class: "small" }, `A mix of these everyday words comes nearest to it: cosine ${mixed.cosine.toFixed(2)}`
    + (mixed.cosine < 0.5 ? ", so much of it is in no word." : ".")),
    el("ul", { class: "mix" }, mixed.words.map(({ word, weight }) => el("li", {},
      way(word, go, " ", el("span", { class: "count" }, weight.toFixed(2))))))];
}
