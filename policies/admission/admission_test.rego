package admission_test

import data.admission

row := {"objective": "Summarise the minutes", "risk": "low", "code": "", "language": null, "budget_usd": null}

decide(change) := decision if {
	decision := admission.decision with input as {"row": object.union(row, change)}
}

test_an_ordinary_row_runs_without_review if {
	decide({}) == {"allow": true, "deny": [], "review": [], "four_eyes": false, "silence_approves": false}
}

test_nothing_is_allowed_without_a_row if {
	decision := admission.decision with input as {}
	not decision.allow
}

test_an_empty_objective_is_denied if {
	decision := decide({"objective": "  "})
	not decision.allow
	decision.deny == ["the row has no objective"]
}

test_an_unknown_risk_is_denied if not decide({"risk": "unheard of"}).allow

test_a_high_risk_is_reviewed if {
	decision := decide({"risk": "high"})
	decision.allow
	decision.review == ["risk is high"]
}

test_a_medium_risk_is_not_reviewed if count(decide({"risk": "medium"}).review) == 0

test_a_budget_within_the_limit_runs if decide({"budget_usd": 100}).allow

test_a_budget_above_the_limit_is_denied if {
	decision := decide({"budget_usd": 100.5})
	not decision.allow
	decision.deny == ["budget_usd 100.5 is above the limit of 100 for one row"]
}

test_a_language_the_sandbox_knows_runs if decide({"language": "python", "code": "print(1)"}).allow

test_another_language_is_denied if not decide({"language": "cobol", "code": "STOP RUN."}).allow

test_code_that_reaches_for_the_host_is_denied if {
	not decide({"language": "shell", "code": "cat /proc/1/environ"}).allow
}

test_somebody_else_approves_what_is_critical if {
	decide({"risk": "critical"}).four_eyes
	not decide({"risk": "high"}).four_eyes
}

test_somebody_else_approves_what_nobody_knows_the_risk_of if decide({"risk": "unheard of"}).four_eyes

test_silence_approves_where_row_and_policy_agree if decide({"on_deadline": "approve"}).silence_approves

test_silence_approves_nothing_risky if not decide({"on_deadline": "approve", "risk": "medium"}).silence_approves

test_silence_approves_nothing_unasked if not decide({"on_deadline": "wait"}).silence_approves
