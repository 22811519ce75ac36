package authz_test

import data.authz

ana := {"name": "ana", "roles": [], "boards": [], "scopes": null, "via": "session"}

decide(change, action, board) := decision if {
	principal := object.union(ana, change)
	decision := authz.decision with input as {"principal": principal, "action": action, "board": board, "resource": ""}
}

allowed(change, action, board) if decide(change, action, board).allow

test_nothing_is_allowed_without_input if {
	decision := authz.decision with input as {}
	not decision.allow
}

test_nobody_is_denied if not allowed({"name": "", "roles": ["admin"]}, "runs.read", "")

test_an_unknown_action_is_denied_even_to_an_admin if {
	decision := decide({"roles": ["admin"]}, "runs.destroy", "")
	not decision.allow
	decision.reason == "there is no such action"
}

test_an_unknown_role_gives_nothing if not allowed({"roles": ["emperor"]}, "runs.read", "")

test_a_user_without_roles_has_an_account_and_nothing_else if {
	allowed({}, "account.read", "")
	allowed({}, "account.manage", "")
	not allowed({}, "runs.read", "")
}

test_a_viewer_reads if allowed({"roles": ["viewer"]}, "runs.read", "")

test_a_viewer_changes_nothing if {
	every action in ["runs.submit", "runs.steer", "reviews.decide", "users.manage"] {
		not allowed({"roles": ["viewer"]}, action, "")
	}
}

test_each_working_role_has_its_one_action if {
	own := {"submitter": "runs.submit", "reviewer": "reviews.decide", "operator": "runs.steer"}
	every role, action in own {
		allowed({"roles": [role]}, action, "")
		every other in [one | some one in own; one != action] {
			not allowed({"roles": [role]}, other, "")
		}
		not allowed({"roles": [role]}, "users.manage", "")
	}
}

test_an_admin_does_everything_that_any_role_does if {
	every actions in data.authz.roles {
		every action in actions {
			allowed({"roles": ["admin"]}, action, "")
		}
	}
}

test_roles_add_up if {
	both := {"roles": ["submitter", "reviewer"]}
	allowed(both, "runs.submit", "")
	allowed(both, "reviews.decide", "")
}

treasury := {"boards": [{"board": "treasury", "role": "reviewer"}]}

test_a_grant_holds_on_its_board if allowed(treasury, "reviews.decide", "treasury")

test_a_grant_holds_on_no_other_board if {
	decision := decide(treasury, "reviews.decide", "sales")
	not decision.allow
	decision.reason == "ana is not allowed to reviews.decide on board \"sales\""
}

test_a_grant_holds_not_everywhere if not allowed(treasury, "reviews.decide", "")

test_a_grant_gives_only_its_role if not allowed(treasury, "runs.steer", "treasury")

test_a_grant_of_admin_manages_no_users if {
	not allowed({"boards": [{"board": "treasury", "role": "admin"}]}, "users.manage", "treasury")
}

test_a_grant_without_a_board_name_gives_nothing if {
	not allowed({"boards": [{"board": "", "role": "admin"}]}, "runs.read", "")
}

token(scopes) := {"roles": ["admin"], "via": "token", "scopes": scopes}

test_a_token_does_what_its_scopes_say if allowed(token(["runs.submit"]), "runs.submit", "")

test_a_token_does_nothing_else if {
	decision := decide(token(["runs.submit"]), "runs.steer", "")
	not decision.allow
	decision.reason == "this token is not for runs.steer"
}

test_a_token_gives_nothing_that_its_user_may_not if {
	not allowed({"roles": ["viewer"], "via": "token", "scopes": ["runs.submit"]}, "runs.submit", "")
}

test_a_token_without_scopes_does_nothing if {
	not allowed(token([]), "runs.read", "")
	not allowed({"roles": ["admin"], "via": "token"}, "runs.read", "")
}

test_a_token_never_manages_an_account if not allowed(token(["account.manage"]), "account.manage", "")

test_a_token_holds_on_boards_too if {
	on_treasury := object.union(treasury, {"via": "token", "scopes": ["reviews.decide"]})
	allowed(on_treasury, "reviews.decide", "treasury")
	not allowed(on_treasury, "runs.read", "treasury")
}
