// Allowing more of a budget. A key of its own makes a second click, or a repeated request, the same one.
import { during } from "./actions.js";
import { post, toast } from "./http.js";
import { reopen } from "./live.js";

export function budgets(root) {
  root.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-allow]");
    if (!form) return;
    event.preventDefault();
    during(form.querySelector("button"), () => allow(form));
  });
}

async function allow(form) {
  const given = new FormData(form);
  form.dataset.key ??= crypto.randomUUID();
  const body = { usd: Number(given.get("usd")), by: given.get("by") ?? "", comment: given.get("comment"), period: form.dataset.period };
  const view = await post(form.dataset.allow, body, { "idempotency-key": form.dataset.key });
  delete form.dataset.key;
  const waits = view.waiting.length;
  toast(waits ? `Allowed: ${waits === 1 ? "the row goes on" : `${waits} rows go on`} as far as it goes` : "Allowed");
  form.reset();
  form.dataset.sent = "";
  document.activeElement.blur();
  reopen();
}
