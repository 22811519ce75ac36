// Buttons that steer runs and rows, and verify provenance.
import { post, toast } from "./http.js";
import { reopen } from "./live.js";

export function act(root) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-post], [data-verify]");
    if (button?.dataset.post) during(button, () => steer(button));
    else if (button) during(button, () => verify(button));
  });
  root.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-pace]");
    if (!form) return;
    event.preventDefault();
    during(form.querySelector("button"), () => pace(form));
  });
}

export async function during(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (fault) {
    toast(fault.message, true);
  } finally {
    button.disabled = false;
  }
}

async function steer(button) {
  if (button.dataset.confirm && !confirm(button.dataset.confirm)) return;
  await post(button.dataset.post, button.dataset.row ? { rows: [button.dataset.row] } : undefined);
  if (button.dataset.then) { location.assign(button.dataset.then); return; }
  toast(button.dataset.done);
  reopen();
}

async function pace(form) {
  const limit = Number(new FormData(form).get("limit"));
  await post(form.dataset.pace, { limit });
  form.dataset.sent = "";
  toast(limit === 1 ? "One row at once from now on" : `Up to ${limit} rows at once from now on`);
  document.activeElement.blur();
  reopen();
}

async function verify(button) {
  const { run, row } = button.dataset;
  const found = await post("/api/v1/provenance/verify", { run, row });
  const card = document.createElement("section");
  card.className = "card";
  const verdict = document.createElement("p");
  verdict.className = found.valid ? "ok" : "bad";
  verdict.textContent = found.valid ? "The signature holds." : `Not valid: ${found.reason}`;
  const note = document.createElement("p");
  note.className = "note";
  note.textContent = found.valid
    ? `Key ${found.keyid.slice(0, 16)}…; ${found.output_checked ? "the output has the signed digest" : "the output was not compared"}.`
    : "Treat this output as unproven.";
  card.append(verdict, note);
  document.querySelector("#verified").replaceChildren(card);
}
