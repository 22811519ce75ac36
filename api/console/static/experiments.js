// Beginning an experiment: two variants and up to three more.
import { post, toast } from "./http.js";
import { refresh } from "./live.js";

export function experiments(root) {
  root.addEventListener("click", (event) => {
    if (event.target.closest("[data-variant-more]")) more(event.target.form);
  });
  root.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-experiment]");
    if (!form) return;
    event.preventDefault();
    begin(form);
  });
}

function more(form) {
  const all = form.querySelectorAll(".variant");
  const added = all[all.length - 1].cloneNode(true);
  for (const field of added.elements) field.value = field.defaultValue ?? "";
  added.querySelector("legend").textContent = `Variant ${all.length + 1}`;
  all[all.length - 1].after(added);
  form.querySelector("[data-variant-more]").hidden = all.length + 1 >= Number(form.dataset.most);
  added.querySelector("input").focus();
}

async function begin(form) {
  const button = form.querySelector("button:not([type])");
  const fault = form.querySelector('[role="alert"]');
  button.disabled = true;
  fault.hidden = true;
  try {
    const made = await post(form.dataset.experiment, written(form));
    toast(`${made.spec.name} has begun`);
    form.reset();
    for (const spare of [...form.querySelectorAll(".variant")].slice(2)) spare.remove();
    form.querySelector("[data-variant-more]").hidden = false;
    form.closest("details").open = false;
    form.dataset.sent = "";
    await refresh();
  } catch (error) {
    fault.textContent = error.message;
    fault.hidden = false;
  } finally {
    button.disabled = false;
  }
}

function written(form) {
  const given = new FormData(form);
  const variants = given.getAll("variant").map((name, at) => ({
    name,
    share: Number(given.getAll("share")[at]),
    ...Object.fromEntries(["model", "agent", "prompt"].map((field) => [field, given.getAll(field)[at].trim()]).filter(([, value]) => value)),
  }));
  const plain = Object.fromEntries(["name", "about", "metric", "unit"].map((field) => [field, given.get(field)]));
  return { ...plain, alpha: Number(given.get("alpha")), by: given.get("by") ?? "", variants };
}
