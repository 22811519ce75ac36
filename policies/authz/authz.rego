# METADATA
# title: Authorisation of requests
# description: |
#   Decides whether a principal may do an action, on a board or everywhere. Nothing is allowed by default; what is
#   not proven is denied: an unknown action, an unknown role, a token without the scope.
#   Which role takes which actions is data.authz.roles.
package authz

# METADATA
# title: What is decided on a request
# entrypoint: true
decision := {"allow": allow, "reason": reason}

# METADATA
# title: A request passes where nothing speaks against it and a role or grant speaks for it
# scope: document
default allow := false

allow if {
	count(deny) == 0
	granted
}

# METADATA
# title: Why a request is refused
# scope: document
default reason := "allowed"

reason := concat("; ", sort(deny)) if count(deny) > 0

reason := sprintf("%s is not allowed to %s", [input.principal.name, input.action]) if {
	count(deny) == 0
	not granted
	not on_a_board
}

reason := sprintf("%s is not allowed to %s on board %q", [input.principal.name, input.action, input.board]) if {
	count(deny) == 0
	not granted
	on_a_board
}

# METADATA
# title: An action is one of the known ones
deny contains "there is no such action" if not known_action

# METADATA
# title: The action is one that somebody may do
# scope: document
known_action if input.action in data.authz.everyone

known_action if {
	some actions in data.authz.roles
	input.action in actions
}

# METADATA
# title: A request comes from somebody
deny contains "nobody is authenticated" if not named

# METADATA
# title: The principal has a name
named if {
	is_string(input.principal.name)
	input.principal.name != ""
}

# METADATA
# title: A token does only what it was made for
deny contains reason if {
	by_token
	not input.action in scopes
	reason := sprintf("this token is not for %v", [object.get(input, "action", "that")])
}

# METADATA
# title: The request comes by a token, or its document names scopes
# scope: document
by_token if input.principal.via == "token"

# A document that names scopes is limited by them, however it was authenticated.
by_token if is_array(input.principal.scopes)

# METADATA
# title: What the token was made for
scopes contains scope if some scope in input.principal.scopes

# METADATA
# title: Sessions, tokens and passwords are managed by their owner in person
# description: A token that could make tokens would outlive its own end and its own scopes.
deny contains "this needs a login with a password, not a token" if {
	by_token
	input.action in data.authz.session_only
}

# METADATA
# title: Everybody has an account
granted if input.action in data.authz.everyone

# METADATA
# title: A role holds on every board
granted if {
	some role in input.principal.roles
	input.action in data.authz.roles[role]
}

# METADATA
# title: A grant holds on its board, for actions that are about boards
granted if {
	on_a_board
	input.action in data.authz.on_boards
	some grant in input.principal.boards
	grant.board == input.board
	input.action in data.authz.roles[grant.role]
}

# METADATA
# title: The request is about one board
on_a_board if {
	is_string(input.board)
	input.board != ""
}
