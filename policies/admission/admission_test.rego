package admission_test

import data.admission

row := {"id": "a", "objective": "Summarise the minutes", "risk": "low", "code": "", "language": null, "budget_usd": null, "scan": "secrets"}

decide(change) := decision if {
	decision := admission.decision with input as {"row": object.union(row, change)}
}

test_an_ordinary_row_runs_without_review if {
	decision := decide({})
	decision.allow
	decision.review == []
	not decision.four_eyes
	not decision.silence_approves
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

test_a_plain_output_of_little_risk_is_not_judged if not decide({}).release

test_what_could_do_harm_is_judged_before_it_leaves if {
	decide({"scan": "code"}).release
	decide({"risk": "high"}).release
	decide({"labels": {"data_class": "internal"}}).release
}

test_what_is_not_known_is_judged if {
	every change in [{"risk": "odd"}, {"scan": null}] {
		decide(change).release
	}
	admission.decision.release with input as {}
}

test_silence_approves_nothing_unasked if not decide({"on_deadline": "wait"}).silence_approves

test_an_empty_row_is_denied_for_all_it_does_not_prove if {
	decision := admission.decision with input as {"row": {}}
	decision.deny == [
		"risk null is none of low, medium, high, critical",
		"the row has no id",
		"the row has no objective",
	]
}

test_a_row_without_an_id_is_denied if decide({"id": ""}).deny == ["the row has no id"]

test_a_budget_that_is_no_number_is_denied if {
	every budget in ["1000", [], -1] {
		decide({"budget_usd": budget}).deny == ["budget_usd is not an amount of dollars"]
	}
}

test_a_language_that_is_no_word_is_denied if not decide({"language": 3}).allow

test_a_private_key_goes_to_no_model if {
	decision := decide({"prompt": "Use -----BEGIN RSA PRIVATE KEY-----"})
	decision.deny == ["prompt holds a private key"]
}

test_forbidden_content_is_found_in_lists_and_variables if {
	key := concat("", ["AKIA", "QWERTYUIOP234567"])
	decide({"workflow": ["first", key]}).deny == ["workflow holds an AWS access key"]
	decide({"variables": {"extra": key}}).deny == ["extra holds an AWS access key"]
}

test_forbidden_content_is_found_in_what_an_agent_is_told_to_be if {
	team := [{"name": "poet", "system": "Rhyme."}, {"name": "clerk", "system": "-----BEGIN RSA PRIVATE KEY-----"}]
	decide({"team": team}).deny == ["agent holds a private key"]
}

classed(class, local) := decision if {
	classed_row := object.union(row, {"data_class": class, "model": "fast"})
	decision := admission.decision with input as {"row": classed_row, "model": {"local": local}}
}

test_public_data_goes_to_any_model if {
	every class in ["", "public", "internal"] {
		classed(class, false).allow
		not classed(class, false).local_only
	}
}

test_restricted_data_goes_only_to_local_models if {
	every class in ["confidential", "restricted"] {
		classed(class, true).allow
		classed(class, true).local_only
		classed(class, false).deny == [sprintf("no local model may answer for model \"fast\"; rows of data_class %s go to no other", [class])]
	}
}

test_what_is_not_told_of_a_model_is_not_proven if {
	not decide({"data_class": "restricted"}).allow
	not classed("restricted", "true").allow
	not classed("restricted", null).allow
}

test_a_label_is_as_good_as_the_column if {
	labelled := object.union(row, {"labels": {"data_class": "restricted"}})
	decision := admission.decision with input as {"row": labelled, "model": {"local": true}}
	decision.allow
	decision.local_only
	not decide({"labels": {"data_class": "restricted"}}).allow
}

test_a_class_said_twice_has_to_be_the_same if {
	decide({"data_class": "public", "labels": {"data_class": "public"}}).allow
	twice := decide({"data_class": "public", "labels": {"data_class": "internal"}})
	twice.deny == ["data_class is said twice, and not alike, by the column and by a label"]
}

test_output_of_restricted_data_is_reviewed if {
	classed("restricted", true).review == ["data_class is restricted"]
	classed("confidential", true).review == []
}

test_an_unknown_data_class_is_denied if {
	decision := classed("secretive", true)
	decision.deny == ["data_class secretive is none of confidential, internal, public, restricted"]
	not classed(7, true).allow
}

test_a_class_may_name_the_models_that_are_allowed if {
	classes := {"partner": {"models": ["fast"]}}
	allowed := decide({"data_class": "partner", "model": "fast"}) with data.admission.data_classes as classes
	allowed.allow
	refused := decide({"data_class": "partner", "model": "best"}) with data.admission.data_classes as classes
	refused.deny == ["model best is not allowed for data_class partner: name one of fast"]
}

test_a_row_without_a_data_class_is_as_before if decide({"labels": {"team": "treasury"}}).allow

test_what_is_no_text_is_denied_not_overlooked if {
	every field in ["prompt", "code", "workflow", "variables"] {
		decide({field: 7}).deny == [sprintf("%s is no text", [field])]
	}
	decide({"variables": {"region": ["x"]}}).deny == ["region is no text"]
	decide({"workflow": ["first", null]}).deny == ["workflow is no text"]
}

test_labels_that_are_no_table_hide_no_data_class if {
	decide({"labels": [["data_class", "restricted"]]}).deny == ["labels are no table"]
}
