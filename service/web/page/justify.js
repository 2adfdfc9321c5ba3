// Puts pictures of any shape into rows that all reach from edge to edge. Knows no document.

export const GAP = 6;
const CARD = 1.3; // width to height of a text

/** Width to height of what an item looks like. */
export function shape(item) {
  if (item.modality === "text") return CARD;
  const { width, height } = item.metadata;
  if (!(width > 0 && height > 0)) return 1.4;
  return Math.max(0.5, Math.min(3, width / height));
}

/** Rows of boxes, `{top, height, boxes: [{index, left, width}]}`, and the height of all. */
export function justified(shapes, width, wished) {
  const rows = [];
  let top = 0, start = 0, sum = 0;
  const close = (end, height) => {
    let left = 0;
    const boxes = [];
    for (let index = start; index < end; index++) {
      const across = shapes[index] * height;
      boxes.push({ index, left, width: across });
      left += across + GAP;
    }
    rows.push({ top, height, boxes });
    top += height + GAP;
    start = end;
    sum = 0;
  };
  for (let index = 0; index < shapes.length; index++) {
    sum += shapes[index];
    const fit = (width - GAP * (index - start)) / sum;
    if (fit <= wished) close(index + 1, fit);
  }
  if (start < shapes.length) {
    const fit = (width - GAP * (shapes.length - start - 1)) / sum;
    close(shapes.length, Math.min(wished, fit));
  }
  return { rows, height: Math.max(0, top - GAP) };
}
