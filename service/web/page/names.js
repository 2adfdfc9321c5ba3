// The names of groups over the map: above their points, few from afar, and never one over another.

import { el, plural } from "./elements.js";

const NEAR = 2.4; // zoom from which the lower level is named
const MARGIN = 6; // pixels between a name and the side of the map, at least
const BUTTONS = { wide: 60, high: 230 }; // pixels at the upper right that the map's buttons take
const LEGEND = 40; // pixels at the foot that the legend takes
const HIGH = 26; // pixels of a name
const APART = 12; // pixels between two names, at least
const EACH = 75; // pixels of the map's width for each name that is shown at once
const ABOVE = 0.85; // share of a group's points that lie below its name

export class Names {
  #names;

  /** `loaded` has the points, `enter(number)` is called for a name that is chosen. */
  constructor(groups, loaded, enter) {
    const tops = crowns(groups, loaded);
    this.#names = [...groups].sort((a, b) => b.items - a.items).map((group) => ({ group, top: tops.get(group.number) ?? group.y, label: el("button", {
      type: "button", class: group.parent === null ? "place upper" : "place", title: plural(group.items, "item", "items"),
      onclick: () => enter(String(group.number)),
    }, group.words.slice(0, group.parent === null ? 3 : 2).join(", ") || "unnamed") }));
  }

  get labels() { return this.#names.map(({ label }) => label); }

  /** Show those there is room for: the one that was gone into, then the largest first. */
  draw({ width, height, zoom, chosen, spot }) {
    const most = Math.max(4, Math.round(width / EACH)), taken = [];
    const isChosen = ({ group }) => String(group.number) === chosen;
    const inTurn = [...this.#names.filter(isChosen), ...this.#names.filter((one) => !isChosen(one))];
    for (const one of inTurn) {
      const { group, label } = one;
      const [middle, within] = spot(group.x, group.y), above = spot(group.x, one.top)[1];
      const isLevel = isChosen(one) || (group.parent === null) === (zoom < NEAR);
      const isThere = isLevel && taken.length < most && middle > 0 && within > 0 && middle < width && within < height;
      if (isThere && one.wide === undefined) {
        label.hidden = false;
        one.wide = label.offsetWidth;
      }
      const top = Math.max(MARGIN + HIGH / 2, Math.min(above, height - LEGEND));
      const right = width - (top < BUTTONS.high ? BUTTONS.wide : MARGIN) - one.wide / 2;
      const left = Math.max(MARGIN + one.wide / 2, Math.min(middle, right));
      const isFree = isThere && taken.every(([x, y, wide]) => Math.abs(y - top) > HIGH + APART / 2 || Math.abs(x - left) > (wide + one.wide) / 2 + APART);
      if (isFree) taken.push([left, top, one.wide]);
      if (label.hidden === isFree) label.hidden = !isFree;
      if (isFree) label.style.transform = `translate(${left}px, ${top}px) translate(-50%, -50%)`;
    }
  }
}

/** How high the points of each group reach, all but its highest few. */
function crowns(groups, { y, lower, parents }) {
  const heights = new Map(groups.map((one) => [one.number, []]));
  for (let i = 0; i < y.length; i++) {
    heights.get(lower[i])?.push(y[i]);
    heights.get(parents.get(lower[i]))?.push(y[i]);
  }
  return new Map([...heights].filter(([, all]) => all.length).map(([number, all]) => (
    [number, Float32Array.from(all).sort()[Math.floor(ABOVE * (all.length - 1))]])));
}
