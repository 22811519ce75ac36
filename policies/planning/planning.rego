# METADATA
# title: Adding of planned rows
# description: |
#   Decides whether rows that a row proposes may join its run, and whether a person must approve them first.
#   Packages catalog and admission decide on them besides, as on any catalog and any row.
#   Nothing is allowed by default; a rule denies on "not proven", so a missing field cannot pass.
#   The limits, and whose plans nobody has to approve, are data.planning.
package planning

# METADATA
# title: What is decided on proposed rows
# entrypoint: true
decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
	"review": [reason | some reason in review],
}

# METADATA
# title: Rows are added where nothing speaks against it
# scope: document
default allow := false

allow if count(deny) == 0

# METADATA
# title: Rows that are not told cannot pass as none
deny contains "the proposed rows are no list" if not is_array(object.get(input, "rows", null))

# METADATA
# title: A plan keeps within the limit
deny contains reason if {
	is_number(data.planning.most_rows)
	count(proposed) > data.planning.most_rows
	reason := sprintf("%d rows are proposed, which is above the limit of %v", [count(proposed), data.planning.most_rows])
}

# METADATA
# title: A proposed row is a row
deny contains "what is proposed is no row" if {
	some row in proposed
	not is_object(row)
}

# METADATA
# title: A limit that is not there limits nothing, so nothing passes it
deny contains "the policy has no limit of planned rows" if not is_number(data.planning.most_rows)

# METADATA
# title: Code that a model proposes runs only where that is allowed
deny contains reason if {
	some row in proposed
	is_object(row)
	language := object.get(row, "language", null)
	language != null
	not language in data.planning.languages
	reason := sprintf("row %v would run %v, which planned rows may not", [object.get(row, "id", "?"), language])
}

# METADATA
# title: A person approves what is added
# description: Only plans of boards that data.planning.unreviewed_boards names are added without one.
review contains "rows are proposed: a person approves them before they are added" if not waived

# METADATA
# title: The board's plans need nobody's approval
waived if {
	board := input.row.board
	is_string(board)
	board != ""
	board in data.planning.unreviewed_boards
}

# METADATA
# title: The rows that are proposed
proposed := input.rows if is_array(input.rows)
