// A pointer or a finger drags, two fingers pinch, and a touch that moves nothing is a tap. Knows no map.

const STIRRED = 4; // pixels up to which a touch is a tap

/** Follow what touches an element; `begins(event)` may take a touch for itself, then it is left alone. */
export function follow(canvas, { begins, dragged, pinched, tapped }) {
  const fingers = new Map();
  let isTap = false;
  canvas.addEventListener("pointerdown", (event) => {
    if (begins(event)) return;
    canvas.setPointerCapture(event.pointerId);
    isTap = fingers.size === 0;
    fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const from = fingers.get(event.pointerId), to = [event.offsetX, event.offsetY];
    if (!from || (isTap && apart(from, to) <= STIRRED)) return;
    isTap = false;
    const before = grip([...fingers.values()]);
    fingers.set(event.pointerId, to);
    const after = grip([...fingers.values()]);
    dragged(after.middle[0] - before.middle[0], after.middle[1] - before.middle[1]);
    if (before.wide && after.wide) pinched(after.wide / before.wide, ...after.middle);
  });
  const lifted = (event) => {
    if (fingers.delete(event.pointerId) && isTap && event.type === "pointerup") tapped(event.offsetX, event.offsetY);
    isTap = false;
  };
  canvas.addEventListener("pointerup", lifted);
  canvas.addEventListener("pointercancel", lifted);
}

const apart = ([x, y], [left, top]) => Math.hypot(x - left, y - top);

/** Where all fingers are together, and how far the first two are apart; 0 for one alone. */
const grip = (all) => ({
  middle: [0, 1].map((way) => all.reduce((sum, one) => sum + one[way], 0) / all.length),
  wide: all.length > 1 ? apart(all[0], all[1]) : 0,
});
