// Pictures that are dropped on the page or pasted, and hits that are dragged into the box.

import { byId } from "./elements.js";

const ID = "application/x-nearfield-id";

/** `find(files)`, `add(files)` and `like(id)` are called with what came. */
export function takeDrops({ find, add, like }) {
  const zones = byId("drop");
  let inside = 0;
  const holds = (event, kind) => event.dataTransfer?.types.includes(kind);
  const shut = () => { inside = 0; zones.hidden = true; };
  addEventListener("dragenter", (event) => {
    if (!holds(event, "Files")) return;
    inside += 1;
    zones.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (holds(event, "Files") && --inside <= 0) shut();
  });
  addEventListener("dragover", (event) => {
    const isHit = holds(event, ID) && event.target.closest?.("#box");
    if (holds(event, "Files") || isHit) event.preventDefault();
    for (const zone of zones.children) zone.classList.toggle("over", zone.contains(event.target));
  });
  addEventListener("drop", (event) => {
    const id = event.dataTransfer?.getData(ID);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!id && !files.length) return;
    event.preventDefault();
    const where = event.target.closest?.("[data-drop]")?.dataset.drop;
    shut();
    if (id) like(id);
    else if (where === "add") add(files);
    else find(files);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((one) => one.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    find(files);
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") shut(); });
}
