package notifications_test

import data.notifications

decide(message) := decision if {
	decision := notifications.decision with input as {"message": message}
		with data.notifications.kept_boards as {"treasury": ["vault-mail"]}
}

test_messages_leave_by_any_channel if {
	decide({"channel": "chat", "boards": ["ops"]}) == {"allow": true, "deny": []}
	decide({"channel": "chat", "boards": []}).allow
}

test_a_kept_board_is_told_of_by_its_channels if {
	decide({"channel": "vault-mail", "boards": ["treasury"]}).allow
	decide({"channel": "chat", "boards": ["ops", "treasury"]}).deny == ["channel chat may not tell of board treasury"]
}

test_nothing_leaves_without_being_known if {
	decision := notifications.decision with input as {}
	decision.deny == ["the boards of the message are no list", "the message has no channel"]
}

test_what_ships_keeps_no_board if {
	decision := notifications.decision with input as {"message": {"channel": "chat", "boards": ["ops"]}}
	decision.allow
}
