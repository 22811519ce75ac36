// Rating an output, and reflecting on an agent. The digest of the text that was looked at goes along: nobody rates what they did not see.
import { during } from "./actions.js";
import { post, toast } from "./http.js";
import { refresh } from "./live.js";

export function feedback(root) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-reflect]");
    if (button) during(button, () => reflect(button.dataset.reflect));
  });
  root.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-rate]");
    if (!form) return;
    event.preventDefault();
    during(event.submitter, () => rate(form, event.submitter.value));
  });
}

async function reflect(agent) {
  const begun = await post("/api/v1/reflections", { agent });
  if (begun.state === "under_way") { location.assign(`/runs/${encodeURIComponent(begun.reflection)}/rows/prompt`); return; }
  toast(begun.message || "Begun: it goes on as soon as a worker is free", ["failed", "nothing"].includes(begun.state));
  await refresh();
}

async function rate(form, rating) {
  const given = new FormData(form);
  const body = { rating, reason: given.get("reason"), output: form.dataset.output, by: given.get("by") ?? "" };
  if (given.get("better").trim()) body.better = given.get("better");
  await post(form.dataset.rate, body);
  form.reset();
  form.dataset.sent = "";
  toast("Thank you: your vote counts");
  document.activeElement.blur();
  await refresh();
}
