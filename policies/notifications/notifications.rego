# METADATA
# title: Delivery of messages
# description: |
#   Decides whether a message may leave the house by a channel. Inboxes are in the house: they are not asked about.
#   Nothing is allowed by default; a rule denies on "not proven", so a missing field cannot pass.
#   data.notifications.kept_boards names, for a board, the channels that may tell of its rows.
package notifications

# METADATA
# title: What is decided on a message
# entrypoint: true
decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
}

# METADATA
# title: A message leaves where nothing speaks against it
# scope: document
default allow := false

allow if count(deny) == 0

# METADATA
# title: Some boards are told of by some channels only
# description: A board that is not named there is told of by all.
deny contains reason if {
	some board in input.message.boards
	channel := object.get(input, ["message", "channel"], "nobody")
	channels := data.notifications.kept_boards[board]
	not channel in channels
	reason := sprintf("channel %v may not tell of board %v", [channel, board])
}

# METADATA
# title: The boards of a message are a list, in which one would be found
deny contains "the boards of the message are no list" if not is_array(object.get(input, ["message", "boards"], null))

# METADATA
# title: A message has a channel
deny contains "the message has no channel" if not is_string(object.get(input, ["message", "channel"], null))
