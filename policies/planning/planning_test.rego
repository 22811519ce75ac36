package planning_test

import data.planning

rows := [{"id": "a", "language": null}, {"id": "b", "language": "python"}]

ask(row, proposed) := decision if {
	decision := planning.decision with input as {"row": row, "rows": proposed, "submitter": "ana", "depth": 0}
		with data.planning.most_rows as 2
		with data.planning.languages as ["python"]
		with data.planning.unreviewed_boards as ["lab"]
}

test_rows_are_added_once_a_person_approves if {
	decision := ask({"board": "ops"}, rows)
	decision.allow
	count(decision.review) == 1
}

test_a_board_may_be_spared_the_person if ask({"board": "lab"}, rows).review == []

test_no_board_is_no_board_that_is_spared if {
	every board in ["", null, 1, ["lab"]] {
		count(ask({"board": board}, rows).review) == 1
	}
	count(ask({}, rows).review) == 1
}

test_the_boards_that_ship_spare_nobody if {
	decision := planning.decision with input as {"row": {"board": "lab"}, "rows": rows}
	decision.allow
	count(decision.review) == 1
}

test_too_many_rows_are_denied if {
	decision := ask({"board": "ops"}, array.concat(rows, [{"id": "c"}]))
	not decision.allow
	decision.deny == ["3 rows are proposed, which is above the limit of 2"]
}

test_code_in_another_language_is_denied if {
	decision := ask({"board": "ops"}, [{"id": "c", "language": "shell"}])
	decision.deny == ["row c would run shell, which planned rows may not"]
}

test_without_languages_nothing_runs if {
	decision := planning.decision with input as {"row": {}, "rows": rows} with data.planning.languages as []
	decision.deny == ["row b would run python, which planned rows may not"]
}

test_what_is_no_row_is_denied if {
	every odd in ["a", 1, null, ["a"]] {
		ask({"board": "ops"}, [odd]).deny == ["what is proposed is no row"]
	}
}

test_rows_that_are_not_told_are_denied if {
	decision := planning.decision with input as {}
	decision.deny == ["the proposed rows are no list"]
}

test_a_missing_limit_lets_nothing_pass if {
	decision := planning.decision with input as {"row": {}, "rows": []} with data.planning.most_rows as "many"
	decision.deny == ["the policy has no limit of planned rows"]
}
