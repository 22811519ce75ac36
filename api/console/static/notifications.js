// The numbers that wait in the header, what is new as it comes, and marking it as read.
import { post, toast } from "./http.js";
import { refresh } from "./live.js";

let known = null;

export function notifications(root) {
  root.addEventListener("click", (event) => {
    const all = event.target.closest("[data-read]");
    const one = event.target.closest("[data-key-read]");
    if (all) post("/api/v1/notifications/read", { keys: [] }).then(() => { count(); refresh(); }, (fault) => toast(fault.message, true));
    // The page is left meanwhile: the request outlives it.
    else if (one) post("/api/v1/notifications/read", { keys: [one.dataset.keyRead] }, {}, { keepalive: true }).catch(() => {});
  });
  count();
  document.addEventListener("refreshed", count);
}

async function count() {
  const [reviews, told] = await Promise.all([ask("/api/v1/reviews?mine=true&limit=1"), ask("/api/v1/notifications?mine=true&unread=true&limit=1")]);
  if (reviews) badge("#waiting", reviews.waiting, "waiting");
  if (!told) return;
  badge("#unread", told.unread, "unread");
  if (known !== null && told.unread > known && told.notifications.length) toast(told.notifications[0].title);
  known = told.unread;
}

async function ask(path) {
  const response = await fetch(path, { headers: { accept: "application/json" } }).catch(() => null);
  return response?.ok ? response.json() : null;
}

function badge(place, number, word) {
  const shown = document.querySelector(place);
  if (!shown) return;
  shown.hidden = number === 0;
  shown.textContent = number > 99 ? "99+" : String(number);
  shown.setAttribute("aria-label", `${number} ${word}`);
}
