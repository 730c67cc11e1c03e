// What the page asks the server. An answer that is an error becomes an Error with the server's own line.

async function answer(response) {
  const type = response.headers.get("content-type") ?? "";
  const body = type.includes("json") ? await response.json() : null;
  if (!response.ok) throw new Error(body?.error ?? `The server answered ${response.status}.`);
  return body;
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is glassnet serve still running?", { cause: error });
  }
  return answer(response);
}

export const get = (path, options) => ask(path, options);

const send = (method) => (path, body = {}, options = {}) =>
  ask(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body), ...options });

export const post = send("POST");
export const replace = send("PUT");
export const remove = (path) => ask(path, { method: "DELETE" });

export const postImage = (path, blob, options = {}) =>
  ask(path, { method: "POST", headers: { "content-type": blob.type }, body: blob, ...options });

// Server-sent events: handlers by the event's name, each given what its data are as JSON, and the event's id. The browser
// asks again by itself where the connection is lost, of which `lost` is told. Returns what ends it.
export function events(path, handlers, lost = () => {}) {
  const source = new EventSource(path);
  for (const [name, handle] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => handle(JSON.parse(event.data), event.lastEventId));
  }
  source.addEventListener("error", lost);
  return () => source.close();
}
