// What the pages do beyond HTML: stay live, act on runs and rows, take a catalog.
import { accounts } from "./accounts.js";
import { act } from "./actions.js";
import { audit } from "./audit.js";
import { budgets } from "./budgets.js";
import { experiments } from "./experiments.js";
import { tell } from "./ages.js";
import { keys } from "./keys.js";
import { watch } from "./live.js";
import { feedback } from "./feedback.js";
import { notifications } from "./notifications.js";
import { review } from "./reviews.js";
import { take } from "./submit.js";

accounts(document);
act(document);
budgets(document);
experiments(document);
feedback(document);
review(document);
audit(document.querySelector("[data-audit-verify]"));
tell(document);
keys(document);
notifications(document);
watch(document.querySelector("[data-watch]"));
take(document.querySelector("#drop"));
document.documentElement.dataset.ready = "";
