# METADATA
# title: Admission of catalogs
# description: |
#   Decides whether a catalog may be started as a whole, before any of its rows; package admission decides on each row.
#   Nothing is allowed by default; a rule denies on "not proven", so a missing total or limit cannot pass.
#   The limits, and who may submit rows of which board, are data.catalog.
package catalog

# METADATA
# title: What is decided on a catalog
# entrypoint: true
decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
}

# METADATA
# title: A catalog runs where nothing speaks against it
# scope: document
default allow := false

allow if count(deny) == 0

# METADATA
# title: A catalog keeps within the limits
deny contains reason if {
	some measure, what in measures
	measured[measure] > bounds[measure]
	reason := sprintf("%s: %v, which is above the limit of %v for one catalog", [
		what,
		measured[measure],
		bounds[measure],
	])
}

# METADATA
# title: What is limited is known
# description: What is no number is compared with no limit, so it must not pass as if it were below.
deny contains reason if {
	some measure, what in measures
	not measured[measure]
	reason := sprintf("%s: not known of this catalog", [what])
}

# METADATA
# title: A limit that is not there limits nothing, so nothing passes it
deny contains reason if {
	some measure, what in measures
	not bounds[measure]
	reason := sprintf("%s: the policy has no limit for it", [what])
}

# METADATA
# title: Rows of some boards are submitted by some people only
# description: A board that data.catalog.boards does not name is open to all who may submit.
deny contains reason if {
	some board, _ in input.catalog.boards
	board in object.keys(kept)
	not board in open_boards
	reason := sprintf("%s may not submit rows of board %v", [who, board])
}

# METADATA
# title: The boards of a catalog are a table, in which a board would be found
deny contains "the boards of the catalog are no table" if not is_object(object.get(input, ["catalog", "boards"], null))

# METADATA
# title: Who may submit rows of which board is a table too
deny contains "the policy's boards are no table" if not kept

# METADATA
# title: What is limited, as a reason names it
measures := {
	"rows": "rows",
	"budget_usd": "total of budget_usd",
	"critical_unreviewed": "rows of risk critical without review",
}

# METADATA
# title: What of it is known of the catalog
measured[measure] := value if {
	some measure, _ in measures
	value := input.catalog[measure]
	is_number(value)
	value >= 0
}

# METADATA
# title: The limits that are amounts
bounds[measure] := limit if {
	some measure, _ in measures
	limit := data.catalog.limits[measure]
	is_number(limit)
}

# METADATA
# title: Boards whose rows some people only may submit
kept := data.catalog.boards if is_object(data.catalog.boards)

# METADATA
# title: Boards kept to some people, of whom the submitter is one
open_boards contains board if {
	some board, rule in kept
	submitter in rule.submitters
}

# METADATA
# title: Who submits, if anybody says so
# scope: document
default submitter := ""

submitter := input.submitter if is_string(input.submitter)

# METADATA
# title: Who submits, as a reason names them
# scope: document
default who := "somebody without a name"

who := submitter if submitter != ""
