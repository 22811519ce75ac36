# METADATA
# title: Admission of rows
# description: |
#   Decides whether a catalog row may run, and whether a person must look at its output.
#   Nothing is allowed by default; a rule denies on "not proven", so a missing field cannot pass.
#   The limits and tables are data.admission.
package admission

# METADATA
# title: What is decided on a row
# entrypoint: true
decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
	"review": [reason | some reason in review],
	"four_eyes": four_eyes,
	"silence_approves": silence_approves,
	"local_only": local_only,
	"release": release,
}

# METADATA
# title: A row runs where nothing speaks against it
# scope: document
default allow := false

allow if count(deny) == 0

# METADATA
# title: A row says what it is for
deny contains "the row has no objective" if not has_objective

# METADATA
# title: A row has an id, by which its output is found again
deny contains "the row has no id" if not has_id

# METADATA
# title: A risk is one of the known levels
deny contains reason if {
	not known_risk
	risk := object.get(input, ["row", "risk"], null)
	reason := sprintf("risk %v is none of %s", [risk, concat(", ", data.admission.risks)])
}

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
# title: A budget is an amount
# description: What is no number is compared with no limit, so it must not pass as if it were below.
deny contains "budget_usd is not an amount of dollars" if {
	budget := object.get(input, ["row", "budget_usd"], null)
	budget != null
	not amount(budget)
}

# METADATA
# title: Code runs only in languages the sandbox knows
deny contains reason if {
	language := object.get(input, ["row", "language"], null)
	language != null
	not language in data.admission.languages
	reason := sprintf("language %q is none of %s", [sprintf("%v", [language]), concat(", ", data.admission.languages)])
}

# METADATA
# title: Nobody is asked to run what looks like an attack on the host
deny contains reason if {
	some pattern in data.admission.forbidden_code
	some ["code", code] in texts
	regex.match(pattern, code)
	reason := sprintf("the code matches the forbidden pattern %s", [pattern])
}

# METADATA
# title: What never leaves the house is in no text that goes to a model
# description: The reason names what was found, never the text.
deny contains reason if {
	some what, pattern in data.admission.forbidden_content
	some [field, value] in texts
	regex.match(pattern, value)
	reason := sprintf("%v holds %s", [field, what])
}

# METADATA
# title: What cannot be searched cannot pass as searched
# description: OPA's server takes a builtin that fails for a condition that does not hold.
deny contains reason if {
	some [field, value] in given
	not is_string(value)
	reason := sprintf("%v is no text", [field])
}

# METADATA
# title: Labels are a table, in which a data class would be found
deny contains "labels are no table" if {
	labels := object.get(input, ["row", "labels"], {})
	not is_object(labels)
}

# METADATA
# title: A data class is one of the known ones
deny contains reason if {
	some class in classes
	not class in object.keys(data.admission.data_classes)
	known := concat(", ", sort(object.keys(data.admission.data_classes)))
	reason := sprintf("data_class %v is none of %s", [class, known])
}

# METADATA
# title: A row has one data class
# description: Whichever of two counted, the other would be broken.
deny contains "data_class is said twice, and not alike, by the column and by a label" if count(classes) > 1

# METADATA
# title: Data that stays in the house needs a model there
# description: Whether a local model may answer is told by who asks; what is not told is not proven.
deny contains reason if {
	some class in classes
	data.admission.data_classes[class].local
	not input.model.local == true
	model := object.get(input, ["row", "model"], "")
	reason := sprintf("no local model may answer for model %q; rows of data_class %v go to no other", [
		sprintf("%v", [model]),
		class,
	])
}

# METADATA
# title: Data of a class goes only to models that are allowed for it
# description: A row without a model takes whichever is the default, which proves nothing.
deny contains reason if {
	some data_class in classes
	models := data.admission.data_classes[data_class].models
	model := object.get(input, ["row", "model"], "")
	not model in models
	reason := sprintf("model %v is not allowed for data_class %v: name one of %s", [
		model,
		data_class,
		concat(", ", models),
	])
}

# METADATA
# title: Risky rows are reviewed
review contains reason if {
	input.row.risk in data.admission.review_risks
	reason := sprintf("risk is %s", [input.row.risk])
}

# METADATA
# title: Output made of data of some classes is reviewed
review contains reason if {
	some data_class in classes
	data.admission.data_classes[data_class].review
	reason := sprintf("data_class is %s", [data_class])
}

# METADATA
# title: Who submits what could do harm does not approve it
# scope: document
default four_eyes := true

four_eyes := false if {
	known_risk
	not input.row.risk in data.admission.four_eyes_risks
}

# METADATA
# title: Silence approves only what could do no harm, and only where the row asks for it
# scope: document
default silence_approves := false

silence_approves if {
	input.row.on_deadline == "approve"
	input.row.risk in data.admission.silence_risks
}

# METADATA
# title: An output is judged before it leaves, by package release, unless little could come of it
# description: A row without a scan of code, of little risk and without a class of data is spared the question.
# scope: document
default release := true

release := false if {
	known_risk
	not input.row.risk in data.admission.release_risks
	input.row.scan in data.admission.plain_scans
	count(classes) == 0
}

# METADATA
# title: Data of some classes goes to local models only, whoever stands in for whom
# scope: document
default local_only := false

local_only if {
	some class in classes
	data.admission.data_classes[class].local
}

# METADATA
# title: The row has an objective that is more than blanks
has_objective if {
	is_string(input.row.objective)
	trim_space(input.row.objective) != ""
}

# METADATA
# title: The row has an id
has_id if {
	is_string(input.row.id)
	input.row.id != ""
}

# METADATA
# title: The row's risk is one that the data document lists
known_risk if input.row.risk in data.admission.risks

# METADATA
# title: A value is an amount of dollars
amount(value) if {
	is_number(value)
	value >= 0
}

# METADATA
# title: The classes of the row's data, as its column and its label say
# scope: document
classes contains input.row.data_class if not input.row.data_class in {"", null}

classes contains input.row.labels.data_class if is_object(input.row.labels)

# METADATA
# title: Everything of a row that may reach a model, with its column
# scope: document
given contains [field, value] if {
	some field in ["title", "task", "objective", "stack", "agent", "prompt", "code"]
	value := input.row[field]
}

given contains [field, value] if {
	some field in ["workflow", "verification"]
	some value in input.row[field]
}

given contains [field, value] if {
	some field in ["workflow", "verification"]
	value := input.row[field]
	not is_array(value)
}

given contains ["agent", agent.system] if some agent in input.row.team

given contains [field, value] if some field, value in input.row.variables

given contains ["variables", input.row.variables] if not is_object(input.row.variables)

# METADATA
# title: What of it can be searched
texts contains [field, value] if {
	some [field, value] in given
	is_string(value)
}
