// The button that verifies the audit log, and what was found.
import { post, toast } from "./http.js";

export function audit(button) {
  button?.addEventListener("click", async () => {
    button.disabled = true;
    try {
      document.querySelector("#verified").replaceChildren(told(await post("/api/v1/audit/verify")));
    } catch (fault) {
      toast(fault.message, true);
    } finally {
      button.disabled = false;
    }
  });
}

function told(found) {
  const card = element("section", "card", "");
  const entries = `${found.entries.toLocaleString("en")} ${found.entries === 1 ? "entry" : "entries"}`;
  card.append(found.valid
    ? element("p", "ok", `The log is whole: ${entries}, ${found.anchored ? `signed up to entry ${found.anchored}` : "none of them signed yet"}.`)
    : element("p", "bad", `The log was tampered with: ${found.faults_found} ${found.faults_found === 1 ? "fault" : "faults"} in ${entries}.`));
  for (const fault of found.faults.slice(0, 20)) {
    card.append(element("p", "", `Entry ${fault.sequence}: ${fault.what}.`), element("p", "note", `found ${fault.found || "nothing"}; expected ${fault.expected || "nothing"}`));
  }
  if (found.faults_found > 20) card.append(element("p", "note", "prism audit verify tells all of them."));
  return card;
}

function element(name, kind, text) {
  const made = document.createElement(name);
  made.className = kind;
  made.textContent = text;
  return made;
}
