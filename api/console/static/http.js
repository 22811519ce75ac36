// Requests to the API. A fault becomes an Error with the envelope's message.
const csrf = document.querySelector('meta[name="csrf-token"]')?.content;

export function post(path, body, headers = {}, options = {}) {
  return send("POST", path, body, headers, options);
}

export async function send(method, path, body, headers = {}, options = {}) {
  const json = body !== undefined && !(body instanceof FormData);
  const response = await fetch(path, {
    ...options,
    method,
    headers: { accept: "application/json", ...(json ? { "content-type": "application/json" } : {}), ...(csrf ? { "x-csrf-token": csrf } : {}), ...headers },
    body: json ? JSON.stringify(body) : body,
  }).catch(() => { throw new Error("Prism does not answer; is it still running?"); });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const fault = new Error(answer.error?.message ?? `the server answered ${response.status}`);
  fault.details = answer.error?.details ?? {};
  throw fault;
}

export function toast(text, bad = false) {
  const note = document.createElement("p");
  note.className = bad ? "toast bad" : "toast";
  note.textContent = text;
  document.querySelector("#toasts").append(note);
  setTimeout(() => note.remove(), bad ? 9000 : 4500);
}
