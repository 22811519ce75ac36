// The keyboard: one letter each, nowhere where a person types; none of them decides by itself.
import { toast } from "./http.js";

const PLACES = { r: "/", i: "/reviews", n: "/notifications", b: "/budgets", f: "/feedback", a: "/agents", e: "/experiments", u: "/usage", s: "/system" };
const FOLLOW = 1500; // milliseconds in which the second letter of two has to come

let leading = 0;

export function keys(root) {
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
    if (pressed(event.key)) event.preventDefault();
  });
}

function pressed(key) {
  if (Date.now() - leading < FOLLOW && PLACES[key]) { location.assign(PLACES[key]); return true; }
  leading = key === "g" ? Date.now() : 0;
  return help(key) || search(key) || decision(key) || items(key);
}

function help(key) {
  if (key !== "?") return false;
  document.querySelector("#help").showModal();
  return true;
}

function search(key) {
  const field = document.querySelector("input[type=search]");
  if (key !== "/" || !field) return false;
  field.focus();
  field.select();
  return true;
}

// In a review.
function decision(key) {
  const next = document.querySelector(`a[data-key="${CSS.escape(key)}"]`);
  if (next) { next.click(); return true; }
  const button = document.querySelector(`#decision [data-key="${CSS.escape(key)}"]`);
  if (!button) return false;
  if (button.dataset.edit !== undefined) button.click();
  else { button.scrollIntoView({ block: "center" }); button.focus(); }
  return true;
}

// In a list.
function items(key) {
  const all = [...document.querySelectorAll("[data-item]")];
  const here = all.findIndex((item) => item.contains(document.activeElement));
  if (key === "j" || key === "k") {
    const next = all[Math.min(Math.max(here + (key === "j" ? 1 : -1), 0), all.length - 1)];
    next?.querySelector("a").focus();
    return Boolean(next);
  }
  const box = all[here]?.querySelector("[data-choose]");
  if (key === "x" && box) { box.click(); return true; }
  return bulk(key, box);
}

// Approve or reject what is chosen, or else the one in focus: brings to the button, or to what it needs first.
function bulk(key, box) {
  const form = document.querySelector("[data-bulk]");
  const button = form?.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!button) return false;
  if (box && !document.querySelector("[data-choose]:checked")) box.click();
  if (form.hidden) { toast("Choose a review first: j and k move, x chooses"); return true; }
  const missing = [...form.querySelectorAll("input")].find((field) => !field.value && (field.required || (key === "r" && field.name === "comment")));
  (missing ?? button).focus();
  return true;
}
