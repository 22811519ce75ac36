// Keeps "3 min ago" and "in 3 min" true while a page stays open.
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

function age(moment) {
  const seconds = (Date.now() - new Date(moment).getTime()) / 1000;
  const distance = Math.abs(seconds);
  if (distance >= 30 * 86400) return moment.slice(0, 10);
  for (const [size, name] of UNITS) {
    const told = `${Math.floor(distance / size)} ${name}`;
    if (distance >= size) return seconds > 0 ? `${told} ago` : `in ${told}`;
  }
  return seconds >= 0 ? "just now" : "in a moment";
}

export function tell(root) {
  const update = () => {
    for (const time of root.querySelectorAll("time[data-ago]")) time.textContent = age(time.dateTime);
  };
  update();
  setInterval(update, 30_000);
}
