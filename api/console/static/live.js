// Live pages: an event says that something changed, then the page asks for itself and takes over the parts that differ.
// What a person has open, typed into or focused stays as it is.
const MOST_OFTEN = 700; // milliseconds between refreshes

let source = null;
let place = null;
let after = "0";
let waiting = false;
let again = false;

export function watch(main) {
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
  for (const kind of ["run", "row", "step", "review"]) source.addEventListener(kind, heard);
  source.addEventListener("end", () => { close(); place.dataset.ended = ""; refresh(); });
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
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    if (response.ok) {
      exchange(new DOMParser().parseFromString(await response.text(), "text/html"));
      document.dispatchEvent(new Event("refreshed"));
    }
  } catch { /* The event source tells that the connection is gone, and asks again. */ }
  await new Promise((done) => setTimeout(done, MOST_OFTEN));
  waiting = false;
  if (again) { again = false; refresh(); }
}

function exchange(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === part.dataset.shown) continue;
    const shown = next.innerHTML;
    if (part.contains(document.activeElement) && part.querySelector("form")) {
      if (next.querySelector("form")) continue;
    }
    if (typed(part) && next.querySelector("form")?.dataset.round === part.querySelector("form").dataset.round) continue;
    for (const details of part.querySelectorAll("details[open]")) {
      next.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
    }
    for (const box of part.querySelectorAll("[data-choose]:checked")) keep(box, next);
    const focus = focused(part);
    const scrolled = [...part.querySelectorAll("[data-scrolls]")].map((one) => [one.id, one.scrollLeft, one.scrollTop]);
    part.replaceChildren(...next.childNodes);
    part.dataset.shown = shown;
    for (const [id, left, top] of scrolled) document.getElementById(id)?.scrollTo({ left, top, behavior: "instant" });
    if (focus) part.querySelector(focus)?.focus({ preventScroll: true });
  }
}

function typed(part) {
  return [...part.querySelectorAll("form input:not([type=checkbox]), form textarea")].some((field) => field.value !== field.defaultValue);
}

function keep(box, next) {
  const { run, row } = box.dataset;
  next.querySelector(`[data-choose][data-run="${CSS.escape(run)}"][data-row="${CSS.escape(row)}"]`)?.setAttribute("checked", "");
}

function focused(part) {
  const active = document.activeElement;
  if (!part.contains(active) || active === part) return null;
  if (active.matches("a[href]")) return `a[href="${CSS.escape(active.getAttribute("href"))}"]`;
  if (active.dataset.post) {
    const row = active.dataset.row ? `[data-row="${CSS.escape(active.dataset.row)}"]` : "";
    return `[data-post="${CSS.escape(active.dataset.post)}"]${row}`;
  }
  if (active.matches("[data-scrolls]")) return `#${CSS.escape(active.id)}`;
  const details = active.closest("details[id]");
  return details ? `#${CSS.escape(details.id)} > summary` : null;
}

function show(text, off) {
  const badge = document.querySelector("#live");
  badge.hidden = false;
  badge.textContent = text;
  badge.classList.toggle("off", off);
}
