package sandbox_test

import data.sandbox

program := {"language": "python", "author": "catalog", "size": 10, "secrets": []}

row := {"id": "a", "run": "r", "risk": "low", "labels": {}}

decide(change) := decision if {
	decision := sandbox.decision with input as {"program": object.union(program, change), "row": row}
}

test_programs_of_catalogs_and_models_run if {
	every author in ["catalog", "model"] {
		decide({"author": author}) == {"allow": true, "deny": [], "limits": {}}
	}
}

test_nothing_runs_without_a_program if {
	decision := sandbox.decision with input as {}
	decision.deny == ["a program of an unknown author", "the secrets of the program are no list"]
	not decision.allow
}

test_an_author_has_languages if {
	decide({"language": "perl"}).deny == ["a program by the catalog in perl"]
	decision := sandbox.decision with input as {"program": {"author": "model", "secrets": []}}
	decision.deny == ["a program by the model in no language"]
}

test_an_author_that_is_no_text_is_nobody if decide({"author": ["catalog"]}).deny == ["a program of an unknown author"]

test_what_a_model_wrote_gets_no_secrets if {
	decide({"author": "model", "secrets": ["secret://catalogs/api"]}).deny == ["a program by the model with secrets"]
	decide({"secrets": ["secret://catalogs/api"]}).allow
}

test_a_models_programs_do_not_run_at_some_risks if {
	asked := {"program": object.union(program, {"author": "model"}), "row": object.union(row, {"risk": "critical"})}
	decision := sandbox.decision with input as asked with data.sandbox.forbidden_risks as ["critical"]
	decision.deny == ["a program by the model at risk critical"]
}

test_an_author_has_limits if {
	decision := sandbox.decision with input as {"program": program, "row": row}
		with data.sandbox.most as {"catalog": {"wall_seconds": 5}}
	decision.limits == {"wall_seconds": 5}
}
