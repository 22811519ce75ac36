package tools_test

import data.tools

call := {
	"tool": {"name": "add", "language": "python", "definition": "sha256:0"},
	"arguments": {"a": 1},
	"calls": 0,
	"row": {"id": "a", "run": "r", "risk": "low", "labels": {}},
	"submitter": "ana",
}

test_a_call_is_carried_out if {
	decision := tools.decision with input as call
	decision == {"allow": true, "deny": [], "review": []}
}

test_nothing_is_carried_out_without_a_call if {
	decision := tools.decision with input as {}
	not decision.allow
	decision.deny == ["a call by a row of unknown risk", "a call of no tool", "the calls before are not counted"]
}

test_a_forbidden_tool_is_not_called if {
	decision := tools.decision with input as call with data.tools.forbidden as ["add"]
	decision.deny == ["tool add is forbidden"]
}

test_an_agent_does_not_call_what_is_forbidden_to_it if {
	rules := {"critic": ["add"]}
	decision := tools.decision with input as object.union(call, {"agent": "critic"})
		with data.tools.forbidden_to_agents as rules
	decision.deny == ["tool add is forbidden to agent critic"]
	others := tools.decision with input as object.union(call, {"agent": "writer"})
		with data.tools.forbidden_to_agents as rules
	others.allow
}

test_at_some_risks_no_tools_are_called if {
	risky := object.union(call, {"row": {"risk": "critical"}})
	decision := tools.decision with input as risky
	decision.deny == ["tools are not called at risk critical"]
}

test_a_row_calls_tools_only_so_often if {
	decision := tools.decision with input as object.union(call, {"calls": 3}) with data.tools.most_calls as 3
	decision.deny == ["the row called tools 3 times, which is the limit"]
}

test_after_some_tools_a_person_looks if {
	decision := tools.decision with input as call with data.tools.reviewed as ["add"]
	decision == {"allow": true, "deny": [], "review": ["the model called tool add"]}
}
