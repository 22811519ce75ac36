// One's account, users and secrets: tokens, sessions, passwords, roles. Secrets are shown once and kept nowhere.
import { post, send, toast } from "./http.js";
import { refresh } from "./live.js";

export function accounts(root) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-send], [data-grant-add], [data-grant-drop], [data-copy]");
    if (button?.dataset.send) act(button);
    else if (button?.matches("[data-grant-add]")) grant(button);
    else if (button?.matches("[data-grant-drop]")) drop(button);
    else if (button) copy(button);
  });
  root.addEventListener("submit", (event) => {
    const work = FORMS[event.target.dataset.account];
    if (!work) return;
    event.preventDefault();
    submit(event.target, work);
  });
}

const FORMS = {
  async token(form, data) {
    const scopes = data.getAll("scopes");
    if (!scopes.length) throw new Error("Tick what the token may do.");
    const made = await post("/api/v1/auth/tokens", { title: data.get("title"), scopes, days: Number(data.get("days")) });
    close(form);
    once(`The token “${made.token.title}”`, made.secret, "Copy it now: it is shown only this once.");
  },
  async password(form, data) {
    await post("/api/v1/auth/password", { current: data.get("current"), new: data.get("new") });
    form.reset();
    toast("Your password is changed");
  },
  async user(form, data) {
    const made = await post("/api/v1/users", { name: data.get("name"), service: data.has("service"), ...rights(data) });
    close(form);
    if (made.link) invite(made);
    else toast(`The service account ${made.user.name} is created`);
  },
  async secret(form, data) {
    const name = data.get("name");
    const made = await send("PUT", `/api/v1/secrets/${name.split("/").map(encodeURIComponent).join("/")}`, { value: data.get("value"), field: data.get("field") });
    close(form);
    toast(`${name} has version ${made.version}`);
  },
  async change(form, data) {
    await send("PATCH", `/api/v1/users/${encodeURIComponent(form.dataset.user)}`, rights(data));
    toast(`${form.dataset.user} is changed`);
  },
};

async function submit(form, work) {
  const button = form.querySelector("button:not([type])");
  const fault = form.querySelector('[role="alert"]');
  button.disabled = true;
  fault.hidden = true;
  try {
    await work(form, new FormData(form));
    form.dataset.sent = "";
    await refresh();
  } catch (error) {
    fault.textContent = error.message;
    fault.hidden = false;
  } finally {
    button.disabled = false;
  }
}

async function act(button) {
  const { send: request, body, done, link, confirm: question } = button.dataset;
  if (question && !confirm(question)) return;
  const [method, path] = request.split(" ");
  button.disabled = true;
  try {
    const answer = await send(method, path, body && JSON.parse(body));
    if (link) invite(answer);
    else toast(done);
    await refresh();
  } catch (error) {
    toast(error.message, true);
  } finally {
    button.disabled = false;
  }
}

function rights(data) {
  const levels = data.getAll("board-role");
  const boards = data.getAll("board").map((board, at) => ({ board: board.trim(), role: levels[at] }));
  return { roles: data.getAll("roles"), boards: boards.filter((one) => one.board) };
}

function invite(made) {
  once(`The way in for ${made.user.name}`, made.link, "Good once and for a day. Send it to nobody else: whoever opens it first chooses the password.");
}

function once(title, secret, note) {
  const card = element("section", "card secret");
  const value = element("input", "");
  value.value = secret;
  value.readOnly = true;
  value.setAttribute("aria-label", title);
  const button = element("button", "button strong", "Copy");
  button.dataset.copy = "";
  const line = element("div", "copy");
  line.append(value, button);
  card.append(element("h3", "", title), line, element("p", "note", note));
  document.querySelector("#made").replaceChildren(card);
  value.focus();
  value.select();
}

async function copy(button) {
  const value = button.parentElement.querySelector("input");
  value.select();
  try {
    await navigator.clipboard.writeText(value.value);
    toast("Copied");
  } catch {
    toast("It is selected: copy it with the keyboard");
  }
}

function grant(button) {
  const list = button.parentElement.querySelector("ul");
  list.append(document.querySelector("#grant").content.cloneNode(true));
  list.lastElementChild.querySelector("input").focus();
}

function drop(button) {
  const add = button.closest("fieldset").querySelector("[data-grant-add]");
  button.closest("li").remove();
  add.focus();
}

function close(form) {
  form.reset();
  form.querySelectorAll(".grants li").forEach((one) => one.remove());
  form.closest("details").open = false;
}

function element(name, kind, text = "") {
  const made = document.createElement(name);
  made.className = kind;
  made.textContent = text;
  return made;
}
