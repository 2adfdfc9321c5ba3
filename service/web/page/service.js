// Asks the service. The key, where one is needed, is kept for this tab alone.

const KEPT = "nearfield-key";

export class Problem extends Error {
  constructor(status, told) {
    super(told.detail || told.title || `the service answered ${status}`);
    this.status = status;
    this.code = told.code ?? "";
  }
}

export const key = () => sessionStorage.getItem(KEPT) ?? "";
export const keepKey = (given) =>
  given ? sessionStorage.setItem(KEPT, given) : sessionStorage.removeItem(KEPT);

const headers = () => (key() ? { Authorization: `Bearer ${key()}` } : {});

async function fetched(path, options) {
  try {
    return await fetch(path, { ...options, headers: { ...options.headers, ...headers() } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The service does not answer. Is it still running?" });
  }
}

export async function ask(path, { method, body, form, signal } = {}) {
  const options = { method: method ?? (body || form ? "POST" : "GET"), signal };
  if (form) options.body = form;
  else if (body) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const answer = await fetched(path, options);
  const told = await answer.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return {};
  });
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

export const at = (collection, rest = "") =>
  `v1/collections/${encodeURIComponent(collection)}${rest}`;
export const itemAt = (collection, id) => at(collection, `/items/${encodeURIComponent(id)}`);

/** An image of an item. Where a key is needed the browser cannot fetch it by itself. */
export function picture(collection, item, size, alt = "") {
  const path = at(collection, `/thumbnails/${encodeURIComponent(item.id)}?size=${size}`);
  const image = document.createElement("img");
  image.alt = alt;
  image.decoding = "async";
  image.draggable = false;
  image.addEventListener("error", () => image.parentElement?.classList.add("gone"));
  image.addEventListener("load", () => image.classList.add("here"));
  if (key()) withKey(image, path);
  else image.src = path;
  return image;
}

async function withKey(image, path) {
  try {
    const answer = await fetched(path, {});
    if (!answer.ok) throw new Problem(answer.status, {});
    const url = URL.createObjectURL(await answer.blob());
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    image.src = url;
  } catch {
    image.parentElement?.classList.add("gone");
  }
}
