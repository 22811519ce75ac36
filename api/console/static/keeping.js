// What a refresh leaves alone: what a person typed, chose or opened, and what the page's own script put there.

export function keep() {
  Object.assign(Idiomorph.defaults.callbacks, {
    beforeNodeMorphed: (shown, fresh) => !kept(shown, fresh),
    // It leaves the default of a tick as it was, by which a person's own ticks are told.
    afterNodeMorphed: (shown, fresh) => { if (shown.type === "checkbox") shown.defaultChecked = fresh.defaultChecked; },
    beforeAttributeUpdated: (name, shown) => !(name === "data-sent" || (name === "open" && shown.localName === "details")),
  });
  // What was sent is the server's again.
  document.addEventListener("htmx:afterSettle", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
}

function kept(shown, fresh) {
  if (!(shown instanceof Element)) return false;
  if (shown.matches("[data-own]")) return true;
  const form = shown.closest("form");
  if (form && "sent" in form.dataset) return false;
  // A form in use stays as it is, unless what it decides on is no longer the same.
  if (shown === form) return inUse(form) && form.dataset.round === fresh.dataset.round;
  const used = changed(shown) || (shown === document.activeElement && shown.matches("input, textarea, select"));
  return used && same(shown, fresh) && shown.name !== "output";
}

function inUse(form) {
  const focused = form.contains(document.activeElement) && document.activeElement.localName !== "button";
  return focused || form.querySelector("[aria-expanded=true]") !== null || [...form.elements].some(changed);
}

function changed(field) {
  if (field.localName === "select") return [...field.options].some((one) => one.selected !== one.defaultSelected && (one.defaultSelected || one.index > 0));
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  return (field.localName === "input" || field.localName === "textarea") && field.value !== field.defaultValue;
}

// A tick chosen for one row must never become another row's.
function same(shown, fresh) {
  return shown.name === fresh.name && ["run", "row", "round"].every((name) => shown.dataset[name] === fresh.dataset?.[name]);
}
