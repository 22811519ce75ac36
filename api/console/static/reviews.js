// Deciding: the form of a row, the inbox with its bulk decisions, keys, and the number that waits.
import { post, toast } from "./http.js";
import { reopen, refresh } from "./live.js";

const TAKEN = { approve: "Approved", edit: "Approved with your text", answer: "Answered and approved", reject: "Rejected", request_changes: "Changes requested", reassign: "Handed over", claim: "Claimed", release: "Released", comment: "Commented" };

export function review(root) {
  root.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-review], [data-bulk]");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    button.disabled = true;
    const work = "bulk" in form.dataset ? decideMany(form, button.value) : decide(form, button.value);
    work.catch((fault) => toast(fault.message, true)).finally(() => { button.disabled = false; });
  });
  root.addEventListener("click", (event) => {
    const edit = event.target.closest("[data-edit]");
    if (edit) openEditor(edit);
  });
  root.addEventListener("change", (event) => { if (event.target.matches("[data-choose]")) chosen(); });
  document.addEventListener("refreshed", chosen);
}

async function decide(form, kind) {
  const values = new FormData(form);
  const body = { kind, round: Number(form.dataset.round), by: values.get("by")?.trim() ?? "", comment: values.get("comment") };
  if (kind === "edit") body.output = edited(form.elements.output);
  if (kind === "answer") body.answers = answers(form);
  if (kind === "reassign") body.reviewers = values.get("reviewers").split(/[;,\s]+/).filter(Boolean);
  const done = await post(`${form.dataset.review}/decide`, body);
  form.dataset.sent = "";
  toast(done.queued ? "Kept: it counts as soon as a worker is back" : `${TAKEN[kind]}. ${done.message}`);
  document.activeElement.blur();
  reopen();
}

// What is edited may be one field of a JSON object; the object is what is decided on.
function edited(text) {
  const { within, field } = text.dataset;
  return within ? JSON.stringify({ ...JSON.parse(within), [field]: text.value }) : text.value;
}

function answers(form) {
  const found = {};
  for (const field of form.querySelectorAll("[name^='answer.']")) {
    if (field.value === "") continue;
    const name = field.name.slice("answer.".length);
    const type = field.dataset.type;
    found[name] = type === "boolean" ? field.value === "true" : type === "string" ? field.value : Number(field.value);
  }
  return found;
}

function openEditor(button) {
  const form = button.form;
  const field = form.querySelector(".edited");
  const open = field.hidden;
  field.hidden = !open;
  form.querySelector("[value=edit]").hidden = !open;
  button.setAttribute("aria-expanded", String(open));
  button.textContent = open ? "Keep the text" : "Edit";
  const plain = form.querySelector("[value=approve]");
  if (plain) plain.hidden = open;
  if (open) field.querySelector("textarea").focus();
}

async function decideMany(form, kind) {
  const values = new FormData(form);
  const reviews = [...document.querySelectorAll("[data-choose]:checked")].map((box) => ({ run: box.dataset.run, row: box.dataset.row, round: Number(box.dataset.round) }));
  const done = await post("/api/v1/reviews/decide", { kind, reviews, by: values.get("by")?.trim() ?? "", comment: values.get("comment") });
  toast(`${done.decided} decided${done.refused ? `, ${done.refused} refused` : ""}`, done.refused > 0);
  told(done.results.filter((one) => !one.ok));
  for (const box of document.querySelectorAll("[data-choose]:checked")) box.checked = false;
  chosen();
  document.activeElement.blur();
  await refresh();
}

function told(refused) {
  const list = document.createElement("ul");
  list.className = "card refusals";
  for (const one of refused) {
    const item = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = one.row;
    item.append(name, ` ${one.message}`);
    list.append(item);
  }
  document.querySelector("#bulk-result").replaceChildren(...(refused.length ? [list] : []));
}

function chosen() {
  const form = document.querySelector("[data-bulk]");
  if (!form) return;
  const number = document.querySelectorAll("[data-choose]:checked").length;
  form.hidden = number === 0;
  form.querySelector("[data-chosen]").textContent = String(number);
}
