// Takes a catalog: checks it, shows all that is wrong with it, starts it.
import { post, toast } from "./http.js";

const COLUMNS = [["Line", "line"], ["Row", "row"], ["Column", "column"], ["Problem", "message"], ["Found", "found"], ["Expected", "expected"]];
let verdict = null;

export function take(drop) {
  if (!drop) return;
  verdict = drop.querySelector("#verdict");
  const input = drop.querySelector("#file");
  input.addEventListener("change", () => {
    if (input.files.length) check(input.files[0]);
    input.value = ""; // The same file, corrected, can be chosen again.
  });
  for (const kind of ["dragenter", "dragover"]) addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    check(event.dataTransfer.files[0]);
  });
}

async function check(file) {
  say(element("p", "note", `Checking ${file.name} …`));
  try {
    const found = await post("/api/v1/catalogs/validate", form(file));
    if (!found.valid) refuse(file, found);
    else if (found.warnings.length || found.estimate?.most_usd || remarks(found.estimate).length) ask(file, found);
    else await start(file, key());
  } catch (fault) {
    say(element("p", "bad", fault.message));
  }
}

function refuse(file, found) {
  if (found.denied.length) {
    const reasons = element("ul", "bad");
    reasons.append(...found.denied.map((reason) => element("li", "", reason)));
    say(element("p", "bad", `The policy does not let ${file.name} run. Nothing was started.`), reasons, ...warnings(found));
    return;
  }
  const many = found.errors_found === 1 ? "1 error" : `${found.errors_found} errors`;
  const kept = found.errors.length < found.errors_found ? `; the first ${found.errors.length} are shown` : "";
  say(element("p", "bad", `${file.name} has ${many}${kept}. Nothing was started.`), table(found.errors), ...warnings(found));
}

function ask(file, found) {
  const button = element("button", "button strong", `Run ${found.rows} ${found.rows === 1 ? "row" : "rows"}`);
  const once = key();
  button.addEventListener("click", async () => {
    button.disabled = true;
    try { await start(file, once); } catch (fault) { toast(fault.message, true); button.disabled = false; }
  });
  const odd = found.warnings.length ? [element("p", "", "Something in it may not be meant so:"), table(found.warnings)] : [];
  say(element("p", "", `${file.name} can run.`), ...costs(found.estimate), ...odd, button);
  button.focus();
}

async function start(file, once) {
  say(element("p", "note", `Starting ${file.name} …`));
  const submitted = await post("/api/v1/runs", form(file), { "idempotency-key": once });
  location.assign(`/runs/${encodeURIComponent(submitted.run)}`);
}

function costs(estimate) {
  if (!estimate) return [];
  const calls = `${estimate.calls.toLocaleString("en")} model ${estimate.calls === 1 ? "call" : "calls"}`;
  const price = element("p", "estimate");
  price.append(`${calls}, about `, element("strong", "", money(estimate.usd)), `, at most ${money(estimate.most_usd)}`);
  const models = element("ul", "note");
  models.append(...estimate.groups.map((one) => element("li", "", `${one.group || "default model"} (${one.model || "nobody"}): ${one.calls.toLocaleString("en")}, ${money(one.usd)}`)));
  const assumed = element("ul", "note");
  assumed.append(...assumptions(estimate).map((one) => element("li", "", one)));
  const said = remarks(estimate);
  const list = element("ul", "bad");
  list.append(...said.map((remark) => element("li", "", remark)));
  return [price, ...(estimate.groups.length > 1 ? [models] : []), ...(assumed.children.length ? [assumed] : []), ...(said.length ? [list] : [])];
}

function assumptions(estimate) {
  const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const tools = `Of the most, ${money(estimate.tools_usd)} is for ${count(estimate.tool_calls, "call")} after calls of tools.`;
  const cache = `${count(estimate.cacheable, "row")} may be answered by the cache; here all are asked anew.`;
  return [...(estimate.tool_calls ? [tools] : []), ...(estimate.cacheable ? [cache] : [])];
}

function remarks(estimate) {
  if (!estimate) return [];
  const short = estimate.shortages.map((one) => `Budget ${one.budget} (${one.period}) has ${money(one.left_usd)} left`
    + (one.certain ? ": rows will wait until somebody allows more." : ", which may not be enough."));
  const free = new Set(estimate.groups.flatMap((one) => one.unpriced));
  const unpriced = [...free].map((name) => `${name} has no price and counts as free.`);
  return [...short, ...unpriced, ...Object.values(estimate.unknown).map((why) => `${why}; its rows would fail.`)];
}

function money(usd) {
  const digits = usd && usd < 1 ? 4 : 2;
  return `$${usd.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

function warnings(found) {
  return found.warnings.length ? [element("p", "", "Also worth a look:"), table(found.warnings)] : [];
}

function form(file) {
  const data = new FormData();
  data.append("file", file, file.name);
  data.append("title", file.name.replace(/\.[^.]+$/, "").slice(0, 200) || "catalog");
  return data;
}

function table(faults) {
  const used = COLUMNS.filter(([, name]) => name === "line" || faults.some((fault) => fault[name]));
  const whole = element("table", "faults");
  whole.createTHead().insertRow().append(...used.map(([title]) => {
    const head = element("th", "", title);
    head.scope = "col";
    return head;
  }));
  const body = whole.createTBody();
  for (const fault of faults) {
    const row = body.insertRow();
    for (const [title, name] of used) {
      const cell = row.insertCell();
      cell.dataset.name = title;
      const text = String(fault[name] ?? "");
      if (name === "found" && text) cell.append(element("code", "", text));
      else cell.textContent = text || (name === "line" ? "file" : "");
    }
  }
  const scroll = element("div", "scroll");
  scroll.tabIndex = 0; // Keys scroll it too.
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "What was found in the file");
  scroll.append(whole);
  return scroll;
}

function say(...parts) {
  const box = element("div", "verdict");
  box.append(...parts);
  verdict.replaceChildren(box);
}

function element(tag, kind, text = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.textContent = text;
  return made;
}

function key() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
