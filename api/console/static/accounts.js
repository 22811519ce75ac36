// Forms that change accounts: their fields become the JSON of a request; a secret that comes back is shown once.
import { send, toast } from "./http.js";

export function accounts(root) {
  root.addEventListener("submit", async (event) => {
    const form = event.target.closest("[data-send]");
    if (!form) return;
    event.preventDefault();
    if (form.dataset.confirm && !confirm(form.dataset.confirm)) return;
    const button = event.submitter;
    button.disabled = true;
    try {
      const method = form.dataset.method ?? "POST";
      const answer = await send(method, form.dataset.send, method === "DELETE" ? undefined : body(form));
      if (form.dataset.shows) show(answer[form.dataset.shows], form.dataset.shows);
      else toast(form.dataset.done);
      if ("clears" in form.dataset || form.dataset.shows) form.reset();
      await renew();
    } catch (fault) {
      toast(fault.message, true);
    } finally {
      button.disabled = false;
    }
  });
}

function body(form) {
  const found = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    if ("list" in field.dataset) (found[field.name] ??= []).push(...(field.checked ? [field.value] : []));
    else if ("flag" in field.dataset) found[field.name] = field.checked;
    else if ("number" in field.dataset) found[field.name] = Number(field.value);
    else if ("grants" in field.dataset) found[field.name] = grants(field.value);
    else found[field.name] = field.value;
  }
  return found;
}

function grants(text) {
  return text.split(";").map((part) => part.trim()).filter(Boolean).map((part) => {
    const at = part.lastIndexOf("=");
    return { board: part.slice(0, at).trim(), role: part.slice(at + 1).trim() };
  });
}

function show(secret, kind) {
  const card = document.createElement("section");
  card.className = "card once";
  const told = document.createElement("p");
  told.textContent = kind === "link" ? "Give this link to them: it lets them in once, within a day." : "This is shown now and never again.";
  const code = document.createElement("code");
  code.textContent = secret;
  const copy = document.createElement("button");
  copy.className = "button";
  copy.textContent = "Copy";
  copy.addEventListener("click", () => navigator.clipboard.writeText(secret).then(() => toast("Copied")));
  card.append(told, code, copy);
  document.querySelector("#secret").replaceChildren(card);
  card.scrollIntoView({ block: "center" });
}

async function renew() {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = fresh.getElementById(part.id);
    for (const details of part.querySelectorAll("details[open]")) next?.querySelector(`#${CSS.escape(details.id)}`)?.setAttribute("open", "");
    if (next) part.replaceChildren(...next.childNodes);
  }
}
