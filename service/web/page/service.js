// Asks the service. The key, where one is needed, is kept for this tab alone.

const KEPT = "nearfield-key";
const AT_ONCE = 4; // pictures
const TRIES = 3; // where the service has no room for a request
const LONGEST = 5; // seconds that are waited for it

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
  let answer = await fetched(path, options);
  for (let tries = 1; answer.status === 503 && tries < TRIES && answer.headers.has("Retry-After"); tries++) {
    await new Promise((done) => { setTimeout(done, 1000 * patience(answer)); });
    answer = await fetched(path, options); // stops where the signal says so
  }
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

/** Numbers of a kind, as `Float32Array`, that came as base64. */
export function column(base64, Kind) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}

/** An image of an item. Few are loaded at once, so that no question waits behind a hundred of them. */
export function picture(collection, item, size, alt = "") {
  const path = at(collection, `/thumbnails/${encodeURIComponent(item.id)}?size=${size}`);
  const image = document.createElement("img");
  image.alt = alt;
  image.decoding = "async";
  image.draggable = false;
  image.addEventListener("load", () => {
    URL.revokeObjectURL(image.src);
    image.classList.add("here");
  });
  image.addEventListener("error", () => gone(image));
  waiting.push({ image, path, tries: 0 });
  setTimeout(load); // once it is in the document
  return image;
}

const waiting = [];
let loading = 0;

const gone = (image) => image.parentElement?.classList.add("gone");

async function load() {
  while (loading < AT_ONCE && waiting.length) {
    const one = waiting.shift();
    if (one.image.isConnected) {
      loading += 1;
      fetchInto(one).finally(() => { loading -= 1; load(); });
    }
  }
}

async function fetchInto(one) {
  try {
    const answer = await fetched(one.path, { priority: "low" });
    if (answer.status === 503 && one.tries < TRIES) {
      one.tries += 1;
      setTimeout(() => { waiting.push(one); load(); }, 1000 * patience(answer));
    } else if (answer.ok) one.image.src = URL.createObjectURL(await answer.blob());
    else gone(one.image);
  } catch {
    gone(one.image);
  }
}

/** Seconds after which to ask again. */
const patience = (answer) => Math.min(LONGEST, Number(answer.headers.get("Retry-After")) || 1);
