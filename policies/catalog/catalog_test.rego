package catalog_test

import data.catalog

totals := {"rows": 10, "budget_usd": 5, "critical_unreviewed": 1, "boards": {"ops": 10}}

limits := {"rows": 10, "budget_usd": 5, "critical_unreviewed": 1}

boards := {"treasury": {"submitters": ["ana"]}}

decide(change, submitter) := decision if {
	asked := {"catalog": object.union(totals, change), "submitter": submitter}
	decision := catalog.decision with input as asked with data.catalog.limits as limits with data.catalog.boards as boards
}

test_a_catalog_at_its_limits_runs if decide({}, "ana") == {"allow": true, "deny": []}

test_the_limits_that_ship_let_an_ordinary_catalog_run if {
	decision := catalog.decision with input as {"catalog": totals, "submitter": "ana"}
	decision.allow
}

test_nothing_is_allowed_without_a_catalog if {
	decision := catalog.decision with input as {}
	not decision.allow
	"rows: not known of this catalog" in decision.deny
	"the boards of the catalog are no table" in decision.deny
}

test_too_many_rows_are_denied if {
	decision := decide({"rows": 11}, "ana")
	not decision.allow
	decision.deny == ["rows: 11, which is above the limit of 10 for one catalog"]
}

test_a_total_above_the_limit_is_denied if {
	decision := decide({"budget_usd": 5.5}, "ana")
	decision.deny == ["total of budget_usd: 5.5, which is above the limit of 5 for one catalog"]
}

test_too_many_critical_rows_without_review_are_denied if {
	decision := decide({"critical_unreviewed": 2}, "ana")
	decision.deny == ["rows of risk critical without review: 2, which is above the limit of 1 for one catalog"]
}

test_every_reason_is_given if count(decide({"rows": 11, "budget_usd": 6, "critical_unreviewed": 2}, "ana").deny) == 3

test_what_is_no_amount_is_denied if {
	every value in ["10", null, -1, [], {}, true] {
		not decide({"rows": value}, "ana").allow
	}
}

test_a_missing_limit_lets_nothing_pass if {
	decision := catalog.decision with input as {"catalog": totals, "submitter": "ana"}
		with data.catalog.limits as object.remove(limits, ["rows"])
	decision.deny == ["rows: the policy has no limit for it"]
}

test_a_board_is_kept_to_its_submitters if {
	decide({"boards": {"treasury": 1}}, "ana").allow
	decide({"boards": {"treasury": 1, "ops": 9}}, "bob").deny == ["bob may not submit rows of board treasury"]
}

test_nobody_is_no_submitter_of_a_kept_board if {
	decide({"boards": {"treasury": 1}}, "").deny == ["somebody without a name may not submit rows of board treasury"]
	not decide({"boards": {"treasury": 1}}, ["ana"]).allow
}

test_a_kept_board_without_submitters_is_closed if {
	decision := catalog.decision with input as {"catalog": totals, "submitter": "ana"}
		with data.catalog.boards as {"ops": {}}
	not decision.allow
}

test_boards_that_are_no_table_are_denied if not decide({"boards": ["ops"]}, "ana").allow

test_without_a_table_of_boards_nothing_passes if {
	decision := catalog.decision with input as {"catalog": totals, "submitter": "ana"}
		with data.catalog.boards as ["treasury"]
	decision.deny == ["the policy's boards are no table"]
}
