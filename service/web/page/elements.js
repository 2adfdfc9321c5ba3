// Makes elements. Text is always set as text, so nothing that is stored can become markup.

export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Put these in the place of what an element holds; null is left out. */
export const fill = (holder, ...children) =>
  holder.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));

export const byId = (id) => document.getElementById(id);

export const plural = (count, one, many) =>
  `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** The last step of a path, for people. */
export const nameOf = (item) => item.metadata?.title || item.uri.split("/").pop() || item.uri;
