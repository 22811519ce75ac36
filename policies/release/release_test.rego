package release_test

import data.release

finding := {"rule": "B602", "severity": "high", "scanner": "bandit", "line": 3, "secret": false, "place": ""}

document(findings) := {
	"row": {"id": "a"},
	"submitter": "ana",
	"output": {"text": "Fine.", "findings": findings},
}

limits := {
	"severities": ["note", "low", "medium", "high", "critical"],
	"review_at": "high",
	"deny_at": "critical",
	"forbidden_content": {"a project name": "Blackbird"},
}

decide(asked) := decision if {
	decision := release.decision with input as asked with data.release.severities as limits.severities
		with data.release.review_at as limits.review_at
		with data.release.deny_at as limits.deny_at
		with data.release.forbidden_content as limits.forbidden_content
}

test_a_clean_output_leaves if decide(document([])) == {"allow": true, "deny": [], "review": []}

test_what_is_below_the_thresholds_leaves if {
	every severity in ["note", "low", "medium"] {
		decision := decide(document([object.union(finding, {"severity": severity})]))
		decision == {"allow": true, "deny": [], "review": []}
	}
}

test_what_is_bad_is_reviewed if {
	decision := decide(document([finding]))
	decision == {"allow": true, "deny": [], "review": ["B602 (high, bandit) on line 3"]}
}

test_what_is_worst_does_not_leave if {
	decision := decide(document([object.union(finding, {"severity": "critical", "place": "the row's program"})]))
	decision == {"allow": false, "deny": ["B602 (critical, bandit) on line 3 of the row's program"], "review": []}
}

test_secrets_are_the_rows_own_business if {
	decide(document([object.union(finding, {"secret": true})])).review == []
}

test_forbidden_content_is_named_and_not_shown if {
	asked := object.union(document([]), {"output": {"text": "About Blackbird."}})
	decide(asked).deny == ["the output holds a project name"]
}

test_nothing_leaves_without_being_known if {
	decision := decide({})
	not decision.allow
	decision.deny == ["the findings are no list", "the output is no text"]
}

test_a_finding_without_a_severity_does_not_leave if {
	every odd in [{}, {"severity": "awful"}, "B602", null, []] {
		decide(document([odd])).deny == ["a finding has no known severity"]
	}
}

test_a_finding_that_says_little_is_told_all_the_same if {
	decide(document([{"severity": "critical"}])).deny == ["something (critical, a scanner) on line 0"]
}

test_a_threshold_that_is_no_severity_lets_nothing_leave if {
	decision := release.decision with input as document([]) with data.release.review_at as "awful"
	decision.deny == ["the policy's review_at is none of its severities"]
}

test_the_thresholds_that_ship_let_a_clean_output_leave if {
	decision := release.decision with input as document([])
	decision.allow
}
