# METADATA
# title: Admission of rows
# description: |
#   Decides whether a catalog row may run, and whether a person must look at its output.
#   Nothing is allowed by default; a rule denies on "not proven", so a missing field cannot pass.
# entrypoint: true
package admission

decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
	"review": [reason | some reason in review],
	"four_eyes": four_eyes,
	"silence_approves": silence_approves,
}

default allow := false

allow if count(deny) == 0

# METADATA
# title: A row says what it is for
deny contains "the row has no objective" if not has_objective

has_objective if {
	is_string(input.row.objective)
	trim_space(input.row.objective) != ""
}

# METADATA
# title: A risk is one of the known levels
deny contains reason if {
	not known_risk
	reason := sprintf("risk %v is none of %s", [object.get(input.row, "risk", null), concat(", ", data.admission.risks)])
}

known_risk if input.row.risk in data.admission.risks

# METADATA
# title: Spending above the limit of a row is not started
deny contains reason if {
	is_number(input.row.budget_usd)
	input.row.budget_usd > data.admission.max_budget_usd
	reason := sprintf("budget_usd %v is above the limit of %v for one row", [
		input.row.budget_usd,
		data.admission.max_budget_usd,
	])
}

# METADATA
# title: Code runs only in languages the sandbox knows
deny contains reason if {
	is_string(input.row.language)
	not input.row.language in data.admission.languages
	reason := sprintf("language %q is none of %s", [input.row.language, concat(", ", data.admission.languages)])
}

# METADATA
# title: Nobody is asked to run what looks like an attack on the host
deny contains reason if {
	some pattern in data.admission.forbidden_code
	regex.match(pattern, object.get(input.row, "code", ""))
	reason := sprintf("the code matches the forbidden pattern %s", [pattern])
}

# METADATA
# title: Risky rows are reviewed
review contains reason if {
	input.row.risk in data.admission.review_risks
	reason := sprintf("risk is %s", [input.row.risk])
}

# METADATA
# title: Who submits what could do harm does not approve it
default four_eyes := true

four_eyes := false if {
	known_risk
	not input.row.risk in data.admission.four_eyes_risks
}

# METADATA
# title: Silence approves only what could do no harm, and only where the row asks for it
default silence_approves := false

silence_approves if {
	input.row.on_deadline == "approve"
	input.row.risk in data.admission.silence_risks
}
