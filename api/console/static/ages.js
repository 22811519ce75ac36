// Keeps "3 min ago" true while a page stays open.
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];

function age(moment) {
  const seconds = (Date.now() - new Date(moment).getTime()) / 1000;
  for (const [size, name] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${name} ago`;
  return "just now";
}

export function tell(root) {
  const update = () => {
    for (const time of root.querySelectorAll("time[data-ago]")) time.textContent = age(time.dateTime);
  };
  update();
  setInterval(update, 30_000);
}
