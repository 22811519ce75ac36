// Live pages: an event says that something changed, then htmx asks for the page again and morphs it into the one shown.
import { keep } from "./keeping.js";

const MOST_OFTEN = 700; // milliseconds between refreshes

let source = null;
let place = null;
let after = "0";
let waiting = false;
let again = false;

export function watch(main) {
  keep();
  document.addEventListener("htmx:afterSettle", () => document.dispatchEvent(new Event("refreshed")));
  document.addEventListener("htmx:beforeSwap", leave);
  if (!main) return;
  place = main;
  after = main.dataset.after ?? "0";
  if (!("ended" in main.dataset)) open();
  document.addEventListener("visibilitychange", () => {
    // Browsers allow few connections to one server: a page nobody looks at gives its own back.
    if (document.hidden) close();
    else if (!("ended" in main.dataset)) { open(); refresh(); }
  });
}

export function reopen() {
  if (!place) return;
  delete place.dataset.ended;
  refresh();
  if (!source) open();
}

function open() {
  if (source || document.hidden) return;
  source = new EventSource(`${place.dataset.watch}?after=${after}`);
  source.onopen = () => show("Live", false);
  source.onerror = () => show("Reconnecting", true);
  for (const kind of ["run", "row", "step", "review", "sealed"]) source.addEventListener(kind, heard);
  source.addEventListener("end", () => { close(); refresh(); });
}

function close() {
  source?.close();
  source = null;
  document.querySelector("#live").hidden = true;
}

function heard(event) {
  after = event.lastEventId || after;
  const row = place.dataset.row;
  if (row && event.type !== "run" && JSON.parse(event.data).row !== row) return;
  refresh();
}

export async function refresh() {
  if (waiting) { again = true; return; }
  waiting = true;
  // A fault is no news: the event source tells that the connection is gone, and asks again.
  await htmx.ajax("GET", location.pathname + location.search, { target: "#main", select: "#main", swap: "morph:outerHTML" }).catch(() => {});
  await new Promise((done) => setTimeout(done, MOST_OFTEN));
  waiting = false;
  if (again) { again = false; refresh(); }
}

// Asked for one page and sent to another, as to the login: then go there.
function leave(event) {
  const { xhr, requestConfig } = event.detail;
  // A part that asked for itself, and was refreshed with the whole page meanwhile, asks no more: this is older.
  if (requestConfig.elt.matches("[data-polls]:not([hx-get])")) { event.detail.shouldSwap = false; return; }
  const asked = new URL(requestConfig.path, location.href).pathname;
  if (xhr.responseURL && new URL(xhr.responseURL).pathname !== asked) { event.detail.shouldSwap = false; location.assign(xhr.responseURL); }
}

function show(text, off) {
  const badge = document.querySelector("#live");
  badge.hidden = false;
  badge.textContent = text;
  badge.classList.toggle("off", off);
}
