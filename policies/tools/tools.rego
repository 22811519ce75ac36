# METADATA
# title: Permission of tool calls
# description: |
#   Decides whether a model may have a tool run, and whether a person must look at what came of it.
#   Nothing is allowed by default; a rule denies on "not proven", so a missing field cannot pass.
#   What is forbidden, and what is looked at, is data.tools. The program itself is asked about in package sandbox.
package tools

# METADATA
# title: What is decided on a call
# entrypoint: true
decision := {
	"allow": allow,
	"deny": [reason | some reason in deny],
	"review": [reason | some reason in review],
}

# METADATA
# title: A call is carried out where nothing speaks against it
# scope: document
default allow := false

allow if count(deny) == 0

# METADATA
# title: A call names its tool
deny contains "a call of no tool" if name == ""

# METADATA
# title: Some tools are not called by models
deny contains reason if {
	name in data.tools.forbidden
	reason := sprintf("tool %s is forbidden", [name])
}

# METADATA
# title: Some agents do not call some tools, whatever their definition says
deny contains reason if {
	name in data.tools.forbidden_to_agents[input.agent]
	reason := sprintf("tool %s is forbidden to agent %s", [name, input.agent])
}

# METADATA
# title: At some risks, models call no tools
deny contains reason if {
	input.row.risk in data.tools.forbidden_risks
	reason := sprintf("tools are not called at risk %s", [input.row.risk])
}

# METADATA
# title: Whose risk is not told cannot pass as low
deny contains "a call by a row of unknown risk" if not is_string(object.get(input, ["row", "risk"], null))

# METADATA
# title: A row's model calls tools only so often
deny contains reason if {
	calls >= data.tools.most_calls
	reason := sprintf("the row called tools %d times, which is the limit", [calls])
}

# METADATA
# title: Calls that are not counted cannot pass as few
deny contains "the calls before are not counted" if calls < 0

# METADATA
# title: After calls of some tools a person looks at the output
review contains reason if {
	name in data.tools.reviewed
	reason := sprintf("the model called tool %s", [name])
}

# METADATA
# title: The tool that is called
# scope: document
default name := ""

name := input.tool.name if is_string(input.tool.name)

# METADATA
# title: How many calls there were before
# scope: document
default calls := -1

calls := input.calls if is_number(input.calls)
